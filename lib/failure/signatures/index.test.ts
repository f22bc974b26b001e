import assert from 'node:assert/strict'
import test from 'node:test'
import { buckets } from '../buckets.ts'
import { tensorrtWords } from '../origin.ts'
import type { Signature } from '../signature.ts'
import { families } from './index.ts'

const patternsOf = ({ match, unless, and, andNot }: Signature): RegExp[] =>
  [match, unless, and, andNot].flat().filter(pattern => pattern !== undefined)
const all: readonly Signature[] = Object.values(families).flat()
const placeOf = (bucket: string) => all.findIndex(signature => signature.bucket === bucket)

test('families hold patterns without memory, so that one text never changes the answer for the next', () => {
  for (const pattern of all.flatMap(patternsOf)) assert.doesNotMatch(pattern.flags, /[gy]/, String(pattern))
})

test('families know words, not silence: no pattern of theirs matches an empty or a harmless line', () => {
  for (const signature of all) {
    for (const text of ['', ' ', 'hello', '[info] Starting Model Optimization', '[info] Saved HAR to: /x/net.har']) {
      const isMatch = [signature.match].flat().every(pattern => pattern.test(text))
      assert.equal(isMatch, false, `${signature.bucket} matches "${text}"`)
    }
  }
})

test('families are cores of messages: none needs more than one line or a run of more than 60 plain characters', () => {
  for (const pattern of all.flatMap(({ match }) => match)) {
    assert.doesNotMatch(pattern.source, /\[\^\]|\\s\\S/, String(pattern))
    for (const part of pattern.source.split('|')) assert.ok((/[\w ,.']{61,}/.exec(part)?.[0].length ?? 0) === 0, part)
  }
})

test('families put what stops every case before what a stage says', () => {
  const order = [
    'aborted',
    'host_disk_full',
    'host_oom',
    'runtime_missing_package',
    'environment_broken_install',
    'model_script_error',
    'parse_unsupported_op_with_recommendation',
    'parse_unsupported_op',
    'har_not_optimized',
    'calibration_input_name',
    'calibration_shape',
    'optimize_subprocess',
    'compiler_crash',
    'reshape_layout',
    'allocator_timeout',
    'resource_exhausted_partition',
    'allocator_infeasible',
    'wrapper_timeout',
    'har_build_failed_unspecified',
  ]
  const places = order.map(placeOf)
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  )
  assert.ok(places.every(place => place >= 0))
})

test('families and tensorrtSignatures stay in the stage of their bucket, or are of any stage', () => {
  for (const { bucket, stage } of all)
    assert.ok(
      [buckets[bucket]!.stage, 'any'].includes(stage) || buckets[bucket]!.stage === 'any',
      `${bucket} at ${stage}`,
    )
})

test("tensorrtWords leave the logs of Hailo's tools alone", () => {
  for (const text of [
    '[HailoRT] [error] CHECK failed',
    '[error] Mapping Failed',
    'BackendAllocatorException: x',
    'profile of the network',
  ]) {
    assert.equal(tensorrtWords.test(text), false, text)
  }
  for (const text of ['[TRT] x', 'trtexec failed', 'input has 3 but profile 0 has 4'])
    assert.equal(tensorrtWords.test(text), true, text)
})
