import assert from 'node:assert/strict'
import test from 'node:test'
import { broken, missing, ok } from './fact.ts'
import { judge, questionLine, questions, questionsWith } from './questions.ts'

const hailo = questions.find(({ need }) => need === 'hailo')!

test('judge() passes when every fact that the question wants is ok, whatever the others are', () => {
  const judged = judge(hailo, [
    ok('a', '', ['hailo']),
    ok('b', '', ['main', 'hailo']),
    broken('c', '', 'x', ['nvidia']),
  ])
  assert.deepEqual([judged.status, judged.lacking], ['pass', []])
  assert.equal(questionLine(judged), `yes  ${hailo.words}: ${hailo.command}`)
})

test('judge() blocks on what is missing and fails on what is broken, broken first', () => {
  const absent = missing('board', 'none', 'x', ['hailo'])
  const wrong = broken('driver', 'old', 'y', ['hailo'])
  assert.equal(judge(hailo, [absent, ok('a', '', ['hailo'])]).status, 'blocked')
  const both = judge(hailo, [absent, wrong])
  assert.deepEqual([both.status, both.lacking], ['fail', [wrong, absent]])
  assert.equal(questionLine(both), `no   ${hailo.words}: driver broken, board missing`)
})

test('judge() blocks when no fact speaks of the question', () => {
  const judged = judge(hailo, [ok('a', '', ['main'])])
  assert.equal(judged.status, 'blocked')
  assert.match(questionLine(judged), /nothing was looked at$/)
})

test('questionsWith() puts a HEF that was compiled here into the command, and leaves the others', () => {
  const commands = questionsWith('module_runs/1/tag/$&.hef').map(({ command }) => command)
  assert.equal(commands[2], 'npx tsx runbooks/monolithic-infer.ts --backend hailort --model module_runs/1/tag/$&.hef')
  assert.deepEqual(commands.toSpliced(2, 1), questions.map(({ command }) => command).toSpliced(2, 1))
  assert.deepEqual(questionsWith(null), questions)
})

test('each need has one question, and the main job is the first', () => {
  assert.deepEqual(
    questions.map(({ need }) => need),
    ['main', 'dfc', 'hailo', 'nvidia'],
  )
})
