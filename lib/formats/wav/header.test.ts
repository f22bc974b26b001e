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
  const info = {
    sampleRate: 16000,
    channels: 1,
    encoding: 'pcm16',
    frames: 4,
    durationS: 4 / 16000,
    warnings: [],
  } as const
  assert.deepEqual(layout(riff([fmt(), chunk('data', eight)])), {
    info,
    dataAt: 44,
    frameBytes: 2,
    scale: 1,
    isBig: false,
  })
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

test('wavLayoutOf() takes the first of two data chunks or of two joined files, and says what it leaves', () => {
  const two = layout(riff([fmt(), chunk('data', eight), chunk('LIST', eight), chunk('data', new Uint8Array(100))]))
  assert.equal(two.dataAt, 44)
  assert.match(two.info.warnings.join(), /108 bytes follow the data, with other sound in them \(data\)/)
  const whole = riff([fmt(), chunk('data', eight)])
  assert.match(layout(Buffer.concat([whole, whole, whole])).info.warnings.join(), /104 bytes follow.*\(RIFF\)/)
  assert.match(layout(Buffer.concat([whole, new Uint8Array(40)])).info.warnings.join(), /40 bytes follow.*no chunk/)
  const described = riff([fmt(), chunk('data', eight), chunk('LIST', eight), chunk('id3 ', new Uint8Array(5))])
  assert.deepEqual(layout(described).info.warnings, [])
})

test('wavLayoutOf() reads to the end of the file when a pipe left the length open', () => {
  const round = [2e9, 1e9, 1.5e9, 1e9 - 36, 2 ** 28, 2 ** 30, 0xffff_ffff - 36, 0xffff_ff00, 0x7fff_ffff - 44]
  for (const bytes of [0xffff_ffff, 0x7fff_f000, 0x7fff_ffff, 0x8000_0000, ...round]) {
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

test('wavLayoutOf() reads lengths that count a header, with a warning, and refuses what is longer', () => {
  for (const over of [8, 36, 44, 64]) {
    const { info } = layout(riff([fmt(), chunk('data', new Uint8Array(400), 400 + over)], { bytes: 436 + 4 + over }))
    assert.equal(info.frames, 200, String(over))
    assert.match(info.warnings.join(), new RegExp(`${over} bytes too long`))
  }
  const whole = layout(riff([fmt(), chunk('data', new Uint8Array(400), 500)]))
  assert.equal(whole.info.frames, 200, 'the RIFF length is that of the file')
  const behind = [chunk('JUNK', new Uint8Array(100)), fmt()]
  assert.equal(layout(riff([...behind, chunk('data', new Uint8Array(400), 552)], { bytes: 696 })).info.frames, 200)
  refuses(riff([fmt(), chunk('data', new Uint8Array(400), 500)], { bytes: 536 }), /cut short/)
})

test('wavLayoutOf() reads a data length of 0 to the end when the RIFF length is whole and no chunk follows', () => {
  const sound = Buffer.from(Array.from({ length: 80 }, (_, i) => (i % 2 ? 3 : 250)))
  const bytes = riff([fmt(), chunk('data', sound, 0)])
  assert.equal(layout(bytes).info.frames, 40)
  assert.match(layout(bytes).info.warnings.join(), /data length is 0/)
})

test('wavLayoutOf() reads on past 4 GiB when the length has wrapped', () => {
  const front = riff([fmt(), chunk('data', new Uint8Array(0), 1000)])
  const source: WavSource = {
    path: 'x.wav',
    fileBytes: 44 + 1000 + 2 ** 32,
    at: (position, length) => (position < 44 ? front.subarray(position, position + length) : Buffer.alloc(length, 255)),
  }
  const { info } = wavLayoutOf(source)
  assert.equal(info.frames, (1000 + 2 ** 32) / 2)
  assert.match(info.warnings.join(), /wrapped at 4 GiB/)
})

test('wavLayoutOf() needs no block align, and says that it was wrong', () => {
  const sound = Buffer.from(Array.from({ length: 96 }, (_, i) => (i * 37 + 5) & 255))
  for (const frameBytes of [0, 1, 3, 4, 6, 16, 0xffff]) {
    const { info } = layout(riff([fmt({ frameBytes }), chunk('data', sound)]))
    assert.deepEqual([info.frames, info.encoding], [48, 'pcm16'], String(frameBytes))
    assert.match(info.warnings.join(), new RegExp(`says ${frameBytes} bytes a frame`))
  }
  assert.equal(layout(riff([fmt({ channels: 2, frameBytes: 2 }), chunk('data', sound)])).info.frames, 24)
})

test('wavLayoutOf() reads samples narrower than their container, at either end of it', () => {
  const values = Array.from({ length: 24 }, (_, i) => (i - 12) * 150)
  const wide = (shift: number, bytes: number) => {
    const content = Buffer.alloc(values.length * bytes)
    for (const [i, value] of values.entries()) content.writeIntLE(value * 2 ** shift, i * bytes, bytes)
    return chunk('data', content)
  }
  const read = (bits: number, frameBytes: number, data: Buffer) => {
    const { info, scale } = layout(riff([fmt({ bits, frameBytes }), data]))
    return [info.encoding, info.frames, scale]
  }
  assert.deepEqual(read(12, 2, wide(4, 2)), ['pcm16', 24, 1])
  assert.deepEqual(read(20, 3, wide(4, 3)), ['pcm24', 24, 1])
  assert.deepEqual(read(24, 4, wide(8, 4)), ['pcm32', 24, 1])
  assert.deepEqual(read(24, 4, wide(0, 4)), ['pcm32', 24, 256])
  assert.deepEqual(read(16, 4, wide(16, 4)), ['pcm32', 24, 1])
  assert.deepEqual(read(16, 3, wide(0, 3)), ['pcm24', 24, 256])
})

test('wavLayoutOf() finds the samples behind an odd chunk without its byte of padding, and behind an ID3 tag', () => {
  const odd = chunk('LIST', new Uint8Array(7)).subarray(0, 15)
  assert.equal(layout(riff([fmt(), odd, chunk('data', eight)])).info.frames, 4)
  const tag = Buffer.concat([Buffer.from('ID3\x04\0\0\0\0\x01\x02', 'latin1'), Buffer.alloc(130)])
  const tagged = layout(Buffer.concat([tag, riff([fmt(), chunk('data', eight)])]))
  assert.deepEqual([tagged.info.frames, tagged.dataAt], [4, 184])
  assert.match(tagged.info.warnings.join(), /ID3 tag of 140 bytes/)
  refuses(Buffer.concat([tag, Buffer.from('\xff\xfb\x90\x64', 'latin1')]), /it is an MP3/)
})

test('wavLayoutOf() reads RIFX, whose numbers have the high byte first', () => {
  const bytes = Buffer.from(riff([fmt({ channels: 2 }), chunk('data', eight)]))
  bytes.write('RIFX', 'latin1')
  for (const [at, length] of [
    [4, 4],
    [16, 4],
    [20, 2],
    [22, 2],
    [24, 4],
    [28, 4],
    [32, 2],
    [34, 2],
    [40, 4],
  ] as const)
    bytes.subarray(at, at + length).reverse()
  const { info, isBig } = layout(bytes)
  assert.deepEqual([info.frames, info.channels, info.sampleRate, isBig], [2, 2, 16000, true])
})

test('wavLayoutOf() names another format and gives the command', () => {
  const command = /^ffmpeg -i "x\.wav" -ac 1 -ar 16000 y\.wav$/
  refuses(Buffer.from('ID3\x04\0\0\0\0\0\0'), /it is an MP3, not a WAV/, command)
  refuses(Buffer.from('fLaC\0\0\0\x22'), /it is FLAC, not a WAV/, command)
  refuses(Buffer.from('OggS\0\x02'), /it is Ogg/, command)
  refuses(Buffer.from('0&\xb2u\x8ef\xcf\x11', 'latin1'), /it is Windows Media/, command)
  refuses(Buffer.from('\x0b\x77\0\0', 'latin1'), /it is AC-3/, command)
  const raw = /^ffmpeg -f s16le -ar 16000 -ac 1 -i "x\.wav" y\.wav, with the format/
  refuses(Buffer.from([1, 2, 3]), /no header says what it is/, raw)
  refuses(Buffer.from('RIFF'), /no header/, raw)
  for (const bytes of [
    [0x80, 0x86, 0x8c, 0x91],
    [0x80, 0x8d, 0x9a, 0xa7],
    [0xd5, 0x55, 0xd4, 0x54],
  ])
    refuses(Buffer.from(Array.from({ length: 64 }, (_, i) => bytes[i % 4]!)), /no header/, raw)
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
  refuses(riff([fmt({ bits: 0, frameBytes: 2 }), data]), /0-bit PCM/)
  refuses(riff([fmt({ bits: 48 }), data]), /48-bit PCM/)
  refuses(riff([fmt({ tag: 3, bits: 16 }), data]), /16-bit float/)
  const names = { 2: 'Microsoft ADPCM', 17: 'IMA ADPCM', 49: 'GSM 6.10', 80: 'MPEG', 85: 'MP3', 0x45: 'G.726 ADPCM' }
  for (const [tag, name] of Object.entries({ ...names, 0x161: 'Windows Media', 0xff: 'AAC', 0x704f: 'Opus' }))
    refuses(riff([fmt({ tag: Number(tag), bits: 4 }), data]), new RegExp(`compressed \\(${name}`))
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
