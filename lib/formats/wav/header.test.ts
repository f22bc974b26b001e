import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { RunbookError } from '../../base/errors.ts'
import { wavLayoutOf, type WavSource } from './header.ts'

/** A chunk with its padding; `bytes` may lie about its length. */
function chunk(id: string, content: Uint8Array, bytes = content.length): Buffer {
  const head = Buffer.alloc(8)
  head.write(id, 'latin1')
  head.writeUInt32LE(bytes, 4)
  return Buffer.concat([head, content, Buffer.alloc(content.length & 1)])
}
interface FormatFields {
  tag?: number
  channels?: number
  rate?: number
  bits?: number
  frameBytes?: number
  guid?: string
}
function fmt({ tag = 1, channels = 1, rate = 16000, bits = 16, guid = '', ...rest }: FormatFields = {}): Buffer {
  const { frameBytes = (channels * bits) / 8 } = rest
  const content = Buffer.alloc(guid === '' ? 16 : 40)
  content.writeUInt16LE(tag, 0)
  content.writeUInt16LE(channels, 2)
  content.writeUInt32LE(rate, 4)
  content.writeUInt32LE(Math.min(0xffff_ffff, rate * frameBytes), 8)
  content.writeUInt16LE(frameBytes, 12)
  content.writeUInt16LE(bits, 14)
  if (guid !== '') {
    content.writeUInt16LE(22, 16)
    content.write(guid, 24, 'hex')
  }
  return chunk('fmt ', content)
}
function riff(
  chunks: readonly Uint8Array[],
  { container = 'RIFF', bytes }: { container?: string; bytes?: number } = {},
): Buffer {
  const body = Buffer.concat(chunks)
  const head = Buffer.alloc(12)
  head.write(container, 0, 'latin1')
  head.writeUInt32LE(bytes ?? body.length + 4, 4)
  head.write('WAVE', 8, 'latin1')
  return Buffer.concat([head, body])
}
function ds64(dataBytes: bigint): Buffer {
  const content = Buffer.alloc(28)
  content.writeBigUInt64LE(dataBytes, 8)
  return chunk('ds64', content)
}
const sourceOf = (bytes: Buffer): WavSource => ({
  path: 'x.wav',
  fileBytes: bytes.length,
  at: (position, length) => bytes.subarray(position, position + length),
})
const layout = (bytes: Buffer) => wavLayoutOf(sourceOf(bytes))
const refuses = (bytes: Buffer, why: RegExp, hint = /ffmpeg -i "x\.wav"/) =>
  assert.throws(
    () => layout(bytes),
    (error: unknown) => {
      assert.ok(error instanceof RunbookError && error.exit === 'usage', String(error))
      assert.match(error.message, why)
      assert.match(error.hint, hint)
      return error.message.startsWith('Cannot read "x.wav": ')
    },
  )
const eight = new Uint8Array(8)
const guidOf = (tag: string) => `${tag}000000001000800000aa00389b71`

test('wavLayoutOf() says what the header says and where the samples lie', () => {
  const info = { sampleRate: 16000, channels: 1, encoding: 'pcm16', frames: 4, durationS: 4 / 16000 } as const
  assert.deepEqual(layout(riff([fmt(), chunk('data', eight)])), { info, dataAt: 44, frameBytes: 2 })
})

test('wavLayoutOf() knows every encoding by its tag and width', () => {
  const known = {
    '1/8': 'pcm8',
    '1/16': 'pcm16',
    '1/24': 'pcm24',
    '1/32': 'pcm32',
    '3/32': 'float32',
    '3/64': 'float64',
    '6/8': 'alaw',
    '7/8': 'mulaw',
  }
  for (const [key, encoding] of Object.entries(known)) {
    const [tag, bits] = key.split('/').map(Number) as [number, number]
    const bytes = riff([fmt({ tag, bits, channels: 2 }), chunk('data', new Uint8Array(bits * 2))])
    assert.deepEqual([layout(bytes).info.encoding, layout(bytes).info.frames], [encoding, 8])
  }
})

test('wavLayoutOf() reads WAVE_FORMAT_EXTENSIBLE, and refuses a GUID of something else', () => {
  const pcm = guidOf('0100')
  assert.equal(layout(riff([fmt({ tag: 0xfffe, guid: pcm }), chunk('data', eight)])).info.encoding, 'pcm16')
  const float = guidOf('0300')
  assert.equal(
    layout(riff([fmt({ tag: 0xfffe, bits: 32, guid: float }), chunk('data', eight)])).info.encoding,
    'float32',
  )
  refuses(
    riff([fmt({ tag: 0xfffe, guid: '010000002107d3118644c8c1ca000000' }), chunk('data', eight)]),
    /extensible format/,
  )
  refuses(riff([fmt({ tag: 0xfffe }), chunk('data', eight)]), /extensible format ""/)
})

test('wavLayoutOf() finds the chunks in any order, past others and past odd ones', () => {
  const list = chunk('LIST', Buffer.from('INFOISFT\x05\0\0\0Lavf\0'))
  const odd = chunk('junk', new Uint8Array(3))
  assert.equal(layout(riff([odd, list, fmt(), odd, chunk('data', eight)])).info.frames, 4)
  const reversed = layout(riff([chunk('data', new Uint8Array(7)), list, fmt()]))
  assert.deepEqual([reversed.dataAt, reversed.info.frames], [20, 3])
})

test('wavLayoutOf() takes the first of two data chunks', () => {
  assert.equal(layout(riff([fmt(), chunk('data', eight), chunk('data', new Uint8Array(100))])).dataAt, 44)
})

test('wavLayoutOf() reads to the end of the file when a pipe left the length open', () => {
  for (const bytes of [0xffff_ffff, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000]) {
    assert.equal(
      layout(riff([fmt(), chunk('data', eight, bytes)], { bytes: 0xffff_ffff })).info.frames,
      4,
      String(bytes),
    )
  }
  for (const riffBytes of [0, 36, 0xffff_ffff]) {
    assert.equal(layout(riff([fmt(), chunk('data', eight, 0)], { bytes: riffBytes })).info.frames, 4, String(riffBytes))
  }
})

test('wavLayoutOf() refuses a recording without a sample, and does not read the chunks after it as sound', () => {
  refuses(riff([fmt(), chunk('data', new Uint8Array(0))]), /it holds no sample/, /record it again/)
  refuses(riff([fmt(), chunk('data', new Uint8Array(0)), chunk('LIST', eight)]), /it holds no sample/, /record/)
  refuses(riff([fmt({ bits: 32 }), chunk('data', new Uint8Array(3))]), /it holds no sample/, /record/)
})

test('wavLayoutOf() refuses a file that was cut short, with both numbers', () => {
  refuses(
    riff([fmt(), chunk('data', eight, 32000)]),
    /promises 32000 bytes \(16000 frames\), and 8 bytes \(4 frames\) are/,
  )
  const none = chunk('data', new Uint8Array(0), 100)
  refuses(riff([fmt({ channels: 2 }), none]), /100 bytes \(25 frames\), and 0 bytes \(0 frames\)/)
})

test('wavLayoutOf() reads the 64-bit length of RF64 and BW64', () => {
  for (const container of ['RF64', 'BW64']) {
    const whole = riff([ds64(6n), fmt(), chunk('data', eight, 0xffff_ffff)], { container, bytes: 0xffff_ffff })
    assert.equal(layout(whole).info.frames, 3)
  }
  const short = riff([ds64(2n ** 33n), fmt(), chunk('data', eight, 0xffff_ffff)], {
    container: 'RF64',
    bytes: 0xffff_ffff,
  })
  refuses(short, /promises 8589934592 bytes/)
  const open = riff([ds64(2n ** 64n - 1n), fmt(), chunk('data', eight, 0xffff_ffff)], {
    container: 'RF64',
    bytes: 0xffff_ffff,
  })
  assert.equal(layout(open).info.frames, 4)
})

test('wavLayoutOf() names another format and gives the command', () => {
  const command = /^ffmpeg -i "x\.wav" -ac 1 -ar 16000 y\.wav$/
  refuses(Buffer.from('ID3\x04\0\0\0\0\0\0'), /it is an MP3, not a WAV/, command)
  refuses(Buffer.from('fLaC\0\0\0\x22'), /it is FLAC, not a WAV/, command)
  refuses(Buffer.from('OggS\0\x02'), /it is Ogg/, command)
  refuses(riff([fmt(), chunk('data', eight)], { container: 'RIFX' }), /big-endian WAV \(RIFX\)/, command)
  refuses(Buffer.from([1, 2, 3]), /: it is not a WAV$/, command)
  refuses(Buffer.from('RIFF'), /: it is not a WAV$/, command)
})

test('wavLayoutOf() does not send a text to ffmpeg', () => {
  refuses(Buffer.from('a list of files\n'), /it is text/, /^name a WAV file$/)
  refuses(Buffer.from('version https://git-lfs.github.com/spec/v1\n'), /git-lfs pointer/, /^git lfs pull$/)
  refuses(Buffer.alloc(0), /it is empty/, /record/)
})

test('wavLayoutOf() refuses an absurd header', () => {
  const data = chunk('data', eight)
  refuses(riff([fmt({ channels: 0, frameBytes: 2 }), data]), /0 channels/)
  refuses(riff([fmt({ rate: 0 }), data]), /0 Hz/)
  refuses(riff([fmt({ channels: 2, frameBytes: 2 }), data]), /2 bytes a frame, and 2 channels of 16 bits take 4/)
  refuses(riff([fmt({ bits: 12 }), data]), /12-bit PCM, which is not read here/)
  refuses(riff([fmt({ tag: 17, bits: 4 }), data]), /4-bit IMA ADPCM/)
  refuses(riff([fmt({ tag: 0x1234 }), data]), /format 0x1234/)
})

test('wavLayoutOf() says which chunk is absent', () => {
  refuses(riff([chunk('data', eight)]), /it has no fmt chunk in its 28 bytes/)
  refuses(riff([fmt()]), /it has no data chunk in its 36 bytes/)
  refuses(riff([chunk('fmt ', eight), chunk('data', eight)]), /its fmt chunk holds 8 bytes/)
  refuses(riff([]), /no fmt chunk/)
})

test('wavLayoutOf() refuses a file of zeros or of empty chunks in bounded time', () => {
  refuses(riff([new Uint8Array(1 << 20)]), /no chunk begins at byte 12/)
  refuses(
    riff(Array.from({ length: 5000 }, () => chunk('junk', new Uint8Array(0)))),
    /its first 4096 chunks hold no samples/,
  )
})

test('wavLayoutOf() of changed or cut bytes is a layout within the file or one operating error', () => {
  const plain = riff([fmt(), chunk('LIST', eight), chunk('data', eight)])
  const extensible = fmt({ tag: 0xfffe, guid: guidOf('0100') })
  const long = riff([ds64(8n), extensible, chunk('data', eight, 0xffff_ffff)], { container: 'RF64' })
  const change = fc.record({ at: fc.nat(200), byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff)) })
  fc.assert(
    fc.property(fc.constantFrom(plain, long), fc.array(change, { maxLength: 5 }), fc.nat(200), (file, changes, cut) => {
      const bytes = Buffer.from(file.subarray(0, file.length - (cut > 150 ? cut - 150 : 0)))
      for (const { at, byte } of changes) bytes[at % bytes.length] = byte
      try {
        const { info, dataAt, frameBytes } = layout(bytes)
        assert.ok(info.frames > 0 && dataAt + info.frames * frameBytes <= bytes.length)
      } catch (error) {
        if (!(error instanceof RunbookError)) throw error
      }
    }),
    { numRuns: 3000 },
  )
})
