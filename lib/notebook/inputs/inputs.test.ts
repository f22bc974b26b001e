import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { parseArgv } from './argv.ts'
import { RunbookError } from '../../base/errors.ts'
import { knownFlags } from './help.ts'
import { choice, file, folder, number, paths, resolveInputs, text, toggle } from './inputs.ts'

const cwd = mkdtempSync(join(tmpdir(), 'inputs-'))
writeFileSync(join(cwd, 'a.wav'), '')

const declared = {
  profile: choice(['focused', 'extended'], { env: 'PROFILE', default: 'focused', help: 'which' }),
  timeLimitMin: number({ env: 'TIME_LIMIT_MIN', default: 120, min: 1, max: 600, unit: 'minutes', help: 'limit' }),
  quickOpt: toggle({ env: 'QUICK_OPT', default: true, help: 'quick' }),
  mixWav: file({ env: 'MIX_WAV', optional: true, help: 'sound' }),
  note: text({ optional: true, help: 'words' }),
}

const resolved = (argv: readonly string[], env: Record<string, string> = {}) => {
  const { values, records } = resolveInputs(declared, { flags: parseArgv(argv, knownFlags(declared)), env, cwd })
  return { values, from: Object.fromEntries(records.map(record => [record.name, record.from])) }
}
const refusal = (work: () => unknown): RunbookError => {
  try {
    work()
  } catch (thrown) {
    assert.ok(thrown instanceof RunbookError, String(thrown))
    return thrown
  }
  assert.fail('nothing was refused')
}

test('resolveInputs() takes the flag before the environment before the default, and says so', () => {
  assert.deepEqual(resolved([]).values, {
    profile: 'focused',
    timeLimitMin: 120,
    quickOpt: true,
    mixWav: undefined,
    note: undefined,
  })
  const both = resolved(['--profile', 'extended', '--time-limit-min=5'], { PROFILE: 'focused', QUICK_OPT: '0' })
  assert.deepEqual([both.values.profile, both.values.timeLimitMin, both.values.quickOpt], ['extended', 5, false])
  assert.deepEqual(both.from, {
    profile: 'flag',
    timeLimitMin: 'flag',
    quickOpt: 'env',
    mixWav: 'default',
    note: 'default',
  })
})

test('resolveInputs() counts an empty variable as unset', () => {
  assert.equal(resolved([], { TIME_LIMIT_MIN: '' }).values.timeLimitMin, 120)
})

test('resolveInputs() names the variable or the flag, and what it got, when a value does not fit', () => {
  assert.match(
    refusal(() => resolved([], { TIME_LIMIT_MIN: 'abc' })).message,
    /TIME_LIMIT_MIN in the environment: expected a number, got "abc"/,
  )
  assert.match(
    refusal(() => resolved(['--time-limit-min', '-3'])).message,
    /--time-limit-min: expected 1 to 600, got "-3"/,
  )
  assert.match(refusal(() => resolved(['--time-limit-min', 'NaN'])).message, /expected a number/)
  assert.match(refusal(() => resolved(['--quick-opt=maybe'])).message, /expected 1 or 0/)
  assert.match(refusal(() => resolved(['--profile', 'extnded'])).message, /did you mean extended/)
})

test('resolveInputs() is blocked by a file that is not there, and refuses a folder in its place', () => {
  assert.equal(resolved(['--mix-wav', 'a.wav']).values.mixWav, 'a.wav')
  assert.equal(refusal(() => resolved(['--mix-wav', 'b.wav'])).exit, 'blocked')
  assert.match(refusal(() => resolved(['--mix-wav', '.'])).message, /expected a file/)
})

test('resolveInputs() asks for an input that has no default', () => {
  const needed = { hefPath: file({ env: 'HEF_PATH', help: 'the model' }), outDir2: folder({ default: '.', help: 'x' }) }
  const error = refusal(() => resolveInputs(needed, { flags: new Map(), env: {}, cwd }))
  assert.equal(error.exit, 'usage')
  assert.match(`${error.message} ${error.hint}`, /--hef-path.*HEF_PATH/)
})

test('parseArgv() proposes the nearest flag for an unknown one', () => {
  const known = knownFlags(declared)
  assert.match(refusal(() => parseArgv(['--time-limt-min', '3'], known)).hint, /did you mean --time-limit-min\?/)
  assert.match(refusal(() => parseArgv(['--zzzzzzzzzz'], known)).hint, /--help/)
})

test('parseArgv() takes underscores for hyphens, and switches that are turned off', () => {
  const flags = parseArgv(['--time_limit_min', '7', '--no-quick-opt'], knownFlags(declared))
  assert.deepEqual(
    [...flags],
    [
      ['time-limit-min', '7'],
      ['quick-opt', '0'],
    ],
  )
})

test('parseArgv() refuses a missing value, a repeated flag, and a word that is no flag', () => {
  const known = knownFlags(declared)
  assert.match(refusal(() => parseArgv(['--profile'], known)).message, /needs a value/)
  assert.match(refusal(() => parseArgv(['--mix-wav', '--dry-run'], known)).message, /--mix-wav: it needs a value/)
  assert.match(refusal(() => parseArgv(['--json', '--json'], known)).message, /twice/)
  assert.match(refusal(() => parseArgv(['focused'], known)).message, /not a flag/)
})

test('knownFlags() is a bug when two inputs share a flag', () => {
  assert.throws(
    () => knownFlags({ outDir: text({ optional: true, help: 'clashes with the common one' }) }),
    /share --out-dir/,
  )
})

test('parseArgv() gives words without dashes to the operand, and refuses them beside its flag', () => {
  const own = { audio: paths({ help: 'recordings' }), words: toggle({ help: 'times' }) }
  const resolved = (...argv: string[]) =>
    resolveInputs(own, { flags: parseArgv(argv, knownFlags(own), 'audio'), env: {}, cwd }).values.audio
  assert.deepEqual(resolved('a b.wav', '--words', 'c.wav'), ['a b.wav', 'c.wav'])
  assert.deepEqual(resolved('--audio', 'a.wav'), ['a.wav'])
  assert.match(refusal(() => resolved('a.wav', '--audio', 'b.wav')).message, /twice/)
  assert.match(refusal(() => resolved()).message, /without --audio/)
  assert.match(refusal(() => resolved('a.wav', '-x')).message, /not a flag/)
})
