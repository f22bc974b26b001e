import assert from 'node:assert/strict'
import test from 'node:test'
import type { Gate } from '../notebook/run/session.ts'
import { gateHeard } from './heard.ts'

function judged(texts: readonly string[]): string[] {
  const said: string[] = []
  const gate = Object.assign((name: string, value: unknown) => said.push(`${name} ${String(value)}`) > 0, {
    blocked: (name: string) => void said.push(`${name} blocked`),
  }) as Gate
  gateHeard(gate, texts)
  return said
}

test('gateHeard() passes recordings of which one has words, in any script', () => {
  assert.deepEqual(judged(['', ' Hello.']), ['recordings with words 1'])
  assert.deepEqual(judged(['привет', '你好', '42']), ['recordings with words 3'])
})

test('gateHeard() is blocked where nothing was heard, or only marks and spaces', () => {
  for (const texts of [[], [''], [' ', '...', '♪ , ']])
    assert.deepEqual(judged(texts), ['recordings with words blocked'])
})
