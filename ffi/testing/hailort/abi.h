/*
 * What does HailoRT's C interface look like to a compiler, in each of its four shapes?
 *
 * Our own declarations of a public interface, as far as the stand-in implements it. -DPROFILE=A|B|C|D chooses the shape:
 * A is 4.17 to 4.19, B is 4.20, C is 4.21 to 5.0, D is 5.1 and 5.2. Sizes are asserted here; every offset is compared with
 * contracts/abi/hailort.json by a test that compiles a probe over this header.
 */
#ifndef STANDIN_ABI_H
#define STANDIN_ABI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define A 1
#define B 2
#define C 3
#define D 4
#if PROFILE == A
#define HAS_B 0
#define HAS_C 0
#define HAS_D 0
#define VERSION_MAJOR_DEFAULT 4
#define VERSION_MINOR_DEFAULT 19
#elif PROFILE == B
#define HAS_B 1
#define HAS_C 0
#define HAS_D 0
#define VERSION_MAJOR_DEFAULT 4
#define VERSION_MINOR_DEFAULT 20
#elif PROFILE == C
#define HAS_B 1
#define HAS_C 1
#define HAS_D 0
#define VERSION_MAJOR_DEFAULT 4
#define VERSION_MINOR_DEFAULT 23
#elif PROFILE == D
#define HAS_B 1
#define HAS_C 1
#define HAS_D 1
#define VERSION_MAJOR_DEFAULT 5
#define VERSION_MINOR_DEFAULT 2
#else
#error "give -DPROFILE=A, B, C or D"
#endif
/* The letters are for the lines above only: so short a name must not reach code. */
#undef A
#undef B
#undef C
#undef D

#ifndef VERSION_MAJOR
#define VERSION_MAJOR VERSION_MAJOR_DEFAULT
#define VERSION_MINOR VERSION_MINOR_DEFAULT
#endif
#ifndef VERSION_REVISION
#define VERSION_REVISION 0
#endif

typedef int32_t hailo_status;
typedef float float32_t;
typedef double float64_t;
typedef struct object *hailo_device, *hailo_vdevice, *hailo_hef, *hailo_configured_network_group, *hailo_activated_network_group;
typedef struct object *hailo_input_vstream, *hailo_output_vstream;

enum {
  SUCCESS = 0, INVALID_ARGUMENT = 2, OUT_OF_HOST_MEMORY = 3, TIMEOUT = 4, INSUFFICIENT_BUFFER = 5, INVALID_OPERATION = 6,
  NOT_IMPLEMENTED = 7, INTERNAL_FAILURE = 8, OPEN_FILE_FAILURE = 13, FILE_OPERATION_FAILURE = 14, INVALID_HEF = 26, NOT_FOUND = 61, STREAM_ABORT = 63, DRIVER_NOT_INSTALLED = 64,
  NETWORK_GROUP_NOT_ACTIVATED = 69, DEVICE_IN_USE = 73, OUT_OF_PHYSICAL_DEVICES = 74, INVALID_DRIVER_VERSION = 76, HEF_FILE_CORRUPTED = 91,
  HEF_NOT_SUPPORTED = 92, HEF_NOT_COMPATIBLE_WITH_DEVICE = 93
};
enum { TYPE_AUTO = 0, TYPE_UINT8 = 1, TYPE_UINT16 = 2, TYPE_FLOAT32 = 3 };
enum { ORDER_AUTO = 0, ORDER_NHWC = 1, ORDER_NHCW = 2, ORDER_FCR = 3, ORDER_F8CR = 4, ORDER_NHW = 5, ORDER_NC = 6, ORDER_NMS = 9, ORDER_NMS_BY_CLASS = 22 };
enum { H2D = 0, D2H = 1 };
enum { SCHEDULING_NONE = 0, SCHEDULING_ROUND_ROBIN = 1 };
enum { ARCH_HAILO8 = 1, ARCH_HAILO8L = 2, ARCH_HAILO15H = 3, ARCH_HAILO10H = 6 };

typedef struct { uint32_t major, minor, revision; } hailo_version_t;
typedef struct { uint32_t major, minor, revision; } hailo_firmware_version_t;
typedef struct { char id[32]; } hailo_device_id_t;
typedef struct {
  uint32_t device_count;
  hailo_device_id_t *device_ids;
  int32_t scheduling_algorithm;
  const char *group_id;
  bool multi_process_service;
} hailo_vdevice_params_t;
typedef struct {
  uint32_t protocol_version;
  hailo_firmware_version_t fw_version;
  uint32_t logger_version;
  uint8_t board_name_length;
  char board_name[32];
  bool is_release, extended_context_switch_buffer;
#if HAS_D
  bool extended_fw_check;
#endif
  int32_t device_architecture;
  uint8_t serial_number_length;
  char serial_number[16];
  uint8_t part_number_length;
  char part_number[16];
  uint8_t product_name_length;
  char product_name[42];
} hailo_device_identity_t;
typedef struct {
  bool is_release, extended_context_switch_buffer;
#if HAS_D
  bool extended_fw_check;
#endif
  hailo_firmware_version_t fw_version;
} hailo_core_information_t;
typedef struct { bool ethernet, mipi, pcie, current_monitoring, mdio; } hailo_device_supported_features_t;
typedef struct {
  uint32_t neural_network_core_clock_rate;
  hailo_device_supported_features_t supported_features;
  int32_t boot_source;
  uint8_t soc_id[32], lcs, eth_mac_address[6], unit_level_tracking_id[12], soc_pm_values[24];
#if HAS_C
  uint16_t gpio_mask;
#endif
} hailo_extended_device_information_t;
typedef struct { float32_t ts0_temperature, ts1_temperature; uint16_t sample_count; } hailo_chip_temperature_info_t;
typedef struct {
  float32_t average_value, average_time_value_milliseconds, min_value, max_value;
  uint32_t total_number_of_samples;
} hailo_power_measurement_data_t;
typedef struct { uint32_t height, width, features; } hailo_3d_image_shape_t;
typedef struct { int32_t type, order, flags; } hailo_format_t;
typedef struct { float32_t qp_zp, qp_scale, limvals_min, limvals_max; } hailo_quant_info_t;
typedef struct {
  hailo_format_t user_buffer_format;
  uint32_t timeout_ms, queue_size;
  int32_t vstream_stats_flags, pipeline_elements_stats_flags;
} hailo_vstream_params_t;
typedef struct { char name[128]; hailo_vstream_params_t params; } hailo_input_vstream_params_by_name_t, hailo_output_vstream_params_by_name_t;
typedef struct { char name[128]; bool is_multi_context; } hailo_network_group_info_t;
typedef struct { char name[257]; } hailo_network_info_t;
typedef struct { char name[128]; } hailo_layer_name_t;
typedef struct { void *buffer; size_t size; } hailo_stream_raw_buffer_t;
typedef struct { char name[128]; hailo_stream_raw_buffer_t raw_buffer; } hailo_stream_raw_buffer_by_name_t;
typedef struct { float64_t avg_hw_latency_ms; } hailo_latency_measurement_result_t;
typedef struct { uint8_t reserved; } hailo_activate_network_group_params_t;

#if HAS_C
typedef struct { uint32_t number_of_classes, max_bboxes_per_class, max_bboxes_total, max_accumulated_mask_size; } hailo_nms_shape_t;
#elif HAS_B
typedef struct {
  uint32_t number_of_classes;
  union { uint32_t max_bboxes_per_class, max_bboxes_total; };
  uint32_t max_accumulated_mask_size;
  int32_t order_type;
} hailo_nms_shape_t;
#else
typedef struct { uint32_t number_of_classes, max_bboxes_per_class, max_accumulated_mask_size; } hailo_nms_shape_t;
#endif
typedef struct {
  char name[128], network_name[257];
  int32_t direction;
  hailo_format_t format;
  union { hailo_3d_image_shape_t shape; hailo_nms_shape_t nms_shape; };
  hailo_quant_info_t quant_info;
} hailo_vstream_info_t;
typedef struct {
  union {
    struct { hailo_3d_image_shape_t shape, hw_shape; };
    uint8_t nms_info[HAS_B ? 164 : 160];
    uint32_t align;
  };
  uint32_t hw_data_bytes, hw_frame_size;
  hailo_format_t format;
  int32_t direction;
  uint8_t index;
  char name[128];
  hailo_quant_info_t quant_info;
  bool is_mux;
} hailo_stream_info_t;

typedef struct { uint16_t batch_size; } hailo_network_parameters_t;
typedef struct { char name[257]; hailo_network_parameters_t network_params; } hailo_network_parameters_by_name_t;
typedef struct {
  int32_t stream_interface, direction, flags;
#if HAS_D
  uint8_t by_interface[1];
#else
  uint32_t by_interface[17];
#endif
} hailo_stream_parameters_t;
typedef struct { char name[128]; hailo_stream_parameters_t stream_params; } hailo_stream_parameters_by_name_t;
typedef struct {
  char name[128];
  uint16_t batch_size;
  int32_t power_mode, latency;
#if HAS_D
  bool enable_kv_cache;
#endif
  size_t stream_params_by_name_count;
  hailo_stream_parameters_by_name_t stream_params_by_name[40];
  size_t network_params_by_name_count;
  hailo_network_parameters_by_name_t network_params_by_name[8];
} hailo_configure_network_group_params_t;
typedef struct { size_t network_group_params_count; hailo_configure_network_group_params_t network_group_params[8]; } hailo_configure_params_t;

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type)
#define AT(type, field, bytes) _Static_assert(offsetof(type, field) == (bytes), #type "." #field)
SIZE(hailo_version_t, 12);
SIZE(hailo_device_id_t, 32);
SIZE(hailo_vdevice_params_t, 40);
SIZE(hailo_device_identity_t, 140);
AT(hailo_device_identity_t, device_architecture, 56);
SIZE(hailo_core_information_t, 16);
SIZE(hailo_extended_device_information_t, HAS_C ? 96 : 92);
SIZE(hailo_chip_temperature_info_t, 12);
SIZE(hailo_power_measurement_data_t, 20);
SIZE(hailo_format_t, 12);
SIZE(hailo_quant_info_t, 16);
SIZE(hailo_vstream_params_t, 28);
SIZE(hailo_input_vstream_params_by_name_t, 156);
SIZE(hailo_network_group_info_t, 129);
SIZE(hailo_network_info_t, 257);
SIZE(hailo_stream_raw_buffer_by_name_t, 144);
SIZE(hailo_nms_shape_t, HAS_B ? 16 : 12);
SIZE(hailo_vstream_info_t, HAS_B ? 436 : 432);
AT(hailo_vstream_info_t, shape, 404);
AT(hailo_vstream_info_t, quant_info, HAS_B ? 420 : 416);
SIZE(hailo_stream_info_t, HAS_B ? 340 : 336);
SIZE(hailo_stream_parameters_by_name_t, HAS_D ? 144 : 208);
SIZE(hailo_network_parameters_by_name_t, 260);
SIZE(hailo_configure_network_group_params_t, HAS_D ? 8000 : 10560);
AT(hailo_configure_network_group_params_t, latency, 136);
SIZE(hailo_configure_params_t, HAS_D ? 64008 : 84488);

#endif
