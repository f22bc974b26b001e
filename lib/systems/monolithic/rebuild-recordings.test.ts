import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { after } from 'node:test'
import { readWav } from '../../formats/wav/index.ts'
import { sha256File } from '../../host/digest.ts'
import { exitNameOf, RunbookError } from '../../base/errors.ts'
import { needsTool } from '../../testing/needs.ts'
import {
  buildAndCompare,
  checkPrograms,
  debName,
  decodePrompts,
  downloadCommand,
  downloadPackages,
  findPackages,
  packagesOf,
  replaceShipped,
} from './rebuild-recordings.ts'
import { promptKey, recordingRecipes, type RecordingPackage, type RecordingRecipe } from './recordings.ts'

const packages = packagesOf(recordingRecipes)
const root = mkdtempSync(join(tmpdir(), 'rebuild-'))
after(() => rmSync(root, { recursive: true, force: true }))
const scratch = () => mkdtempSync(join(root, 'at-'))
const placeAt = (folder: string) => ({ folder, signal: new AbortController().signal })
const needsAll = needsTool('ffmpeg') || needsTool('dpkg-deb')
const isError =
  (exit: RunbookError['exit'], pattern: RegExp) =>
  (e: unknown): boolean =>
    exitNameOf(e) === exit && pattern.test(`${(e as RunbookError).message}\n${(e as RunbookError).hint}`)

/**
 * A Debian package with one prompt in it, a tone of one second, made with the real tools; and the source that names it.
 */
function packTone(folder: string, o: { name: string; hz: number }) {
  const file = `${o.name}.g722`
  const inside = 'usr/share/tones'
  const prompt = join(folder, `${o.name}.root`, inside, file)
  mkdirSync(dirname(prompt), { recursive: true })
  execFileSync('ffmpeg', [
    '-v',
    'error',
    '-f',
    'lavfi',
    '-i',
    `sine=frequency=${o.hz}:sample_rate=16000:duration=1`,
    '-f',
    'g722',
    prompt,
  ])
  const control = join(folder, `${o.name}.root`, 'DEBIAN/control')
  mkdirSync(dirname(control))
  writeFileSync(
    control,
    [
      `Package: ${o.name}`,
      'Version: 1.0-1',
      'Architecture: all',
      'Maintainer: nobody <nobody@example.invalid>',
      'Description: a tone\n',
    ].join('\n'),
  )
  const deb = join(folder, `${o.name}_1.0-1_all.deb`)
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', join(folder, `${o.name}.root`), deb], { stdio: 'ignore' })
  const made: RecordingPackage = { name: o.name, version: '1.0-1', sha256: sha256File(deb), folder: inside }
  return { package: made, file, sha256: sha256File(prompt), fromSample: 400, gain: 0.5 }
}

/** A recipe of our own, with its packages in a folder. */
function ownRecipe(): { recipe: RecordingRecipe; folder: string } {
  const folder = scratch()
  return {
    recipe: {
      name: 'tones',
      samples: 8000,
      sources: [packTone(folder, { name: 'low-tone', hz: 300 }), packTone(folder, { name: 'high-tone', hz: 1700 })],
    },
    folder,
  }
}

test('packagesOf() names each package of the recipes once, and downloadCommand() pins their versions', () => {
  assert.deepEqual(
    packages.map(({ name }) => name),
    ['asterisk-core-sounds-ru-g722', 'festvox-ru'],
  )
  assert.deepEqual(packagesOf([recordingRecipes[0]!, recordingRecipes[0]!]).length, 2)
  assert.deepEqual(downloadCommand(packages.slice(0, 1)), [
    'apt-get',
    'download',
    'asterisk-core-sounds-ru-g722=1.6.1-1',
  ])
  assert.equal(debName(packages[0]!), 'asterisk-core-sounds-ru-g722_1.6.1-1_all.deb')
})

test('findPackages() is blocked when packages are absent, with the line that downloads them', () => {
  const folder = scratch()
  assert.throws(
    () => findPackages(packages, folder),
    isError('blocked', /2 of 2 packages are absent\ncd .+ && apt-get download asterisk-core-sounds-ru-g722=1\.6\.1-1 /),
  )
})

test('findPackages() refuses a package that holds something else, and names both digests', () => {
  const folder = scratch()
  for (const one of packages) writeFileSync(join(folder, debName(one)), 'not the package')
  assert.throws(
    () => findPackages(packages, folder),
    isError('usage', new RegExp(`is [0-9a-f]{64}, not ${packages[0]!.sha256}`)),
  )
})

test(
  'a rebuild from packages gives the same files each time, and each difference is found',
  { skip: needsAll },
  async () => {
    const { recipe, folder } = ownRecipe()
    const found = findPackages(packagesOf([recipe]), folder)
    const [first, second] = [scratch(), scratch()]
    const decoded = await decodePrompts([recipe], found, placeAt(first))
    assert.deepEqual([...decoded.keys()], recipe.sources.map(promptKey))
    assert.ok(
      [...decoded.values()].every(samples => samples.length === 16_000 && samples.some(x => Math.abs(x) > 1000)),
    )
    assert.ok(!existsSync(join(first, 'unpacked')) && existsSync(join(first, 'logs/ffmpeg-low-tone.g722.log')))

    const made = buildAndCompare([recipe], decoded, { folder: first, shipped: second })
    assert.deepEqual(
      made.map(({ file, shippedSha256, same }) => [file, shippedSha256, same]),
      [
        ['mix_clean/tones.wav', null, false],
        ['s1/tones.wav', null, false],
        ['s2/tones.wav', null, false],
      ],
    )
    const again = buildAndCompare([recipe], await decodePrompts([recipe], found, placeAt(second)), {
      folder: second,
      shipped: first,
    })
    assert.deepEqual(
      again.map(({ same }) => same),
      [true, true, true],
    )

    const bytes = readFileSync(again[1]!.shipped)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(again[1]!.shipped, bytes)
    const spoilt = buildAndCompare([recipe], decoded, { folder: second, shipped: first })
    assert.deepEqual(
      spoilt.map(({ same }) => same),
      [true, false, true],
    )
    assert.deepEqual(
      replaceShipped(spoilt).map(({ same }) => same),
      [true, true, true],
    )
    assert.equal(sha256File(again[1]!.shipped), again[1]!.sha256)
    assert.equal(readWav(again[0]!.shipped).info.frames, 8000)
  },
)

test('replaceShipped() leaves alone what is the same', () => {
  const folder = scratch()
  for (const name of ['made.wav', 'shipped.wav']) writeFileSync(join(folder, name), 'sound')
  const file = {
    file: 's1/x.wav',
    made: join(folder, 'made.wav'),
    shipped: join(folder, 'absent.wav'),
    sha256: '',
    shippedSha256: null,
    same: true,
  }
  assert.equal(replaceShipped([file])[0]!.same, false)
  assert.ok(!existsSync(file.shipped))
  assert.deepEqual(
    replaceShipped([{ ...file, shipped: join(folder, 'shipped.wav') }]).map(({ same }) => same),
    [true],
  )
})

test('decodePrompts() refuses a prompt that is not in its package, or is another', { skip: needsAll }, async () => {
  const { recipe, folder } = ownRecipe()
  const [low, high] = recipe.sources
  const found = findPackages(packagesOf([recipe]), folder)
  const other = { ...recipe, sources: [{ ...low, file: 'absent.g722' }, high] as const }
  await assert.rejects(
    decodePrompts([other], found, placeAt(scratch())),
    isError('usage', /"absent\.g722" in low-tone_1\.0-1_all\.deb: it is not in usr\/share\/tones/),
  )
  const changed = { ...recipe, sources: [low, { ...high, sha256: low.sha256 }] as const }
  await assert.rejects(
    decodePrompts([changed], found, placeAt(scratch())),
    isError('usage', /high-tone\.g722": its SHA-256 is/),
  )
})

test(
  'decodePrompts() is blocked when a package cannot be unpacked, with what the program said',
  { skip: needsAll },
  async () => {
    const folder = scratch()
    const broken = join(folder, 'x_1_all.deb')
    writeFileSync(broken, 'this is no archive')
    const found = [{ name: 'x', version: '1', sha256: sha256File(broken), folder: 'usr', path: broken }]
    await assert.rejects(
      decodePrompts([], found, placeAt(scratch())),
      isError('blocked', /Cannot run "dpkg-deb -x .*exit code 2, .*(archive|truncated|magic|format)/),
    )
  },
)

test('decodePrompts() that is interrupted says so', { skip: needsAll }, async () => {
  const { recipe, folder } = ownRecipe()
  const found = findPackages(packagesOf([recipe]), folder)
  await assert.rejects(
    decodePrompts([recipe], found, { folder: scratch(), signal: AbortSignal.abort() }),
    isError('interrupted', /interrupted/),
  )
})

test('downloadPackages() is blocked when apt knows no such package', { skip: needsTool('apt-get') }, async () => {
  const unknown: RecordingPackage = { name: 'no-such-package-anywhere', version: '0.0', sha256: '', folder: '' }
  await assert.rejects(
    downloadPackages([unknown], placeAt(scratch())),
    isError('blocked', /exit code 100, E: .*no-such-package-anywhere.*\napt-get update, or .*--packages FOLDER/s),
  )
})

test('checkPrograms() names every program that is absent and how to get it', () => {
  checkPrograms(['sh'])
  assert.throws(
    () => checkPrograms(['sh', 'ffmpeg-nowhere', 'dpkg-nowhere']),
    isError('blocked', /ffmpeg-nowhere, dpkg-nowhere are not on PATH/),
  )
  const path = process.env.PATH
  process.env.PATH = scratch()
  try {
    assert.throws(
      () => checkPrograms(['dpkg-deb', 'ffmpeg']),
      isError('blocked', /dpkg-deb, ffmpeg are not on PATH\napt install ffmpeg; run it on Debian/),
    )
  } finally {
    process.env.PATH = path
  }
})

test('findPackages() takes packages by the name that apt gives them', { skip: needsAll }, () => {
  const { recipe, folder } = ownRecipe()
  const [low] = packagesOf([recipe])
  assert.equal(findPackages([low!], folder)[0]!.path, join(folder, 'low-tone_1.0-1_all.deb'))
  const elsewhere = scratch()
  copyFileSync(join(folder, debName(low!)), join(elsewhere, 'renamed.deb'))
  assert.throws(() => findPackages([low!], elsewhere), isError('blocked', /1 of 1 packages are absent/))
})
