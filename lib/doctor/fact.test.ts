import assert from 'node:assert/strict'
import test from 'node:test'
import { broken, factLines, isAtLeast, missing, ok, versionIn } from './fact.ts'

test('factLines() puts status, name and state into columns, with what installs or mends', () => {
  const lines = factLines([
    ok('node', 'v20'),
    missing('ffmpeg', 'not on PATH', 'sudo apt install ffmpeg'),
    broken('Hailo node', 'no', 'chmod'),
  ])
  assert.deepEqual(lines, [
    'ok       node        v20',
    'missing  ffmpeg      not on PATH; install: sudo apt install ffmpeg',
    'broken   Hailo node  no; fix: chmod',
  ])
  assert.deepEqual(factLines([]), [])
})

test('a fact stays one line whatever a program said, and shows no terminal sequence', () => {
  const fact = broken('x', 'first\nsecond\t\u001b[31mred\u001b[0m', 'do\nthis')
  assert.deepEqual([fact.state, fact.fix], ['first second red', 'do this'])
})

test('versionIn() finds the first version in a text, or none', () => {
  assert.equal(versionIn('slurm 22.05.8'), '22.05.8')
  assert.equal(versionIn('Polygraphy | Version: 0.49.24'), '0.49.24')
  assert.equal(versionIn('version 7'), null)
  assert.equal(versionIn(''), null)
})

test('isAtLeast() compares versions number by number and not letter by letter', () => {
  assert.ok(isAtLeast('v20.19.0', '20.19'))
  assert.ok(isAtLeast('v22.1', '20.19'))
  assert.ok(isAtLeast('20.19', '20.19.0'))
  assert.ok(!isAtLeast('v20.9.0', '20.19'))
  assert.ok(!isAtLeast('v18.20.4', '20.19'))
  assert.ok(!isAtLeast('20.19', '20.19.1'))
})
