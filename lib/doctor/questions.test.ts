import assert from 'node:assert/strict'
import test from 'node:test'
import { broken, missing, ok } from './fact.ts'
import { judge, questionLine, questionsOf } from './questions.ts'

const commands = { main: 'run a', dfc: 'run b', hailo: 'run c', nvidia: 'run d' }
const questions = questionsOf(commands)
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

test('questionsOf() has one question for each need with its command, and the main job is the first', () => {
  assert.deepEqual(
    questions.map(({ need, command }) => [need, command]),
    [
      ['main', 'run a'],
      ['dfc', 'run b'],
      ['hailo', 'run c'],
      ['nvidia', 'run d'],
    ],
  )
})
