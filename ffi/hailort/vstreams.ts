/**
 * Moves frames to a device and back.
 *
 * One `VStream` for each input and output. A write or a read blocks a worker thread until the device has room or a
 * frame, up to the stream's timeout; on one stream they run in the order in which they were asked for. Node has four
 * such threads in all: write every input before reading the outputs, and nothing that is waited for can be stuck behind
 * what waits. (Four reads of frames that are not yet written would hold every thread.) Who knows that a stream has room
 * spares the trip to a thread with `writeNow`.
 */
import { Turns } from '../../lib/base/async.ts'
import { FfiError } from '../errors.ts'
import { allDone, orUndo } from '../jobs.ts'
import type { Dependent, VDevice } from './device.ts'
import { handlesIn, memoryOf, type Hailort, type Handle } from './library.ts'
import type { StreamInfo } from './stream-info.ts'

/** Element type of a caller's frames. Between it and the device's type the library converts on the CPU. */
export type FrameType = 'float32' | 'uint8' | 'uint16' | 'auto'

const frameTypes: Readonly<Record<FrameType, number>> = { auto: 0, uint8: 1, uint16: 2, float32: 3 }

const writeCall = 'hailo_vstream_write_raw_buffer'
const writeAct = 'write a frame to'

/** How streams are opened. */
export interface VStreamOptions {
  /** `float32` unless told: the library quantises. */
  readonly type?: FrameType
  /** 10 s unless told. */
  readonly timeoutMs?: number
  /** Frames that wait in a stream; 2 unless told. */
  readonly queueSize?: number
}

/** What streams are made for: a configured group. */
interface Group {
  readonly vdevice: VDevice
  readonly handle: Handle
  readonly title: string
}

/** One open input or output. */
export class VStream implements Dependent {
  readonly info: StreamInfo
  /** Bytes of one frame, from the library. */
  readonly frameBytes: number
  readonly handle: Handle
  readonly #hailort: Hailort
  readonly #vdevice: VDevice
  readonly #turns = new Turns()
  #isOpen = true
  #closing: Promise<void> | undefined

  constructor(o: { vdevice: VDevice; handle: Handle; info: StreamInfo; frameBytes: number }) {
    this.#hailort = o.vdevice.hailort
    this.#vdevice = o.vdevice
    this.handle = o.handle
    this.info = o.info
    this.frameBytes = o.frameBytes
  }

  /**
   * Hand one frame to the device. `frame` must not change until the promise settles.
   *
   * @throws HailoError for a timeout; FfiError `usage` for a wrong size or direction, or a closed stream
   */
  write(frame: NodeJS.TypedArray): Promise<void> {
    return this.#transfer(frame, true)
  }

  /**
   * Hand one frame over on this thread. Only for a stream that has room, as one has whose every earlier frame was
   * answered: else the event loop stands still until there is some, up to the timeout.
   *
   * @throws FfiError as `write`, and while a `write` is under way
   */
  writeNow(frame: NodeJS.TypedArray): void {
    this.#check(frame.byteLength, true)
    if (!this.#turns.isIdle)
      throw new FfiError(
        'usage',
        `Cannot write to "${this.info.name}" at once: an earlier frame is still being written`,
        'await it first',
      )
    this.#hailort.call(writeCall, { act: writeAct, thing: this.info.name }, this.handle, frame, frame.byteLength)
  }

  /**
   * Take one frame from the device into `frame`.
   *
   * @throws FfiError as `write`
   */
  read(frame: NodeJS.TypedArray): Promise<void> {
    return this.#transfer(frame, false)
  }

  /** Release the stream, when what was asked of it has ended. A second call does nothing. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    this.#isOpen = false
    this.#vdevice.disown(this)
    // A release under a call that still waits would pull the memory from beneath it.
    await this.#turns.settled()
    const name = this.info.isInput ? 'hailo_release_input_vstreams' : 'hailo_release_output_vstreams'
    await this.#hailort.callAsync(name, { act: 'close', thing: this.info.name }, memoryOf([this.handle]), 1)
  }

  #transfer(frame: NodeJS.TypedArray, isWrite: boolean): Promise<void> {
    try {
      this.#check(frame.byteLength, isWrite)
    } catch (thrown) {
      return Promise.reject(thrown as Error)
    }
    const name = isWrite ? writeCall : 'hailo_vstream_read_raw_buffer'
    const deed = { act: isWrite ? writeAct : 'read a frame from', thing: this.info.name }
    return this.#turns.take(() => this.#hailort.callAsync(name, deed, this.handle, frame, frame.byteLength))
  }

  #check(bytes: number, isWrite: boolean): void {
    const { name, isInput } = this.info
    const refuse = (state: string, hint: string) => new FfiError('usage', `Cannot use "${name}": ${state}`, hint)
    if (!this.#isOpen) throw refuse('the stream is closed', 'open the model again')
    if (isWrite !== isInput)
      throw refuse(
        isInput ? 'it is an input, and cannot be read' : 'it is an output, and cannot be written',
        'choose another stream',
      )
    if (bytes !== this.frameBytes)
      throw refuse(`a frame has ${this.frameBytes} bytes, and ${bytes} were given`, 'take the size from frameBytes')
  }
}

/**
 * Default parameters of all streams of a group in one direction, as the library makes them: memory, and the names in
 * it.
 */
function streamParams(o: { group: Group; isInput: boolean; options: VStreamOptions }): {
  memory: Buffer
  names: string[]
  stride: number
} {
  const { hailort } = o.group.vdevice
  const struct = o.isInput ? 'hailo_input_vstream_params_by_name_t' : 'hailo_output_vstream_params_by_name_t'
  const { items, memory } = hailort.list<{ name: string }>({
    name: o.isInput ? 'hailo_make_input_vstream_params' : 'hailo_make_output_vstream_params',
    struct,
    deed: { act: 'open the streams of', thing: o.group.title },
    fill: (room, count) => [o.group.handle, false, frameTypes[o.options.type ?? 'float32'], room, count],
  })
  const stride = hailort.structs.sizeOf(struct)
  for (const i of items.keys()) {
    if (o.options.timeoutMs !== undefined)
      memory.writeUInt32LE(o.options.timeoutMs, i * stride + hailort.structs.offsetOf(struct, 'params.timeout_ms'))
    if (o.options.queueSize !== undefined)
      memory.writeUInt32LE(o.options.queueSize, i * stride + hailort.structs.offsetOf(struct, 'params.queue_size'))
  }
  return { memory, names: items.map(({ name }) => name), stride }
}

/**
 * Open all streams of a group in one direction.
 *
 * @throws HailoError
 */
export async function openStreams(o: {
  group: Group
  infos: readonly StreamInfo[]
  isInput: boolean
  options: VStreamOptions
}): Promise<VStream[]> {
  const { vdevice, title } = o.group
  const { hailort } = vdevice
  const { memory, names } = streamParams(o)
  const handles = Buffer.alloc(8 * names.length)
  const deed = { act: 'open the streams of', thing: title }
  await hailort.callAsync(
    o.isInput ? 'hailo_create_input_vstreams' : 'hailo_create_output_vstreams',
    deed,
    o.group.handle,
    memory,
    names.length,
    handles,
  )
  const release = o.isInput ? 'hailo_release_input_vstreams' : 'hailo_release_output_vstreams'
  const streams = await orUndo(
    async () => handlesIn(handles, names.length).map(handle => streamOf({ ...o, handle })),
    () => hailort.callAsync(release, deed, handles, names.length),
  )
  for (const stream of streams) vdevice.own(stream)
  return streams
}

/**
 * A handle is asked for its name: streams that share one output of the device come in another order than was asked for.
 */
function streamOf({
  group: { vdevice, title },
  infos,
  isInput,
  handle,
}: {
  group: Group
  infos: readonly StreamInfo[]
  isInput: boolean
  handle: Handle
}): VStream {
  const { hailort } = vdevice
  const whose = isInput ? 'hailo_get_input_vstream_info' : 'hailo_get_output_vstream_info'
  const { name } = hailort.read<{ name: string }>(
    whose,
    'hailo_vstream_info_t',
    { act: 'open the streams of', thing: title },
    handle,
  )
  const size: [number] = [0]
  const ask = isInput ? 'hailo_get_input_vstream_frame_size' : 'hailo_get_output_vstream_frame_size'
  hailort.call(ask, { act: 'ask', thing: name }, handle, size)
  const info = infos.find(stream => stream.name === name && stream.isInput === isInput)
  if (info) return new VStream({ vdevice, handle, info, frameBytes: size[0] })
  throw new FfiError(
    'status',
    `Cannot open "${title}": HailoRT made a stream "${name}" that the HEF does not list`,
    'report it, with the HEF',
  )
}

/**
 * Close streams, all of them, whatever becomes of each.
 *
 * @throws HailoError, the first
 */
export async function closeStreams(streams: readonly VStream[]): Promise<void> {
  await allDone(streams.map(stream => stream.close()))
}
