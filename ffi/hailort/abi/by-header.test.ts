import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { needsTool } from '../../../lib/testing/needs.ts'
import { FfiError } from '../../errors.ts'
import { hailortHeader } from '../../testing/hailort-header.ts'
import { hailortStandin } from '../../testing/hailort.ts'
import { openHailort } from '../library.ts'
import { profileByHeader } from './by-header.ts'
import { parseVersion } from './profiles.ts'

const skip = needsTool('gcc')

/** A prefix as HailoRT's package fills it; `files` are added. */
function prefix(header: string | null, files: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'prefix-'))
  test.after(() => rmSync(root, { recursive: true }))
  const all = { ...(header !== null && { 'include/hailo/hailort.h': header }), 'lib/libhailort.so': '', ...files }
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}
const verdict = (root: string, version: string, env: Readonly<Record<string, string>> = {}) =>
  profileByHeader({ library: join(root, 'lib/libhailort.so'), version: parseVersion(version), env })
const problem = (...args: Parameters<typeof verdict>) => {
  const given = verdict(...args)
  return 'problem' in given ? given.problem : assert.fail(`it agrees with ${given.profile}`)
}

test('profileByHeader() finds the shape that the header has, the nearest or another', { skip }, () => {
  for (const [version, like, profile] of [
    ['4.24.0', '4.23.0', 'C'],
    ['5.3.0', '5.2.0', 'D'],
    ['5.4.1', '5.1.0', 'D'],
    ['5.4.0', '4.23.0', 'C'],
    ['4.25.1', '4.23.0', 'C'],
    ['5.9.0', '5.2.0', 'D'],
    ['6.0.0', '5.2.0', 'D'],
  ] as const) {
    const root = prefix(hailortHeader(like))
    assert.deepEqual(verdict(root, version), { profile, header: join(root, 'include/hailo/hailort.h') }, version)
  }
})

test('profileByHeader() names the struct or the number in which a header differs from every shape', { skip }, () => {
  const grown = prefix(hailortHeader('5.2.0', { grown: 'hailo_vstream_info_t' }))
  assert.match(problem(grown, '5.3.0'), /agrees with no known shape: hailo_vstream_info_t: the header has/)
  const other = prefix(hailortHeader('5.2.0', { constants: { HAILO_FORMAT_TYPE_FLOAT32: 9 } }))
  assert.match(problem(other, '5.3.0'), /agrees with no known shape: it has another number than HAILO_FORMAT_TYPE_FLO/)
  assert.match(problem(prefix('#error "not C"\n'), '5.3.0'), /"not C"/)
})

test("profileByHeader() takes no header that may be another version's", { skip }, () => {
  const header = hailortHeader('5.2.0')
  const cmake = (version: string) => ({
    'lib/cmake/HailoRT/HailoRTConfigVersion.cmake': `set(PACKAGE_VERSION "${version}")\n`,
  })
  assert.match(problem(prefix(header, cmake('5.2.0')), '5.3.0'), /hailort\.h is of HailoRT 5\.2\.0$/)
  assert.ok('profile' in verdict(prefix(header, cmake('5.3.0')), '5.3.0'))
  const elsewhere = prefix(header)
  const opt = join(prefix(null), 'opt/libhailort.so')
  const far = { library: opt, version: parseVersion('5.3.0') }
  const named = { HAILORT_INCLUDE: join(elsewhere, 'include') }
  assert.ok('profile' in profileByHeader({ ...far, env: named }), 'a folder that is named is believed')
})

test('profileByHeader() says where it looked, and which compiler does not run', { skip }, () => {
  assert.match(problem(prefix(null), '5.3.0', { HAILORT_INCLUDE: '/nowhere' }), /hailort\.h is in none of \/nowhere$/)
  const root = prefix(hailortHeader('5.2.0'))
  assert.match(problem(root, '5.3.0', { CC: 'no-such-cc' }), /no-such-cc, which compares it, does not run \(ENOENT\)/)
})

test('openHailort() takes a version of no table by its header, by force, and not otherwise', { skip }, () => {
  const library = hailortStandin({ profile: 'D', version: [5, 3, 0] })
  const none = { HAILORT_LIB: library, HAILORT_INCLUDE: '/nowhere' }
  assert.throws(
    () => openHailort({ env: none }),
    (thrown: unknown) =>
      thrown instanceof FfiError &&
      thrown.kind === 'refused' &&
      /^Cannot use HailoRT 5\.3\.0: .*4\.17 to 4\.23 and 5\.0 to 5\.2; .* is in none of \/nowhere$/.test(
        thrown.message,
      ) &&
      /export HAILORT_INCLUDE=.*export HAILO_ABI=force/.test(thrown.hint),
  )
  const include = join(prefix(hailortHeader('5.2.0')), 'include')
  const opened = openHailort({ env: { HAILORT_LIB: library, HAILORT_INCLUDE: include } })
  assert.equal(opened.title, 'HailoRT 5.3.0 (profile D, by its header)')
})

test('openHailort() takes versions that do not exist yet by their header, or by force', { skip }, () => {
  for (const [version, like, profile] of [
    [[4, 25, 1], '4.23.0', 'C'],
    [[5, 9, 0], '5.2.0', 'D'],
    [[6, 0, 0], '5.2.0', 'D'],
  ] as const) {
    const library = hailortStandin({ profile, version })
    const env = { HAILORT_LIB: library, HAILORT_INCLUDE: '/nowhere' }
    assert.throws(() => openHailort({ env }), FfiError, version.join('.'))
    const include = join(prefix(hailortHeader(like)), 'include')
    const byHeader = openHailort({ env: { ...env, HAILORT_INCLUDE: include } })
    assert.equal(byHeader.title, `HailoRT ${version.join('.')} (profile ${profile}, by its header)`)
    assert.match(openHailort({ env: { ...env, HAILO_ABI: 'force' } }).title, new RegExp(`profile ${profile}`))
  }
})
