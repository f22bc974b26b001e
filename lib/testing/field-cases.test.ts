import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'node:test'
import { fieldElsewhere, fieldHefs, fieldLogs, fieldRecordings } from './field-cases.ts'
import { dataPath, needsData } from './needs.ts'
import { preflight } from '../formats/hef/preflight.ts'
import { readHef } from '../formats/hef/read.ts'
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
    ...Object.keys(fieldHefs).map(name => `hef/${name}.hef`),
    ...Object.values(fieldElsewhere).flat(),
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

test('every row that is answered elsewhere is named there', () => {
  const root = join(import.meta.dirname, '../..')
  const absent = Object.entries(fieldElsewhere).flatMap(([file, rows]) => {
    const text = readFileSync(join(root, file), 'utf8')
    return rows.filter(row => !text.includes(basename(row, '.sh').replace(/\.onnx$/, '')))
  })
  assert.deepEqual(absent, [])
})

test('preflight() gives every HEF of the field its right answer', { skip }, () => {
  const wrong = Object.entries(fieldHefs).flatMap(([name, asked]) => {
    const hef = readHef(dataPath(`field/hef/${name}.hef`))
    return asked.flatMap(({ arch, library, refused }) => {
      const errors = preflight(hef, { arch, libraryVersion: library }).filter(({ level }) => level === 'error')
      const why = errors.map(({ message, hint }) => `${message}; ${hint}`).join(' | ')
      const isRight = refused === null ? errors.length === 0 : refused.test(why)
      return isRight ? [] : [[name, library, why]]
    })
  })
  assert.deepEqual(wrong, [])
})
