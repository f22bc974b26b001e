/**
 * Has HailoRT read a HEF.
 *
 * Works without a device. A damaged or foreign file may crash the library: whoever takes files from others looks at
 * them first with `lib/formats/hef/read.ts`, and opens them in a child process.
 */
import { FfiError } from '../errors.ts'
import { given, type Hailort, type Handle } from './library.ts'
import { streamInfoFrom, type RawVStreamInfo, type StreamInfo } from './stream-info.ts'

/** Of the longest header, that of version 3. */
const headerBytesMax = 56

/**
 * A HEF that the library has read.
 *
 * @throws HailoError by each of its members; FfiError `usage` after it was closed
 */
export class Hef implements AsyncDisposable {
  readonly hailort: Hailort
  /** What it was read from: a path, or a name for bytes. */
  readonly title: string
  #handle: Handle | null
  #closing: Promise<void> | undefined

  private constructor(hailort: Hailort, handle: Handle, title: string) {
    this.hailort = hailort
    this.#handle = handle
    this.title = title
  }

  /**
   * Read a file.
   *
   * @throws HailoError, `usage` when it is no HEF, is damaged, or is too new
   */
  static async fromFile(hailort: Hailort, path: string): Promise<Hef> {
    const out: [Handle | null] = [null]
    const [call, deed] = ['hailo_create_hef_file', { act: 'read', thing: path }] as const
    await hailort.callAsync(call, deed, out, path)
    return new Hef(hailort, given(out, call, deed), path)
  }

  /** Read bytes. They are copied by the library. */
  static async fromBuffer(hailort: Hailort, bytes: Uint8Array, title = 'a HEF in memory'): Promise<Hef> {
    // HailoRT 4 reads a whole header out of a shorter buffer.
    if (bytes.length < headerBytesMax) {
      throw new FfiError(
        'usage',
        `Cannot read "${title}": ${bytes.length} bytes are less than the header of a HEF`,
        'give all bytes of a HEF',
      )
    }
    const out: [Handle | null] = [null]
    const [call, deed] = ['hailo_create_hef_buffer', { act: 'read', thing: title }] as const
    await hailort.callAsync(call, deed, out, bytes, bytes.length)
    return new Hef(hailort, given(out, call, deed), title)
  }

  get handle(): Handle {
    if (this.#handle === null) throw new FfiError('usage', `Cannot use "${this.title}": it is closed`, 'open it again')
    return this.#handle
  }

  /** Network groups, which are what is configured. */
  networkGroups(): { name: string; isMultiContext: boolean }[] {
    const { items } = this.hailort.list<{ name: string; is_multi_context: boolean }>({
      name: 'hailo_get_network_groups_infos',
      struct: 'hailo_network_group_info_t',
      deed: this.#deed,
      fill: (memory, count) => [this.handle, memory, count],
    })
    return items.map(({ name, is_multi_context }) => ({ name, isMultiContext: is_multi_context }))
  }

  /** Networks of a group, as `group/network`. */
  networks(group: string | null = null): string[] {
    const { items } = this.hailort.list<{ name: string }>({
      name: 'hailo_hef_get_network_infos',
      struct: 'hailo_network_info_t',
      deed: this.#deed,
      fill: (memory, count) => [this.handle, group, memory, count],
    })
    return items.map(({ name }) => name)
  }

  /** Streams as a caller sees them: inputs, then outputs. */
  vstreams(group: string | null = null): StreamInfo[] {
    const { items } = this.hailort.list<RawVStreamInfo>({
      name: 'hailo_hef_get_all_vstream_infos',
      struct: 'hailo_vstream_info_t',
      deed: this.#deed,
      fill: (memory, count) => [this.handle, group, memory, count],
    })
    return items.map(raw => streamInfoFrom(raw, this.hailort.version))
  }

  /** Streams as the device sees them, with the bytes of one frame there. */
  streams(group: string | null = null): { name: string; isInput: boolean; deviceFrameBytes: number }[] {
    const { items } = this.hailort.list<{ name: string; direction: number; hw_frame_size: number }>({
      name: 'hailo_hef_get_all_stream_infos',
      struct: 'hailo_stream_info_t',
      deed: this.#deed,
      fill: (memory, count) => [this.handle, group, memory, count[0], count],
    })
    return items.map(({ name, direction, hw_frame_size }) => ({
      name,
      isInput: direction === 0,
      deviceFrameBytes: hw_frame_size,
    }))
  }

  /** Names of the outputs in the order that the model's author gave them. */
  outputNames(group: string | null = null): string[] {
    const { items } = this.hailort.list<{ name: string }>({
      name: 'hailo_hef_get_sorted_output_names',
      struct: 'hailo_layer_name_t',
      deed: this.#deed,
      fill: (memory, count) => [this.handle, group, memory, count],
    })
    return items.map(({ name }) => name)
  }

  /** Frames a second that the compiler expects of the slowest part; 0 when it did not say. */
  bottleneckFps(group: string | null = null): number {
    const out: [number] = [0]
    this.hailort.call('hailo_hef_get_bottleneck_fps', this.#deed, this.handle, group, out)
    return out[0]
  }

  /** Give the memory back. Allowed as soon as every group is configured; a second call does nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  async #close(): Promise<void> {
    const handle = this.handle
    this.#handle = null
    await this.hailort.callAsync('hailo_release_hef', { act: 'close', thing: this.title }, handle)
  }

  get #deed(): { act: string; thing: string } {
    return { act: 'read', thing: this.title }
  }
}
