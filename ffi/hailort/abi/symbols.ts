/**
 * Lists the functions of HailoRT that are called, with their C prototypes.
 *
 * The C prototypes, with `_Out_` and `_Inout_` at what the library writes. They are the same from 4.17 to 5.2. Structs
 * are opaque here: who calls passes memory of the size that the library's version asks for (`structs.ts`).
 */
import { koffi, type FunctionSpec, type NativeFunction } from '../../load.ts'

/** The one question that may be asked before the version is known. */
export const versionPrototype = {
  hailo_get_library_version: { prototype: 'hailo_status hailo_get_library_version(_Out_ hailo_version_t *version)' },
} as const

const prototypes = [
  // Devices
  'hailo_status hailo_scan_devices(void *params, hailo_device_id_t *device_ids, _Inout_ size_t *device_ids_length)',
  'hailo_status hailo_create_device_by_id(const hailo_device_id_t *device_id, _Out_ hailo_device *device)',
  'hailo_status hailo_release_device(hailo_device device)',
  'hailo_status hailo_get_device_id(hailo_device device, hailo_device_id_t *id)',
  'hailo_status hailo_identify(hailo_device device, hailo_device_identity_t *device_identity)',
  'hailo_status hailo_get_chip_temperature(hailo_device device, hailo_chip_temperature_info_t *temp_info)',
  `hailo_status hailo_power_measurement(hailo_device device, hailo_dvm_options_t dvm,
    hailo_power_measurement_types_t type, _Out_ float *measurement)`,
  // Virtual devices
  'hailo_status hailo_init_vdevice_params(hailo_vdevice_params_t *params)',
  'hailo_status hailo_create_vdevice(hailo_vdevice_params_t *params, _Out_ hailo_vdevice *vdevice)',
  'hailo_status hailo_release_vdevice(hailo_vdevice vdevice)',
  'hailo_status hailo_get_physical_devices(hailo_vdevice vdevice, void *devices, _Inout_ size_t *number_of_devices)',
  // HEF
  'hailo_status hailo_create_hef_file(_Out_ hailo_hef *hef, const char *file_name)',
  'hailo_status hailo_create_hef_buffer(_Out_ hailo_hef *hef, const void *buffer, size_t size)',
  'hailo_status hailo_release_hef(hailo_hef hef)',
  `hailo_status hailo_get_network_groups_infos(hailo_hef hef, hailo_network_group_info_t *infos,
    _Inout_ size_t *number_of_infos)`,
  `hailo_status hailo_hef_get_network_infos(hailo_hef hef, const char *network_group_name,
    hailo_network_info_t *networks_infos, _Inout_ size_t *number_of_networks)`,
  `hailo_status hailo_hef_get_all_stream_infos(hailo_hef hef, const char *name, hailo_stream_info_t *stream_infos,
    size_t stream_infos_length, _Out_ size_t *number_of_streams)`,
  `hailo_status hailo_hef_get_all_vstream_infos(hailo_hef hef, const char *name, hailo_vstream_info_t *vstream_infos,
    _Inout_ size_t *vstream_infos_count)`,
  `hailo_status hailo_hef_get_sorted_output_names(hailo_hef hef, const char *network_group_name,
    hailo_layer_name_t *sorted_output_names, _Inout_ size_t *sorted_output_names_count)`,
  'hailo_status hailo_hef_get_bottleneck_fps(hailo_hef hef, const char *network_group_name, _Out_ double *fps)',
  // Network groups
  `hailo_status hailo_init_configure_params_by_vdevice(hailo_hef hef, hailo_vdevice vdevice,
    hailo_configure_params_t *params)`,
  `hailo_status hailo_configure_vdevice(hailo_vdevice vdevice, hailo_hef hef, hailo_configure_params_t *params,
    void *network_groups, _Inout_ size_t *number_of_network_groups)`,
  `hailo_status hailo_get_latency_measurement(hailo_configured_network_group configured_network_group,
    const char *network_name, hailo_latency_measurement_result_t *result)`,
  // Streams
  `hailo_status hailo_make_input_vstream_params(hailo_configured_network_group network_group, bool unused,
    hailo_format_type_t format_type, hailo_input_vstream_params_by_name_t *input_params,
    _Inout_ size_t *input_params_count)`,
  `hailo_status hailo_make_output_vstream_params(hailo_configured_network_group network_group, bool unused,
    hailo_format_type_t format_type, hailo_output_vstream_params_by_name_t *output_params,
    _Inout_ size_t *output_params_count)`,
  `hailo_status hailo_create_input_vstreams(hailo_configured_network_group configured_network_group,
    const hailo_input_vstream_params_by_name_t *inputs_params, size_t inputs_count, void *input_vstreams)`,
  `hailo_status hailo_create_output_vstreams(hailo_configured_network_group configured_network_group,
    const hailo_output_vstream_params_by_name_t *outputs_params, size_t outputs_count, void *output_vstreams)`,
  'hailo_status hailo_release_input_vstreams(const void *input_vstreams, size_t inputs_count)',
  'hailo_status hailo_release_output_vstreams(const void *output_vstreams, size_t outputs_count)',
  'hailo_status hailo_get_input_vstream_frame_size(hailo_input_vstream input_vstream, _Out_ size_t *frame_size)',
  'hailo_status hailo_get_output_vstream_frame_size(hailo_output_vstream output_vstream, _Out_ size_t *frame_size)',
  'hailo_status hailo_get_input_vstream_info(hailo_input_vstream input_vstream, hailo_vstream_info_t *vstream_info)',
  'hailo_status hailo_get_output_vstream_info(hailo_output_vstream output_vstream, hailo_vstream_info_t *vstream_info)',
  `hailo_status hailo_vstream_write_raw_buffer(hailo_input_vstream input_vstream, const void *buffer, size_t
    buffer_size)`,
  'hailo_status hailo_vstream_read_raw_buffer(hailo_output_vstream output_vstream, void *buffer, size_t buffer_size)',
] as const

type NameIn<Prototype> = Prototype extends `${string}hailo_${infer Rest}(${string}` ? LastName<`hailo_${Rest}`> : never
type LastName<Text> = Text extends `${string} ${infer Rest}`
  ? LastName<Rest>
  : Text extends `*${infer Rest}`
    ? Rest
    : Text

/** Names of the functions that answer with a status. */
export type SymbolName = NameIn<(typeof prototypes)[number]>

/** Each function answers with its status. */
export type HailortFunctions = Record<SymbolName, NativeFunction<readonly unknown[], number>>

/** The table for `bind()`. */
export const symbols = Object.fromEntries(
  prototypes.map(prototype => [/(\w+)\(/.exec(prototype)![1], { prototype }]),
) as Record<SymbolName, FunctionSpec>

const numbers = {
  hailo_status: 'int32_t',
  hailo_format_type_t: 'int32_t',
  hailo_dvm_options_t: 'int32_t',
  hailo_power_measurement_types_t: 'int32_t',
}
const handles = [
  'hailo_device',
  'hailo_vdevice',
  'hailo_hef',
  'hailo_configured_network_group',
  'hailo_input_vstream',
  'hailo_output_vstream',
]
let areDeclared = false

/**
 * Tell koffi the words that the prototypes use, once in a process. Of the structs only the version's has a size, and it
 * never changed.
 */
export function declareNames(): void {
  if (areDeclared) return
  areDeclared = true
  for (const [name, type] of Object.entries(numbers)) koffi().alias(name, type)
  for (const name of handles) koffi().pointer(name, koffi().opaque())
  koffi().struct('hailo_version_t', { major: 'uint32_t', minor: 'uint32_t', revision: 'uint32_t' })
  const structs = new Set(prototypes.flatMap(prototype => prototype.match(/\bhailo_\w+_t(?= \*)/g) ?? []))
  for (const name of structs) koffi().opaque(name)
}
