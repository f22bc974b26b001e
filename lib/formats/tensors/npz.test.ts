import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import fc from 'fast-check'
import { zipSync } from 'fflate'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { encodeNpy } from './npy.ts'
import { decodeNpz, readNpz, writeNpz } from './npz.ts'
import { float32, type Tensor } from './tensor.ts'

const spaces = (n: number) => '20'.repeat(n)
/**
 * What numpy 2.4 wrote for `np.savez(f, a=np.array([1.5, -2], '<f4'), x=np.array([{}], dtype=object))`. Its local
 * headers are in zip64 form while its directory is not.
 */
const fromNumpy = Buffer.from(
  [
    '504b03042d000000000000002100d6434b05ffffffffffffffff05001400612e6e707901001000880000000000000088000000000000',
    '00934e554d5059010076007b276465736372273a20273c6634272c2027666f727472616e5f6f72646572273a2046616c73652c202773',
    '68617065273a2028322c292c207d',
    spaces(60),
    '0a0000c03f000000c0504b03042d0000000000000021000af4ec7affffffffffffffff05001400782e6e707901001000160100000000',
    '00001601000000000000934e554d5059010076007b276465736372273a20277c4f272c2027666f727472616e5f6f72646572273a2046',
    '616c73652c20277368617065273a2028312c292c207d',
    spaces(61),
    '0a8004958b000000000000008c166e756d70792e5f636f72652e6d756c74696172726179948c0c5f7265636f6e737472756374949394',
    '8c056e756d7079948c076e6461727261799493944b0085944301629487945294284b014b01859468038c0564747970659493948c024f',
    '3894898887945294284b038c017c944e4e4e4affffffff4affffffff4b3f749462895d947d94617494622e504b01022d032d00000000',
    '0000002100d6434b058800000088000000050000000000000000000000800100000000612e6e7079504b01022d032d00000000000000',
    '21000af4ec7a16010000160100000500000000000000000000008001bf000000782e6e7079504b05060000000002000200660000000c',
    '0200000000',
  ].join(''),
  'hex',
)
const two = {
  weight: float32([2, 2], [1, 2, 3, 4]),
  bias: { dtype: 'int64', shape: [1], data: BigInt64Array.of(-5n) },
} satisfies Record<string, Tensor>

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'rungbook-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}
const isUsage = (why: RegExp) => (error: unknown) =>
  error instanceof RunbookError && error.exit === 'usage' && error.hint !== '' && why.test(error.message)
const isBlocked = (error: unknown) => error instanceof RunbookError && error.exit === 'blocked'
const refuses = (bytes: Uint8Array, why: RegExp) => assert.throws(() => decodeNpz(bytes, 'dir/x.npz'), isUsage(why))
const deflated = () => Buffer.from(zipSync({ 'a.npy': encodeNpy(float32([64], new Float32Array(64))) }))
/** Where the directory's first entry and the end record of a zip begin. */
const directoryAt = (zip: Buffer) => zip.indexOf('PK\x01\x02', 0, 'latin1')
const endAt = (zip: Buffer) => zip.lastIndexOf('PK\x05\x06', undefined, 'latin1')

test('decodeNpz() reads what numpy wrote, and lists the pickled array that it refuses to read', () => {
  const entries = decodeNpz(fromNumpy, 'dir/calibration.npz')
  assert.deepEqual([...entries.keys()], ['a', 'x'])
  assert.deepEqual(entries.get('a')!.tensor(), float32([2], [1.5, -2]))
  const why = /^Cannot read "calibration\.npz\/x\.npy": the array is a pickled Python object/
  assert.throws(() => entries.get('x')!.tensor(), isUsage(why))
})

test('readNpz() reads back what writeNpz() wrote', async t => {
  const path = join(folder(t), 'new', 'w.npz')
  await writeNpz(path, two)
  const entries = await readNpz(path)
  assert.deepEqual(
    [...entries].map(([name, entry]) => [name, entry.tensor()]),
    Object.entries(two),
  )
  assert.deepEqual(
    [...entries.values()].map(entry => entry.name),
    ['weight', 'bias'],
  )
})

test('writeNpz() writes the same bytes every time and in every time zone', async t => {
  const path = join(folder(t), 'w.npz')
  const zone = process.env.TZ
  t.after(() => void (zone === undefined ? delete process.env.TZ : (process.env.TZ = zone)))
  const files: Buffer[] = []
  for (const name of ['UTC', 'Asia/Tokyo', 'America/New_York']) {
    process.env.TZ = name
    await writeNpz(path, two)
    files.push(readFileSync(path))
  }
  assert.deepEqual(files[1], files[0])
  assert.deepEqual(files[2], files[0])
})

test('writeNpz() refuses an array without a name or against its own shape, and leaves no file', async t => {
  const path = join(folder(t), 'w.npz')
  await assert.rejects(writeNpz(path, { '': two.weight }), isUsage(/no name/))
  const odd: Tensor = { dtype: 'int8', shape: [3], data: new Int8Array(2) }
  await assert.rejects(writeNpz(path, { odd }), isUsage(/its data is a Int8Array of 2/))
  await assert.rejects(readNpz(path), isBlocked)
})

test('writeNpz() keeps names that mean something to JavaScript', async t => {
  const path = join(folder(t), 'w.npz')
  await writeNpz(
    path,
    Object.fromEntries([
      ['__proto__', two.weight],
      ['toString', two.bias],
      ['a/b.weight', two.bias],
    ]),
  )
  assert.deepEqual([...(await readNpz(path)).keys()], ['__proto__', 'toString', 'a/b.weight'])
})

test('decodeNpz() reads deflated entries, and an empty archive', () => {
  assert.deepEqual(decodeNpz(deflated()).get('a')!.tensor().shape, [64])
  assert.equal(decodeNpz(zipSync({})).size, 0)
})

test('decodeNpz() reads an archive with a comment, also one that holds the mark of an end', () => {
  const zip = deflated()
  const comment = Buffer.from('PK\x05\x06 is how it ends, they say', 'latin1')
  zip.writeUInt16LE(comment.length, endAt(zip) + 20)
  assert.equal(decodeNpz(Buffer.concat([zip, comment])).size, 1)
})

test('decodeNpz() refuses what is no archive, and names it', () => {
  refuses(new Uint8Array(0), /"dir\/x\.npz": it is empty/)
  refuses(Buffer.from('just a text that is longer than an end record'), /it is not an \.npz archive/)
  refuses(encodeNpy(two.weight), /it is a single \.npy array/)
})

test('decodeNpz() refuses an archive that was cut short, wherever', () => {
  for (let length = 0; length < fromNumpy.length; length += 7) {
    assert.throws(() => decodeNpz(fromNumpy.subarray(0, length)), RunbookError, `${length} bytes`)
  }
  refuses(fromNumpy.subarray(0, 400), /it has no directory at its end/)
  refuses(fromNumpy.subarray(100), /its directory lies at/)
})

test('decodeNpz() refuses zip64', () => {
  const open = deflated()
  open.writeUInt32LE(0xffff_ffff, endAt(open) + 16)
  refuses(open, /zip64/)
  const large = deflated()
  large.writeUInt32LE(0xffff_ffff, directoryAt(large) + 24)
  refuses(large, /"a\.npy" is in zip64 form/)
  const zip = deflated()
  const locator = Buffer.concat([Buffer.from('PK\x06\x07', 'latin1'), Buffer.alloc(16)])
  refuses(Buffer.concat([zip.subarray(0, endAt(zip)), locator, zip.subarray(endAt(zip))]), /zip64/)
})

test('decodeNpz() refuses an array that is named twice', () => {
  const zip = Buffer.from(zipSync({ 'a.npy': encodeNpy(two.weight), 'b.npy': encodeNpy(two.bias) }))
  zip.write('a', zip.lastIndexOf('b.npy'), 'latin1')
  refuses(zip, /it names "a" twice/)
})

test('decodeNpz() refuses encryption and several volumes', () => {
  const secret = deflated()
  secret.writeUInt16LE(1, directoryAt(secret) + 8)
  refuses(secret, /encrypted/)
  const volumes = deflated()
  volumes.writeUInt16LE(2, endAt(volumes) + 4)
  refuses(volumes, /one volume of several/)
})

/** Asks for the array of an archive after a change to its directory's only entry. */
function broken(change: (zip: Buffer, entry: number) => void): () => Tensor {
  const zip = deflated()
  change(zip, directoryAt(zip))
  return () => decodeNpz(zip).get('a')!.tensor()
}
test('tensor() refuses an entry whose bytes, length, method or place are wrong', () => {
  assert.throws(
    broken((zip, at) => zip.writeUInt8(zip.readUInt8(at + 16) ^ 1, at + 16)),
    isUsage(/its checksum is wrong/),
  )
  assert.throws(
    broken((zip, at) => zip.writeUInt32LE(100, at + 24)),
    isUsage(/does not inflate to 100 bytes/),
  )
  assert.throws(
    broken((zip, at) => zip.writeUInt32LE(4000, at + 24)),
    isUsage(/it holds 384 bytes, and the directory says 4000/),
  )
  assert.throws(
    broken((zip, at) => zip.writeUInt16LE(12, at + 10)),
    isUsage(/compressed by method 12/),
  )
  assert.throws(
    broken((zip, at) => zip.writeUInt32LE(5, at + 42)),
    isUsage(/not where the directory says/),
  )
  assert.throws(
    broken((zip, at) => zip.writeUInt32LE(3, at + 20)),
    isUsage(/does not inflate/),
  )
})

test('tensor() refuses an entry that is no array', () => {
  const note = decodeNpz(zipSync({ 'note.txt': Buffer.from('hello') })).get('note.txt')!
  assert.throws(() => note.tensor(), isUsage(/note\.txt": it is not a \.npy array/))
})

test('decodeNpz() of changed bytes is a map or one operating error, never anything else', () => {
  const files = [fromNumpy, deflated()]
  const change = fc.record({ at: fc.nat(10_000), byte: fc.nat(255) })
  fc.assert(
    fc.property(fc.constantFrom(...files), fc.array(change, { minLength: 1, maxLength: 4 }), (file, changes) => {
      const bytes = Buffer.from(file)
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      try {
        for (const entry of decodeNpz(bytes).values()) entry.tensor()
      } catch (error) {
        if (!(error instanceof RunbookError)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})

const mixtures = 'convtasnet/calibration_1000ms_16k_64.npz'
test('readNpz() reads a real calibration archive of 64 mixtures', { skip: needsData(mixtures) }, async () => {
  const entries = await readNpz(dataPath(mixtures))
  const calibration = entries.get('calib_data')!.tensor()
  assert.equal(calibration.dtype, 'float32')
  assert.deepEqual(calibration.shape, [64, 16000])
  assert.ok(
    (calibration.data as Float32Array).every(value => Math.abs(value) <= 2),
    'sound at full scale',
  )
  assert.throws(() => entries.get('selected_paths')!.tensor(), isUsage(/pickled/))
  assert.deepEqual(entries.get('sample_rate')!.tensor().data, Int32Array.of(16000))
})

test('readNpz() blocks when the file is absent, and says so when it is a text', async t => {
  const path = join(folder(t), 'x.npz')
  await assert.rejects(readNpz(path), isBlocked)
  writeFileSync(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:0\n')
  await assert.rejects(readNpz(path), isUsage(/it is not an \.npz archive/))
})

test('decodeNpz() refuses an array that would inflate out of all measure, before it does', () => {
  const zip = deflated()
  const at = directoryAt(zip)
  zip.writeUInt32LE(3_100_000_000, at + 24)
  assert.throws(() => decodeNpz(zip, 'x.npz').get('a')!.tensor(), isUsage(/would inflate to 3100000000/))
})
