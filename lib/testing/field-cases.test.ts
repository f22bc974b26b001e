import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { fieldElsewhere, fieldLogs, fieldRecordings } from './field-cases.ts'
import { dataPath, needsData } from './needs.ts'
import { classifyFailure } from '../failure/classify.ts'

const skip = needsData('field/cases.tsv')
const names = () =>
  readFileSync(dataPath('field/cases.tsv'), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map(line => line.split('\t')[0]!)

test('every row of the field has its right answer in a test', { skip }, () => {
  const known = new Set([
    ...Object.keys(fieldLogs).map(name => `logs/${name}.log`),
    ...Object.keys(fieldRecordings).map(name => `wav/${name}.wav`),
    ...fieldElsewhere,
  ])
  assert.deepEqual(
    names().filter(name => !known.has(name)),
    [],
  )
})

test('classifyFailure() gives every log of the field its right answer', { skip }, () => {
  const wrong = Object.entries(fieldLogs).flatMap(([name, [bucket, says]]) => {
    const failure = classifyFailure(readFileSync(dataPath(`field/logs/${name}.log`), 'utf8'))
    const answer = `${failure.cause}; ${failure.fix}`
    return bucket.test(failure.bucket) && says.test(answer) ? [] : [[name, failure.bucket, answer]]
  })
  assert.deepEqual(wrong, [])
})
