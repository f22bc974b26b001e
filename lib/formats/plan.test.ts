import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../notebook/errors.ts'
import {
  decodePlanHeader, encodePlanHeader, planHeaderBytes, planVersionFromNumber, preflightPlan, readPlanHeader, type PlanVersion,
} from './plan.ts'

const folder = mkdtempSync(join(tmpdir(), 'plan-'))
const v = (major: number, minor: number, patch = 0, build = 0): PlanVersion => ({ major, minor, patch, build })
const plan = (version: PlanVersion) => Buffer.concat([encodePlanHeader(version), Buffer.alloc(100, 0x5a)])
const decode = (bytes: Uint8Array) => decodePlanHeader(bytes, { fileBytes: bytes.length, name: 'x.plan' })
const refuses = (bytes: Uint8Array, why: RegExp, hint = /./) => assert.throws(() => decode(bytes), (error: unknown) => {
  assert.ok(error instanceof RunbookError && error.exit === 'usage', String(error))
  assert.match(error.message, why)
  assert.match(error.hint, hint)
  return error.message.startsWith('Cannot read "x.plan"')
})

test('decodePlanHeader() reads the version from bytes that were laid by hand', () => {
  const head = Buffer.alloc(64)
  head.write('ftrt', 'latin1')
  head.set([10, 13, 3, 9], 24)
  assert.deepEqual(decode(head), { path: 'x.plan', version: v(10, 13, 3, 9), fileBytes: 64 })
})

test('readPlanHeader() reads a file of each major', () => {
  for (const version of [v(8, 6, 1), v(10, 0, 0, 6), v(10, 14, 1, 48), v(11, 1, 0, 255)]) {
    const path = join(folder, `${version.major}.${version.minor}.plan`)
    writeFileSync(path, plan(version))
    assert.deepEqual(readPlanHeader(path), { path, version, fileBytes: planHeaderBytes + 100 })
  }
})

test('readPlanHeader() is blocked when there is no file, and refuses a folder', () => {
  assert.throws(
    () => readPlanHeader(join(folder, 'absent.plan')), (error: unknown) => error instanceof RunbookError && error.exit === 'blocked')
  assert.throws(() => readPlanHeader(folder), (error: unknown) => error instanceof RunbookError && error.exit === 'usage')
})

test('decodePlanHeader() names what was given instead of a plan', () => {
  refuses(new Uint8Array(0), /it is empty/)
  refuses(Buffer.from('\x01HEF\0\0\0\x01', 'latin1'), /it is a HEF for a Hailo device/, /hailort/)
  refuses(Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:00\n'), /it is a git-lfs pointer/, /git lfs pull/)
  refuses(Buffer.from('<!DOCTYPE html><html></html>'), /it is a web page/)
  refuses(Buffer.from('{"engine": true}'), /it is JSON/)
  refuses(Buffer.from('trtexec: command not found\n'), /it is a text that begins "trtexec: command not found"/)
  refuses(Buffer.from([8, 7, 0x12, 4, 1, 2]), /it begins with 08071204, and a plan with 66747274/, /trtexec/)
})

test('decodePlanHeader() says both lengths at every cut of the header', () => {
  const whole = plan(v(10, 13))
  for (let length = 4; length < planHeaderBytes; length++) refuses(
    whole.subarray(0, length), new RegExp(`takes 28 bytes, and the file has ${length}$`))
  refuses(whole.subarray(0, planHeaderBytes), /it ends with its header/)
})

test('decodePlanHeader() refuses a version that no TensorRT of this layout has', () => {
  refuses(plan(v(0, 0)), /its version reads 0\.0\.0: it is damaged, or was written before TensorRT 8\.6/)
  refuses(plan(v(7, 2, 3)), /7\.2\.3/)
})

test('decodePlanHeader() refuses another serialization', () => {
  const bytes = plan(v(10, 13))
  bytes.writeUInt32LE(238, 4)
  refuses(bytes, /its serialization has version 238/)
})

test('planVersionFromNumber() reads the numbers of both generations', () => {
  assert.deepEqual(
    [8601, 9300, 100_001, 101_300, 101_303, 110_100].map(planVersionFromNumber),
    [v(8, 6, 1), v(9, 3), v(10, 0, 1), v(10, 13), v(10, 13, 3), v(11, 1)])
})

test('preflightPlan() finds nothing when the versions are one', () => {
  assert.deepEqual(preflightPlan(decode(plan(v(10, 13, 3, 9))), v(10, 13, 3)), [])
})

test('preflightPlan() refuses a plan that is newer than the library, and doubts an older one', () => {
  const judge = (built: PlanVersion, library: PlanVersion) => preflightPlan(decode(plan(built)), library)
  for (const newer of [v(11, 0), v(10, 14), v(10, 13, 4)]) {
    const [problem, ...more] = judge(newer, v(10, 13, 3))
    assert.deepEqual([problem?.level, more.length], ['error', 0])
    assert.match(problem!.message, /built with TensorRT 1\d\.\d+\.\d, and the library is 10\.13\.3/)
  }
  const [old] = judge(v(8, 6, 1), v(10, 13, 3))
  assert.equal(old?.level, 'warning')
  assert.match(old!.message, /8\.6\.1, and the library is 10\.13\.3: it runs only if it was built with --versionCompatible/)
})

test('decodePlanHeader() survives 500 mutated plans with a version or one clear error', () => {
  const whole = plan(v(10, 13, 3, 9))
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat(128), (edits, length) => {
    const bytes = Buffer.from(whole.subarray(0, length))
    for (const [at, value] of edits) if (at < bytes.length) bytes[at] = value
    try {
      const { version, fileBytes } = decode(bytes)
      assert.deepEqual([version.major, version.minor, version.patch, version.build, fileBytes], [...bytes.subarray(24, 28), bytes.length])
    } catch (error) {
      assert.ok(error instanceof RunbookError, String(error))
      assert.match(error.message, /^Cannot read "x\.plan"/)
      assert.ok(error.hint.length > 0)
    }
  }), { numRuns: 500 })
})
