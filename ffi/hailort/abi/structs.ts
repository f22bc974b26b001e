/**
 * Lays HailoRT's structs out in memory.
 *
 * Written as C writes them, once for each shape in which they differ; koffi computes sizes and offsets, and a test
 * compares each with the measured table. Types are anonymous to koffi: two libraries of different shapes may be open in
 * one process.
 */
import type { TypeObject } from 'koffi'
import { koffi } from '../../load.ts'
import type { ProfileName } from './profiles.ts'

/**
 * A member's type: a number of C, `char[n]` for text, `T[n]` for an array, the name of a struct, or members that lie
 * over each other.
 */
type MemberType = string | { readonly union: Readonly<Record<string, string>> }
type StructSpec = Readonly<Record<string, MemberType>>

const byName = (members: StructSpec): StructSpec => ({ name: 'char[128]', ...members })

/**
 * Structs in an order in which each needs only earlier ones. Members without a name in C are called `shape` or
 * `byInterface`.
 */
function structSpecs(profile: ProfileName): Readonly<Record<string, StructSpec>> {
  const atLeast = (first: ProfileName) => profile >= first
  return {
    hailo_version_t: { major: 'uint32', minor: 'uint32', revision: 'uint32' },
    hailo_firmware_version_t: { major: 'uint32', minor: 'uint32', revision: 'uint32' },
    hailo_device_id_t: { id: 'char[32]' },
    hailo_vdevice_params_t: {
      device_count: 'uint32',
      device_ids: 'void *',
      scheduling_algorithm: 'int32',
      group_id: 'void *',
      multi_process_service: 'bool',
    },
    hailo_device_identity_t: {
      protocol_version: 'uint32',
      fw_version: 'hailo_firmware_version_t',
      logger_version: 'uint32',
      board_name_length: 'uint8',
      board_name: 'char[32]',
      is_release: 'bool',
      extended_context_switch_buffer: 'bool',
      ...(atLeast('D') && { extended_fw_check: 'bool' }),
      device_architecture: 'int32',
      serial_number_length: 'uint8',
      serial_number: 'char[16]',
      part_number_length: 'uint8',
      part_number: 'char[16]',
      product_name_length: 'uint8',
      product_name: 'char[42]',
    },
    hailo_chip_temperature_info_t: { ts0_temperature: 'float', ts1_temperature: 'float', sample_count: 'uint16' },
    hailo_3d_image_shape_t: { height: 'uint32', width: 'uint32', features: 'uint32' },
    hailo_format_t: { type: 'int32', order: 'int32', flags: 'int32' },
    hailo_quant_info_t: { qp_zp: 'float', qp_scale: 'float', limvals_min: 'float', limvals_max: 'float' },
    hailo_nms_shape_t: nmsShape(profile),
    hailo_vstream_info_t: byName({
      network_name: 'char[257]',
      direction: 'int32',
      format: 'hailo_format_t',
      shape: { union: { image: 'hailo_3d_image_shape_t', nms: 'hailo_nms_shape_t' } },
      quant_info: 'hailo_quant_info_t',
    }),
    hailo_stream_info_t: {
      shape: { union: { images: 'hailo_3d_image_shape_t[2]', nms: atLeast('B') ? 'uint32[41]' : 'uint32[40]' } },
      hw_data_bytes: 'uint32',
      hw_frame_size: 'uint32',
      format: 'hailo_format_t',
      direction: 'int32',
      index: 'uint8',
      name: 'char[128]',
      quant_info: 'hailo_quant_info_t',
      is_mux: 'bool',
    },
    hailo_vstream_params_t: {
      user_buffer_format: 'hailo_format_t',
      timeout_ms: 'uint32',
      queue_size: 'uint32',
      vstream_stats_flags: 'int32',
      pipeline_elements_stats_flags: 'int32',
    },
    hailo_input_vstream_params_by_name_t: byName({ params: 'hailo_vstream_params_t' }),
    hailo_output_vstream_params_by_name_t: byName({ params: 'hailo_vstream_params_t' }),
    hailo_network_group_info_t: byName({ is_multi_context: 'bool' }),
    hailo_network_info_t: { name: 'char[257]' },
    hailo_layer_name_t: byName({}),
    hailo_latency_measurement_result_t: { avg_hw_latency_ms: 'double' },
    ...configureStructs(profile),
  }
}

function nmsShape(profile: ProfileName): StructSpec {
  const classes = { number_of_classes: 'uint32' }
  if (profile === 'A') return { ...classes, max_bboxes_per_class: 'uint32', max_accumulated_mask_size: 'uint32' }
  if (profile === 'B') {
    return {
      ...classes,
      boxes: { union: { max_bboxes_per_class: 'uint32', max_bboxes_total: 'uint32' } },
      max_accumulated_mask_size: 'uint32',
      order_type: 'int32',
    }
  }
  return { ...classes, max_bboxes_per_class: 'uint32', max_bboxes_total: 'uint32', max_accumulated_mask_size: 'uint32' }
}

function configureStructs(profile: ProfileName): Readonly<Record<string, StructSpec>> {
  const isD = profile === 'D'
  return {
    hailo_network_parameters_t: { batch_size: 'uint16' },
    hailo_network_parameters_by_name_t: { name: 'char[257]', network_params: 'hailo_network_parameters_t' },
    hailo_stream_parameters_t: {
      stream_interface: 'int32',
      direction: 'int32',
      flags: 'int32',
      byInterface: isD ? 'uint8[1]' : 'uint32[17]',
    },
    hailo_stream_parameters_by_name_t: byName({ stream_params: 'hailo_stream_parameters_t' }),
    hailo_configure_network_group_params_t: byName({
      batch_size: 'uint16',
      power_mode: 'int32',
      latency: 'int32',
      ...(isD && { enable_kv_cache: 'bool' }),
      stream_params_by_name_count: 'size_t',
      stream_params_by_name: 'hailo_stream_parameters_by_name_t[40]',
      network_params_by_name_count: 'size_t',
      network_params_by_name: 'hailo_network_parameters_by_name_t[8]',
    }),
    hailo_configure_params_t: {
      network_group_params_count: 'size_t',
      network_group_params: 'hailo_configure_network_group_params_t[8]',
    },
  }
}

/** The types of one shape, by the structs' names in C. */
export class Structs {
  readonly profile: ProfileName
  readonly #types = new Map<string, TypeObject>()

  constructor(profile: ProfileName) {
    this.profile = profile
    for (const [name, spec] of Object.entries(structSpecs(profile)))
      this.#types.set(name, koffi().struct(this.#members(spec)))
  }

  get names(): readonly string[] {
    return [...this.#types.keys()]
  }

  /**
   * koffi's type of a struct.
   *
   * @throws Error for a name that is not declared
   */
  type(name: string): TypeObject {
    const type = this.#types.get(name)
    if (!type) throw new Error(`no struct ${name} is declared`)
    return type
  }

  /** Bytes of one struct. */
  sizeOf(name: string): number {
    return this.type(name).size
  }

  /** Where a member begins, in bytes; of a member in a member as `params.timeout_ms`. */
  offsetOf(name: string, member: string): number {
    let [type, offset] = [this.type(name), 0]
    for (const part of member.split('.')) {
      const found = type.members?.[part]
      if (!found) throw new Error(`${name} has no member ${member}`)
      offset += found.offset
      type = found.type
    }
    return offset
  }

  /** `count` structs from memory that the library filled. */
  decode<T>(name: string, memory: Buffer, count: number): T[] {
    const size = this.sizeOf(name)
    return Array.from({ length: count }, (_, i) => koffi().decode(memory, i * size, this.type(name)) as T)
  }

  #members(spec: StructSpec): Record<string, TypeObject | string> {
    return Object.fromEntries(
      Object.entries(spec).map(([name, type]) => [
        name,
        typeof type === 'string' ? this.#resolve(type) : this.#union(type.union),
      ]),
    )
  }

  #union(members: Readonly<Record<string, string>>): TypeObject {
    return koffi().union(Object.fromEntries(Object.entries(members).map(([name, type]) => [name, this.#resolve(type)])))
  }

  #resolve(type: string): TypeObject | string {
    const array = /^(.+)\[(\d+)\]$/.exec(type)
    if (!array) return this.#types.get(type) ?? type
    const [element, length] = [array[1]!, Number(array[2])]
    return element === 'char'
      ? koffi().array('char', length, 'String')
      : koffi().array(this.#resolve(element), length, 'Array')
  }
}

const byProfile = new Map<ProfileName, Structs>()

/** The types of a shape, declared once in a process. */
export function structsOf(profile: ProfileName): Structs {
  const known = byProfile.get(profile) ?? new Structs(profile)
  byProfile.set(profile, known)
  return known
}
