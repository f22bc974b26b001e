import assert from 'node:assert/strict'
import test from 'node:test'
import { FfiError } from '../../errors.ts'
import { compareVersions, isTested, parseVersion, profileOf, versionText } from './profiles.ts'

test('profileOf() chooses one of four shapes when the version is known', () => {
  const chosen = ['4.17.0', '4.19.0', '4.20.0', '4.21.0', '4.23.0', '5.0.1', '5.1.0', '5.2.0']
    .map(text => profileOf(parseVersion(text)))
    .join('')
  assert.equal(chosen, 'AABCCCDD')
})

test('profileOf() takes a revision that was never measured when its minor was', () => {
  assert.equal(profileOf(parseVersion('4.23.7')), 'C')
})

test('profileOf() refuses a version that was never measured, and says how to insist', () => {
  for (const text of ['4.16.2', '4.24.0', '5.3.0', '6.0.0', '3.9.0', '0.0.0']) {
    assert.throws(
      () => profileOf(parseVersion(text)),
      (thrown: unknown) =>
        thrown instanceof FfiError &&
        thrown.kind === 'refused' &&
        thrown.message.includes(text) &&
        thrown.hint.includes('HAILO_ABI=force'),
      text,
    )
  }
})

test('profileOf() takes the nearest shape when forced', () => {
  const forced = ['4.10.0', '4.24.0', '5.9.0', '6.0.0']
    .map(text => profileOf(parseVersion(text), { force: true }))
    .join('')
  assert.equal(forced, 'ACDD')
})

test('isTested() is about major and minor', () => {
  assert.deepEqual(
    ['4.17.3', '4.16.9', '5.2.1', '5.3.0'].map(text => isTested(parseVersion(text))),
    [true, false, true, false],
  )
})

test("parseVersion() and versionText() are each other's inverse, and nonsense is refused", () => {
  assert.equal(versionText(parseVersion('4.23.0')), '4.23.0')
  for (const text of ['4.23', 'v4.23.0', '4.23.0-rc1', '']) assert.throws(() => parseVersion(text), FfiError, text)
})

test('compareVersions() compares numbers and not text', () => {
  assert.ok(compareVersions(parseVersion('4.9.0'), parseVersion('4.20.0')) < 0)
  assert.ok(compareVersions(parseVersion('5.0.0'), parseVersion('4.23.0')) > 0)
  assert.equal(compareVersions(parseVersion('5.0.1'), parseVersion('5.0.1')), 0)
})
