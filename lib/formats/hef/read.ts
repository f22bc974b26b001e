/**
 * Reads a HEF, a compiled model for a Hailo device, without HailoRT.
 *
 * The header, whether the seal holds, what it was compiled for and with, and each group with its streams: all that one
 * wants to know before a native library opens the file, since that library dies of some files and names the trouble of
 * others badly. `preflight` (in `preflight.ts`) judges it against a device. The device's own instructions are
 * skipped. Schema: `hef.proto` of HailoRT 5.2.0.
 */
import { closeSync, fstatSync, readSync } from 'node:fs'
import { fileError, openToRead } from '../../host/files.ts'
import { RunbookError, usageError } from '../../base/errors.ts'
import { hasLayouts, hefArchName, versionIn } from './arch.ts'
import { digester, digestOf } from './checksum.ts'
import { Hazards } from './hazards.ts'
import { decodeHefHeader, type HefHeader } from './header.ts'
import { outputsAfterHost } from './host-ops.ts'
import { Message } from './message.ts'
import { streamsOf, type CoreContext } from './streams.ts'
import {
  hefExtensions,
  type Hef,
  type HefExtension,
  type HefGroup,
  type HefIntegrity,
  type HefStream,
} from './types.ts'
import { fileKindBytes } from '../file-kind.ts'
import { WireError } from '../protobuf.ts'

export type { HefHeader } from './header.ts'
export * from './types.ts'

const again = "copy or download it again, and compare its sha256sum with the original's"

/** A file, or bytes in memory: `at` gives fewer bytes at the end. */
export interface HefSource {
  readonly name: string
  readonly fileBytes: number
  at(position: number, length: number): Uint8Array
}

/**
 * A HEF from a file. It is read piece by piece, and only its description is held in memory.
 *
 * A file that is damaged behind its description is given nevertheless, with `integrity` saying so: check it, or let
 * `preflight`.
 *
 * @throws RunbookError blocked when it is absent; usage when it is no HEF (and what it is instead), or its description
 *   is cut short or malformed
 */
export function readHef(path: string): Hef {
  try {
    const fd = openToRead(path)
    try {
      const at = (position: number, length: number) => {
        const piece = Buffer.alloc(length)
        return piece.subarray(0, readSync(fd, piece, 0, length, position))
      }
      return hefOf({ name: path, fileBytes: fstatSync(fd).size, at })
    } finally {
      closeSync(fd)
    }
  } catch (thrown) {
    throw thrown instanceof RunbookError ? thrown : fileError('read', path, thrown)
  }
}

/**
 * A HEF from a source of bytes.
 * @throws RunbookError usage when it is no HEF (and what it is instead), or its description is cut short or malformed
 */
export function hefOf(source: HefSource): Hef {
  const header = decodeHefHeader(source.at(0, fileKindBytes), source)
  const { headerBytes, protoBytes, expectedBytes, fileBytes } = header
  if (fileBytes < headerBytes + protoBytes) {
    const state = `it is truncated: its header asks for ${expectedBytes} bytes, and the file has ${fileBytes}`
    throw usageError(`Cannot read "${source.name}": ${state}`, again)
  }
  const proto = source.at(headerBytes, protoBytes)
  const integrity = integrityOf(header, proto, source)
  try {
    return { path: source.name, header, integrity, ...describe(new Message(proto)) }
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown
    const state = integrity.state === 'intact' ? `its description is malformed: ${thrown.message}` : integrity.message
    throw usageError(`Cannot read "${source.name}": ${state}`, again, thrown)
  }
}

/**
 * Whether the file has its length and its seal. A file that is cut short has no digest to compare, save that of its
 * description.
 */
function integrityOf(header: HefHeader, proto: Uint8Array, source: HefSource): HefIntegrity {
  const { expectedBytes, fileBytes, protoDigest } = header
  if (protoDigest !== null) {
    const digest = digestOf('xxh3-64', proto)
    if (digest !== protoDigest)
      return altered(`the xxh3-64 of its description is ${digest}, and its header says ${protoDigest}`)
  }
  if (fileBytes !== expectedBytes) {
    const state = fileBytes < expectedBytes ? 'truncated' : 'overlong'
    const what = state === 'truncated' ? 'it is truncated' : 'something follows its end'
    return { state, message: `${what}: its header asks for ${expectedBytes} bytes, and the file has ${fileBytes}` }
  }
  const digest = digestOfRest(header, source)
  if (digest === header.digest) return { state: 'intact' }
  return altered(`its ${header.digestName} is ${digest}, and its header says ${header.digest}`)
}

const altered = (what: string): HefIntegrity => ({ state: 'altered', message: `it was altered: ${what}` })
const pieceBytes = 1 << 20

function digestOfRest({ digestName, headerBytes, fileBytes }: HefHeader, source: HefSource): string {
  const digest = digester(digestName)
  for (let at = headerBytes; at < fileBytes;) {
    const piece = source.at(at, Math.min(pieceBytes, fileBytes - at))
    // The file became shorter while it was read: its digest will not fit, and the loop must end.
    if (piece.length === 0) break
    digest.update(piece)
    at += piece.length
  }
  return digest.hex()
}

function describe(top: Message): Omit<Hef, 'path' | 'header' | 'integrity'> {
  const head = top.message(1)
  const sdkVersion = head.text(3)
  const numbers = head.message(5)
  const sdk = head.has(5)
    ? { major: numbers.uint32(1), minor: numbers.uint32(2), revision: numbers.uint32(3) }
    : versionIn(sdkVersion)
  const hwArch = head.uint32(1)
  const extensions = extensionsOf(top.messages(5))
  const hazards = new Hazards()
  const has = (index: number) => extensions.some(extension => extension.index === index)
  const optionalExtensions = extensionsOf(top.messages(6))
  const groups = top.messages(2).map(group =>
    groupOf(group, {
      hasLayouts: hasLayouts(hwArch),
      isNetFlow: has(hefExtensions.netFlow),
      hasScalePerFeature: has(hefExtensions.scalePerFeature),
      hazards,
      hasNetworks: optionalExtensions.some(({ index }) => index === hefExtensions.multiNetwork),
    }),
  )
  if (groups.length === 0) hazards.crash('it has no network group')
  const firstOf = new Map(groups.toReversed().map(group => [group.name, group]))
  const twin = groups.find(group => firstOf.get(group.name) !== group)
  if (twin !== undefined) hazards.refuse(`two of its network groups are called "${twin.name}"`)
  const timestamp = head.uint64(2)
  return {
    arch: hefArchName(hwArch, sdk?.major ?? null),
    hwArch,
    sdkVersion,
    sdk,
    extensions,
    groups,
    hazards: hazards.list,
    optionalExtensions,
    // A date ends 8.64e15 ms after 1970.
    compiledAt: timestamp > 0 && timestamp <= 8.64e15 ? new Date(timestamp) : null,
  }
}

const extensionsOf = (list: readonly Message[]): HefExtension[] =>
  list.map(one => ({ index: one.uint32(1), name: one.text(2) }))

interface GroupContext {
  readonly hasLayouts: boolean
  readonly isNetFlow: boolean
  readonly hasScalePerFeature: boolean
  /** Without this HailoRT takes each group for one network, whatever names stand in it. */
  readonly hasNetworks: boolean
  readonly hazards: Hazards
}

function groupOf(group: Message, context: GroupContext): HefGroup {
  const { hazards } = context
  const [layout] = group.messages(7)
  const metadataOfName = layout === undefined ? group.message(1) : layout.message(1).message(1)
  const name = metadataOfName.text(1)
  const core = coreOf(group, { ...context, name })
  const fusedMetadata = core.message(5)
  const fused = new Map(
    (fusedMetadata.flag(1) ? fusedMetadata.messages(3) : []).map(layer => [layer.message(1).text(1), layer]),
  )
  const networks = networksOf(group, { ...context, layout, name })
  const metadata = core.message(1)
  const shared: CoreContext = {
    group: name,
    networks: context.hasNetworks ? core.texts(6) : null,
    isTransposed: metadata.flag(3),
    hasScalePerFeature: context.hasScalePerFeature,
    fused,
    hazards,
  }
  const contexts = core.messages(3)
  if (name === '') hazards.refuse('one of its network groups has no name')
  if (contexts.length === 0) hazards.crash(`its network group "${name}" has no context`)
  const streams = streamsOf(contexts, shared)
  const onDevice = streams.filter(({ stream }) => stream.direction === 'output')
  const outputs = context.isNetFlow ? outputsAfterHost(group, onDevice, hazards) : onDevice.map(({ stream }) => stream)
  const inputs = streams.filter(({ stream }) => stream.direction === 'input').map(({ stream }) => stream)
  if (inputs.length === 0) hazards.refuse(`its network group "${name}" has no input`)
  if (outputs.length === 0) hazards.refuse(`its network group "${name}" has no output`)
  return {
    name,
    networks,
    contexts: contexts.length,
    inputs,
    outputs: sortedOutputs(outputs, { group, core, layout, contexts, isNetFlow: context.isNetFlow, hazards }),
    bottleneckFps: metadata.double(4) || null,
    latencyMs: metadata.double(6) * 1000 || null,
    operations: metadata.uint64(8) || null,
  }
}

/**
 * HailoRT keeps the name of a group in 128 bytes with the NUL, and that of a network, which has the group's before it,
 * in 257.
 */
const groupBytesMax = 127
const networkBytesMax = 256

function networksOf(
  group: Message,
  { layout, name, hasNetworks, hazards }: GroupContext & { layout: Message | undefined; name: string },
): string[] {
  const named = group.texts(6)
  const listed = named.length > 0 ? named : (layout?.message(1).texts(6) ?? [])
  const networks = hasNetworks && listed.length > 0 ? listed : [name]
  const groupBytes = Buffer.byteLength(name)
  if (groupBytes > groupBytesMax) {
    hazards.refuse(
      `the name of its network group "${name.slice(0, 40)}…" has ${groupBytes} bytes, over ${groupBytesMax}`,
    )
  }
  const long = networks.find(network => groupBytes + 1 + Buffer.byteLength(network) > networkBytesMax)
  if (long !== undefined && groupBytes <= groupBytesMax) {
    hazards.refuse(
      `the name of its network "${long.slice(0, 40)}…" is too long: with its group's it may have ` +
        `${networkBytesMax} bytes`,
    )
  }
  return networks
}

/**
 * The part of a group that runs on the device: the group itself, its core operation, or the first of several layouts.
 */
function coreOf(group: Message, { hasLayouts, isNetFlow, hazards, name }: GroupContext & { name: string }): Message {
  const op = isNetFlow ? group.messages(8).find(one => one.has(4)) : undefined
  if (isNetFlow && op === undefined) hazards.crash(`its network group "${name}" has no operation for the device`)
  const core = op?.message(4) ?? group
  if (!hasLayouts) return core
  const [layout] = core.messages(7)
  if (layout !== undefined) return layout.message(1)
  hazards.crash(`its network group "${name}" has no layout, which its architecture needs`)
  return core
}

interface Ranking {
  readonly group: Message
  readonly core: Message
  readonly layout: Message | undefined
  readonly contexts: readonly Message[]
  readonly isNetFlow: boolean
  readonly hazards: Hazards
}

/** In the order that the file gives, found where HailoRT looks for it; an output that is missing there comes last. */
function sortedOutputs(
  outputs: readonly HefStream[],
  { group, core, layout, contexts, isNetFlow, hazards }: Ranking,
): HefStream[] {
  const candidates = [
    core.message(5).flag(1) ? core.message(5).texts(2) : [],
    isNetFlow ? [] : (layout?.message(1).texts(4) ?? []),
    group.texts(4),
    contexts.at(-1)?.message(3).texts(5) ?? [],
  ]
  const names = candidates.find(list => list.length > 0) ?? []
  const rank = new Map(names.toReversed().map((name, i) => [name, names.length - 1 - i]))
  for (const { name } of outputs) {
    if (!rank.has(name)) hazards.refuse(`its output "${name}" is missing from the sorted names of its outputs`)
  }
  return outputs.toSorted((a, b) => (rank.get(a.name) ?? names.length) - (rank.get(b.name) ?? names.length))
}
