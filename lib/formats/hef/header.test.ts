import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { RunbookError } from '../../base/errors.ts'
import { dataPath, needsData } from '../../testing/needs.ts'
import { encodeHefHeader, hefHeaderBytes } from '../../testing/hef/header.ts'
import { decodeHefHeader, type HefVersion } from './header.ts'

const versions = [0, 1, 2, 3] as const
const sizes = [32, 28, 44, 56] as const
const decode = (bytes: Uint8Array, fileBytes = bytes.length) => decodeHefHeader(bytes, { fileBytes, name: 'x.hef' })
const refuses = (bytes: Uint8Array, why: RegExp, hint = /./) =>
  assert.throws(
    () => decode(bytes),
    (error: unknown) => {
      assert.ok(error instanceof RunbookError && error.exit === 'usage', String(error))
      assert.match(error.message, why)
      assert.match(error.hint, hint)
      return error.message.startsWith('Cannot read "x.hef"')
    },
  )
/** A header by hand: `words` are hex of 4 or 8 bytes. */
const hand = (...words: readonly string[]) => Buffer.from(`01484546${words.join('')}`, 'hex')
const sample = (version: HefVersion) => ({
  version,
  protoBytes: 1000,
  ccwsBytes: version === 0 ? 0 : 300,
  paddingBytes: version === 3 ? 40 : 0,
  additionalBytes: version === 3 ? 24 : 0,
  digest: ['00112233445566778899aabbccddeeff', '00112233', '0011223344556677', '0011223344556677'][version]!,
  protoDigest: version === 3 ? 'fedcba9876543210' : null,
})

test('decodeHefHeader() reads each version as it lies in the file', () => {
  const zero = { ccwsBytes: 0, paddingBytes: 0, additionalBytes: 0, protoDigest: null, fileBytes: 600 }
  const v0 = hand('00000000', '00000100', 'deadbeef', '000102030405060708090a0b0c0d0e0f')
  assert.deepEqual(decode(v0, 600), {
    ...zero,
    version: 0,
    headerBytes: 32,
    protoBytes: 256,
    digestName: 'md5',
    digest: '000102030405060708090a0b0c0d0e0f',
    expectedBytes: 288,
  })
  const v1 = hand('00000001', '00000100', 'a1b2c3d4', '0000000000000020', '00000000')
  assert.deepEqual(decode(v1, 600), {
    ...zero,
    version: 1,
    headerBytes: 28,
    protoBytes: 256,
    ccwsBytes: 32,
    digestName: 'crc32',
    digest: 'a1b2c3d4',
    expectedBytes: 316,
  })
  const v2 = hand(
    '00000002',
    '00000100',
    'a1b2c3d4e5f60718',
    '0000000000000020',
    '0000000000000000',
    '0000000000000000',
  )
  assert.deepEqual(decode(v2, 600), {
    ...zero,
    version: 2,
    headerBytes: 44,
    protoBytes: 256,
    ccwsBytes: 32,
    digestName: 'xxh3-64',
    digest: 'a1b2c3d4e5f60718',
    expectedBytes: 332,
  })
  const v3 = hand(
    '00000003',
    '00000100',
    'a1b2c3d4e5f60718',
    '0000000000000020',
    '00000004',
    '0000000000000008',
    '1122334455667788',
    '0000000000000000',
  )
  assert.deepEqual(decode(v3, 600), {
    version: 3,
    headerBytes: 56,
    protoBytes: 256,
    ccwsBytes: 32,
    paddingBytes: 4,
    additionalBytes: 8,
    digestName: 'xxh3-64',
    digest: 'a1b2c3d4e5f60718',
    protoDigest: '1122334455667788',
    expectedBytes: 352,
    fileBytes: 600,
  })
})

test('decodeHefHeader() takes a digest of zero for none', () => {
  const v3 = hand(
    '00000003',
    '00000100',
    'a1b2c3d4e5f60718',
    '0000000000000020',
    '00000004',
    '0000000000000008',
    '0000000000000000',
    '0000000000000000',
  )
  assert.equal(decode(v3, 600).protoDigest, null)
})

test('encodeHefHeader() writes what decodeHefHeader() reads, in every version', () => {
  for (const version of versions) {
    const bytes = encodeHefHeader(sample(version))
    assert.equal(bytes.length, sizes[version])
    assert.equal(bytes.length, hefHeaderBytes(version))
    const { headerBytes: _, digestName: __, expectedBytes, fileBytes: ___, ...read } = decode(bytes)
    assert.deepEqual(read, sample(version))
    assert.equal(expectedBytes, sizes[version] + 1000 + (version === 0 ? 0 : 300) + (version === 3 ? 24 : 0))
  }
})

test('decodeHefHeader() says both lengths at every cut of every header', () => {
  for (const version of versions) {
    const whole = encodeHefHeader(sample(version))
    for (let length = 4; length < whole.length; length++) {
      const wanted = length < 12 ? 12 : whole.length
      refuses(
        whole.subarray(0, length),
        new RegExp(`it is truncated: its header takes ${wanted} bytes, and the file has ${length}$`),
        /sha256sum/,
      )
    }
    for (let length = 1; length < 4; length++) refuses(whole.subarray(0, length), /begins with 01/)
  }
})

test('decodeHefHeader() refuses versions that nobody has written', () => {
  refuses(hand('00000004', '00000100', '00'.repeat(80)), /its header has version 4, and the known ones are 0 to 3/)
  refuses(hand('ffffffff', '00000100', '00'.repeat(80)), /its header has version 4294967295/)
})

test('decodeHefHeader() refuses lengths that contradict themselves', () => {
  const v1 = (proto: string, ccws: string) => hand('00000001', proto, 'a1b2c3d4', ccws, '00000000')
  refuses(v1('00000100', 'ffffffffffffffff'), /its header asks for 18446744073709552000 bytes, and the file has 28/)
  refuses(v1('00000000', '0000000000000020'), /leaves no room for a description/)
  refuses(v1('80000000', '0000000000000020'), /its description has 2147483648 bytes, and protobuf ends at 2 GiB/)
  const padded = encodeHefHeader({ ...sample(3), paddingBytes: 301 })
  refuses(padded, /301 bytes of padding in 300 of configuration/)
})

test('decodeHefHeader() names what was given instead of a HEF', () => {
  const says = (text: string, why: RegExp, hint = /./) => refuses(Buffer.from(text, 'latin1'), why, hint)
  says('', /^Cannot read "x\.hef" as a HEF: it is empty$/)
  says(
    'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3503356\n',
    /as a HEF: it is a git-lfs pointer$/,
    /git lfs pull/,
  )
  says('<!DOCTYPE html>\n<html>', /it is a web page/, /raw/)
  says('{\n  "mock_hef": true,\n', /calls itself "mock_hef": a placeholder, not a compiled model/, /vendor's compiler/)
  says('{"name": "yolo"}', /it is JSON/)
  says('DUMMY_HEF_CONTENT_1\n', /a placeholder text that begins "DUMMY_HEF_CONTENT_1"/)
  says('Not Found\n', /it is a text that begins "Not Found"/)
  says('PK\x03\x04\x14\0', /it is a zip archive/)
  says('ftrt\0\0\0\0', /it is a TensorRT plan/, /tensorrt/)
  says('FEH\x01\0\0\0\0', /it begins with 46454801, and a HEF with 01484546/)
})

test('encodeHefHeader() gives back the header of every real file byte for byte', { skip: needsData('hef') }, () => {
  for (const name of ['arcface_mobilefacenet', 'h10h_mspn_regnetx_800mf', 'mnist_cnn_0cd51b2', 'mnist_cnn_bf0ae4d']) {
    const bytes = readFileSync(dataPath(`hef/${name}.hef`))
    const header = decodeHefHeader(bytes, { fileBytes: bytes.length, name })
    assert.deepEqual(Buffer.from(encodeHefHeader(header)), bytes.subarray(0, header.headerBytes), name)
  }
})
