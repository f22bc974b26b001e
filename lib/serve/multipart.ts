/**
 * Reads `multipart/form-data` (RFC 7578) as it arrives: fields into memory, files straight to the disk.
 *
 * Memory stays small however large the upload is. Every bound is checked while reading, and whatever was written is
 * removed again when the upload is refused or breaks off.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from './problem.ts'

/** A file of an upload, on the disk until the upload is disposed of. */
export interface UploadedFile {
  /** The name of the form's field. */
  readonly field: string
  /** As the client called it; never used as a path. */
  readonly name: string
  readonly contentType: string
  readonly path: string
  readonly bytes: number
}

/** A whole form. Disposing of it removes the files. */
export interface Upload extends AsyncDisposable {
  /** Values by field, in order; a field may come several times (`timestamp_granularities[]`). */
  readonly fields: ReadonlyMap<string, readonly string[]>
  readonly files: readonly UploadedFile[]
}

/** Bounds of an upload. */
export interface UploadLimits {
  /** The largest file, in bytes. */
  readonly fileBytesMax: number
  /** 1 unless told. */
  readonly filesMax?: number
  /** The largest value of a field, in bytes; 64 KiB unless told. */
  readonly fieldBytesMax?: number
  /** 100 unless told. */
  readonly fieldsMax?: number
  /** Where files are put; a new folder of the system's temporary ones unless told. */
  readonly folder?: string
}

const headBytesMax = 16_384

/**
 * Read a form.
 * @param contentType the request's header, with its boundary
 * @param body the bytes as they come
 * @throws Problem 400 for a malformed form, 413 when a bound is passed, 415 for another content type
 *
 * @example
 * ```ts
 * const body = ['--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ntiny\r\n--x--\r\n'].map(Buffer.from)
 * await using upload = await readUpload('multipart/form-data; boundary=x', body, { fileBytesMax: 1000 })
 * upload.fields.get('model')
 * ```
 */
export async function readUpload(
  contentType: string | undefined,
  body: AsyncIterable<Buffer> | Iterable<Buffer>,
  limits: UploadLimits,
): Promise<Upload> {
  const boundary = boundaryOf(contentType)
  const form = new Form(limits)
  try {
    await parse(body, boundary, form)
    return form.finished()
  } catch (thrown) {
    await form.remove()
    throw thrown
  }
}

function boundaryOf(contentType: string | undefined): string {
  if (!/^multipart\/form-data\b/i.test(contentType ?? '')) {
    throw new Problem(415, 'unsupported_media_type', 'The body must be multipart/form-data')
  }
  const found = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType!)
  const boundary = found?.[1] ?? found?.[2]
  if (boundary === undefined) throw malformed('its content type names no boundary')
  return boundary
}

const malformed = (why: string) => new Problem(400, 'invalid_multipart', `The form cannot be read: ${why}`)

/** Cut the stream at its boundaries. Only as much is held back as a boundary could span. */
async function parse(body: AsyncIterable<Buffer> | Iterable<Buffer>, boundary: string, form: Form): Promise<void> {
  const marker = Buffer.from(`\r\n--${boundary}`)
  // A line end in front lets the first boundary look like every other.
  let held: Buffer = Buffer.from('\r\n')
  let state: 'preamble' | 'boundary' | 'head' | 'content' | 'end' = 'preamble'
  for await (const chunk of body) {
    if (state === 'end') continue
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    for (let goesOn = true; goesOn && state !== 'end';) {
      goesOn = false
      if (state === 'preamble' || state === 'content') {
        const at = held.indexOf(marker)
        const ready = held.subarray(0, at >= 0 ? at : Math.max(0, held.length - marker.length + 1))
        if (state === 'content') await form.content(ready)
        held = held.subarray(at >= 0 ? at + marker.length : ready.length)
        if (at < 0) continue
        if (state === 'content') await form.endPart()
        state = 'boundary'
        goesOn = true
      } else if (state === 'boundary') {
        if (held.length < 2) continue
        const isLast = held[0] === 0x2d && held[1] === 0x2d
        const end = held.indexOf('\r\n')
        if (!isLast && end < 0 && held.length < headBytesMax) continue
        if (!isLast && !/^[ \t]*$/.test(held.toString('latin1', 0, Math.max(0, end)))) {
          throw malformed('a boundary does not stand on a line of its own')
        }
        held = isLast ? Buffer.alloc(0) : held.subarray(end)
        state = isLast ? 'end' : 'head'
        goesOn = true
      } else {
        const end = held.indexOf('\r\n\r\n')
        if (end > headBytesMax || (end < 0 && held.length > headBytesMax)) throw malformed('a part has a huge head')
        if (end < 0) continue
        await form.beginPart(held.toString('utf8', 0, end))
        held = held.subarray(end + 4)
        state = 'content'
        goesOn = true
      }
    }
  }
  if (state !== 'end') throw malformed('it ends before its last boundary')
}

interface OpenPart {
  readonly name: string
  readonly file: { readonly name: string; readonly contentType: string; readonly path: string } | null
  readonly handle: FileHandle | null
  readonly pieces: Buffer[]
  bytes: number
}

class Form {
  readonly #limits: UploadLimits
  readonly #fields = new Map<string, string[]>()
  readonly #files: UploadedFile[] = []
  #folder: string | undefined
  #part: OpenPart | null = null
  #fieldCount = 0

  constructor(limits: UploadLimits) {
    this.#limits = limits
  }

  async beginPart(head: string): Promise<void> {
    const headers = new Map(
      head
        .split('\r\n')
        .filter(line => line.includes(':'))
        .map(line => [line.slice(0, line.indexOf(':')).trim().toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const disposition = headers.get('content-disposition') ?? ''
    const name = parameterOf(disposition, 'name')
    if (!/^form-data\b/i.test(disposition) || name === undefined) throw malformed('a part has no name')
    const fileName = parameterOf(disposition, 'filename')
    if (fileName === undefined) {
      if (++this.#fieldCount > (this.#limits.fieldsMax ?? 100)) throw tooLarge('the form has too many fields')
      this.#part = { name, file: null, handle: null, pieces: [], bytes: 0 }
      return
    }
    if (this.#files.length >= (this.#limits.filesMax ?? 1)) throw tooLarge('the form has too many files')
    this.#folder ??= this.#limits.folder ?? (await mkdtemp(join(tmpdir(), 'upload-')))
    const path = join(this.#folder, randomUUID())
    const contentType = headers.get('content-type') ?? 'application/octet-stream'
    const handle = await open(path, 'wx', 0o600)
    this.#part = { name, file: { name: fileName, contentType, path }, handle, pieces: [], bytes: 0 }
  }

  async content(bytes: Buffer): Promise<void> {
    const part = this.#part!
    if (bytes.length === 0) return
    part.bytes += bytes.length
    const most = part.handle ? this.#limits.fileBytesMax : (this.#limits.fieldBytesMax ?? 65_536)
    if (part.bytes > most) throw tooLarge(`"${part.name}" is larger than ${most} bytes`)
    if (part.handle) await part.handle.writeFile(bytes)
    else part.pieces.push(bytes)
  }

  async endPart(): Promise<void> {
    const part = this.#part!
    this.#part = null
    if (part.file) {
      await part.handle!.close()
      this.#files.push({ field: part.name, ...part.file, bytes: part.bytes })
      return
    }
    const value = Buffer.concat(part.pieces).toString('utf8')
    this.#fields.set(part.name, [...(this.#fields.get(part.name) ?? []), value])
  }

  finished(): Upload {
    return { fields: this.#fields, files: this.#files, [Symbol.asyncDispose]: () => this.remove() }
  }

  async remove(): Promise<void> {
    await this.#part?.handle?.close().catch(() => {})
    const left = this.#part?.file ? [this.#part.file.path] : []
    for (const path of [...this.#files.map(file => file.path), ...left]) await rm(path, { force: true })
    if (this.#folder !== undefined && this.#limits.folder === undefined)
      await rm(this.#folder, { force: true, recursive: true })
  }
}

const tooLarge = (why: string) => new Problem(413, 'payload_too_large', `The upload is refused: ${why}`)

/** A parameter of a header; browsers write `%22` for a quote in it. */
function parameterOf(header: string, name: string): string | undefined {
  const found = new RegExp(`;\\s*${name}=(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s;]+))`, 'i').exec(header)
  const value = found?.[1]?.replaceAll(/\\(.)/g, '$1') ?? found?.[2]
  return value?.replaceAll('%22', '"')
}
