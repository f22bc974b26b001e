/**
 * Lists the files of a tar archive, and refuses what an archive may use to write or read outside itself.
 *
 * Understood: ustar, GNU long names, pax headers for path and size, sizes in base 256. Links, devices and names that
 * leave the archive are refused; folders are passed over. Only headers are read, so a file of gigabytes costs nothing.
 * Source: paper: POSIX.1-1988 ustar and POSIX.1-2001 pax, GNU tar manual "Basic Tar Format".
 */
import { usageError } from '../../base/errors.ts'
import { partSource, type ByteSource } from '../byte-source.ts'

const block = 512
const entriesMax = 10_000
const headerTextMax = 1 << 20
const again = 'the archive was cut short or damaged: copy or download it again'

/**
 * The files of the archive by name, without a leading `./`, in the archive's order.
 * @throws RunbookError usage when it is no tar, is cut short, or holds a link, a device, one name twice or a name that
 *   leaves it
 */
export function readTar(source: ByteSource): Map<string, ByteSource> {
  const files = new Map<string, ByteSource>()
  let at = 0
  let long: LongHeader = {}
  for (let count = 0; ; count++) {
    if (count > entriesMax) throw refusal(source, `it holds more than ${entriesMax} entries`)
    const header = Buffer.from(source.read(at, Math.min(block, source.size - at)))
    if (header.length < block) throw refusal(source, 'it ends without its closing blocks')
    if (header.every(byte => byte === 0)) break
    checkSum(source, header, at)
    const type = String.fromCharCode(header[156]!)
    const size =
      type === 'x' || type === 'g' || type === 'L' ? sizeOf(source, header) : (long.size ?? sizeOf(source, header))
    const body = at + block
    if (body + size > source.size) throw refusal(source, `its entry at byte ${at} ends behind the archive`)
    at = body + Math.ceil(size / block) * block
    if (type === 'L' || type === 'x') Object.assign(long, longHeader(source, { type, body, size }))
    if ('LxgK'.includes(type)) continue
    const name = cleanName(source, long.path ?? nameOf(header))
    long = {}
    if (type === '5') continue
    if (!'0\0'.includes(type)) throw refusal(source, `its entry "${name}" is ${kinds[type] ?? `of the type "${type}"`}`)
    if (files.has(name)) throw refusal(source, `it holds "${name}" twice`)
    files.set(name, partSource(source, { name: `${source.name}/${name}`, at: body, size }))
  }
  return files
}

interface LongHeader {
  path?: string
  size?: number
}

const kinds: Record<string, string> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '6': 'a pipe',
  S: 'a sparse file',
}

const refusal = (source: ByteSource, state: string) => usageError(`Cannot read "${source.name}": ${state}`, again)

const textAt = (header: Buffer, at: number, length: number) => {
  const end = header.indexOf(0, at)
  return header.toString('utf8', at, end < 0 || end > at + length ? at + length : end)
}

function nameOf(header: Buffer): string {
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0'
  const prefix = isPosix ? textAt(header, 345, 155) : ''
  return prefix === '' ? textAt(header, 0, 100) : `${prefix}/${textAt(header, 0, 100)}`
}

function sizeOf(source: ByteSource, header: Buffer): number {
  if ((header[124]! & 0x80) === 0) {
    const text = textAt(header, 124, 12).trim()
    if (/^[0-7]{1,12}$/.test(text)) return Number.parseInt(text, 8)
    throw refusal(source, `an entry's size is "${text}"`)
  }
  const size = Number(BigInt(`0x${header.toString('hex', 125, 136)}`))
  if (Number.isSafeInteger(size) && header[124] === 0x80) return size
  throw refusal(source, 'an entry is larger than any file')
}

function checkSum(source: ByteSource, header: Buffer, at: number): void {
  const stated = Number.parseInt(textAt(header, 148, 8).trim(), 8)
  let sum = 0
  for (let i = 0; i < block; i++) sum += i >= 148 && i < 156 ? 0x20 : header[i]!
  if (stated !== sum) throw refusal(source, at === 0 ? 'it is no tar archive' : `the checksum of byte ${at} is wrong`)
}

function longHeader(source: ByteSource, o: { type: string; body: number; size: number }): LongHeader {
  if (o.size > headerTextMax) throw refusal(source, `an extended header takes ${o.size} bytes`)
  const bytes = Buffer.from(source.read(o.body, o.size))
  if (o.type === 'L') return { path: textAt(bytes, 0, bytes.length) }
  const found: LongHeader = {}
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at)
    const length = Number(bytes.toString('latin1', at, Math.max(at, space)))
    if (!(length > 0) || at + length > bytes.length) throw refusal(source, 'an extended header is damaged')
    const [key, ...value] = bytes.toString('utf8', space + 1, at + length - 1).split('=')
    if (key === 'path') found.path = value.join('=')
    if (key === 'size' && Number.isSafeInteger(Number(value[0])) && Number(value[0]) >= 0) found.size = Number(value[0])
    at += length
  }
  return found
}

function cleanName(source: ByteSource, name: string): string {
  const steps = name.split('/').filter(step => step !== '' && step !== '.')
  if (name.startsWith('/') || name.includes('\\') || name.includes('\0') || steps.includes('..'))
    throw refusal(source, `its entry "${name}" leaves the archive`)
  return steps.join('/')
}
