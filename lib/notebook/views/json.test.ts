import assert from 'node:assert/strict'
import test from 'node:test'
import { everyReport } from '../../testing/notebook/sample-reports.ts'
import { jsonDocument } from './json.ts'

test('jsonDocument() holds rows as data, media by path, and neither sources nor pictures', async () => {
  const { passed, hostile } = await everyReport()
  for (const report of [passed!, hostile!]) {
    const text = JSON.stringify(jsonDocument(report))
    assert.ok(text.length < 50_000, `${text.length} characters`)
    assert.doesNotMatch(text, /"source"|"html"|base64|<svg/)
  }
  const outputs = (jsonDocument(passed!).cells as { outputs: { kind: string; data?: unknown }[] }[])
    .flatMap(cell => cell.outputs)
    .filter(({ kind }) => kind === 'table')
  assert.ok(outputs.length > 0 && outputs.every(({ data }) => Array.isArray(data)))
})
