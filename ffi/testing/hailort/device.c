/*
 * Which devices are there, and what do they say of themselves?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "standin.h"

static long frames_run;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
/* Who holds each physical device: the group id of a virtual device, or nothing. */
static struct { char group_id[64]; int holders; } physical[8];

int device_count(void)
{
  long count = order_number("DEVICES", 1);
  return count < 0 ? 0 : count > 8 ? 8 : (int)count;
}

int device_arch(void)
{
  const char *arch = order_text("ARCH");
  if (arch == NULL) return HAS_D ? ARCH_HAILO15H : ARCH_HAILO8;
  if (strcmp(arch, "hailo8l") == 0) return ARCH_HAILO8L;
  if (strcmp(arch, "hailo15h") == 0) return ARCH_HAILO15H;
  if (strcmp(arch, "hailo10h") == 0) return ARCH_HAILO10H;
  return ARCH_HAILO8;
}

void device_id(int index, hailo_device_id_t *id)
{
  memset(id, 0, sizeof *id);
  snprintf(id->id, sizeof id->id, "0000:%02x:00.0", index + 1);
}

/* Without a driver, which is what a machine without a device has, 4.23 and 5.0.1 were the first to find no device; before it is an error. */
static int misses_driver(void)
{
  int is_old = (VERSION_MAJOR == 4 && VERSION_MINOR < 23) || (VERSION_MAJOR == 5 && VERSION_MINOR == 0 && VERSION_REVISION == 0);
  return is_old && device_count() == 0;
}

void device_worked(void) { __atomic_add_fetch(&frames_run, 1, __ATOMIC_RELAXED); }

EXPORT hailo_status hailo_get_library_version(hailo_version_t *version)
{
  ENTER();
  REQUIRE(version);
  *version = (hailo_version_t){ VERSION_MAJOR, VERSION_MINOR, VERSION_REVISION };
  return SUCCESS;
}

EXPORT hailo_status hailo_scan_devices(void *params, hailo_device_id_t *ids, size_t *count)
{
  ENTER();
  REQUIRE(params == NULL && ids && count);
  if (misses_driver()) return DRIVER_NOT_INSTALLED;
  size_t room = *count;
  *count = (size_t)device_count();
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) device_id((int)i, &ids[i]);
  return SUCCESS;
}

static hailo_status index_of(const hailo_device_id_t *id, int *index)
{
  if (device_count() == 0) return misses_driver() ? DRIVER_NOT_INSTALLED : OUT_OF_PHYSICAL_DEVICES;
  if (order_number("DRIVER_MISMATCH", 0)) return INVALID_DRIVER_VERSION;
  if (id == NULL) {
    *index = 0;
    return device_count() == 1 ? SUCCESS : INVALID_OPERATION;
  }
  for (*index = 0; *index < device_count(); ++*index) {
    hailo_device_id_t known;
    device_id(*index, &known);
    if (strncmp(known.id, id->id, sizeof known.id) == 0) return SUCCESS;
  }
  return INVALID_ARGUMENT;
}

EXPORT hailo_status hailo_create_device_by_id(const hailo_device_id_t *id, hailo_device *out)
{
  ENTER();
  REQUIRE(out);
  int index = 0;
  hailo_status status = index_of(id, &index);
  if (status != SUCCESS) return status;
  struct device *device = calloc(1, sizeof *device);
  if (device == NULL) return OUT_OF_HOST_MEMORY;
  device->index = index;
  device->is_owned = 1;
  object_add(&device->base, DEVICE);
  *out = &device->base;
  return SUCCESS;
}

EXPORT hailo_status hailo_release_device(hailo_device handle)
{
  ENTER();
  HANDLE(handle, DEVICE);
  struct device *device = (struct device *)handle;
  if (!device->is_owned) { count_misuse(); return INVALID_OPERATION; }
  object_remove(handle, DEVICE);
  free(device);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_device_id(hailo_device handle, hailo_device_id_t *id)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(id);
  device_id(((struct device *)handle)->index, id);
  return SUCCESS;
}

EXPORT hailo_status hailo_identify(hailo_device handle, hailo_device_identity_t *identity)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(identity);
  memset(identity, 0, sizeof *identity);
  identity->protocol_version = 2;
  identity->fw_version = (hailo_firmware_version_t){ VERSION_MAJOR, VERSION_MINOR, VERSION_REVISION };
  identity->is_release = true;
  identity->device_architecture = device_arch();
  /* A board of a Hailo-8L says "Hailo-8" too: only the architecture tells them apart. */
  const char *board = identity->device_architecture == ARCH_HAILO10H ? "Hailo-10H" : identity->device_architecture == ARCH_HAILO15H ? "Hailo-15H" : "Hailo-8";
  identity->board_name_length = (uint8_t)snprintf(identity->board_name, sizeof identity->board_name, "%s", board);
  identity->serial_number_length = (uint8_t)snprintf(identity->serial_number, sizeof identity->serial_number, "STANDIN%04d", ((struct device *)handle)->index + 1);
  identity->part_number_length = (uint8_t)snprintf(identity->part_number, sizeof identity->part_number, "HM000STANDIN");
  identity->product_name_length = (uint8_t)snprintf(identity->product_name, sizeof identity->product_name, "STAND-IN WITHOUT SILICON");
  return SUCCESS;
}

EXPORT hailo_status hailo_get_extended_device_information(hailo_device handle, hailo_extended_device_information_t *extended)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(extended);
  memset(extended, 0, sizeof *extended);
  extended->neural_network_core_clock_rate = device_arch() == ARCH_HAILO8L ? 200000000u : 400000000u;
  extended->supported_features.pcie = true;
  extended->supported_features.current_monitoring = true;
  extended->boot_source = 1;
  return SUCCESS;
}

static float warmth(void)
{
  long frames = __atomic_load_n(&frames_run, __ATOMIC_RELAXED);
  return frames > 20000 ? 20.0f : (float)frames / 1000.0f;
}

EXPORT hailo_status hailo_get_chip_temperature(hailo_device handle, hailo_chip_temperature_info_t *info)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(info);
  *info = (hailo_chip_temperature_info_t){ 40.0f + warmth(), 40.5f + warmth(), 4 };
  return SUCCESS;
}

EXPORT hailo_status hailo_power_measurement(hailo_device handle, int32_t dvm, int32_t type, float32_t *measurement)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(measurement && (dvm == 0x7fffffff) == (type == 0x7fffffff));
  *measurement = 1.5f + warmth() / 10.0f;
  return SUCCESS;
}

EXPORT hailo_status hailo_set_power_measurement(hailo_device handle, int32_t buffer, int32_t dvm, int32_t type)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(buffer >= 0 && buffer < 4 && (dvm == 0x7fffffff) == (type == 0x7fffffff));
  return SUCCESS;
}

EXPORT hailo_status hailo_start_power_measurement(hailo_device handle, int32_t averaging, int32_t sampling)
{
  ENTER();
  HANDLE(handle, DEVICE);
  REQUIRE(averaging >= 0 && averaging <= 7 && sampling >= 0 && sampling <= 7);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_power_measurement(hailo_device handle, int32_t buffer, bool clear, hailo_power_measurement_data_t *data)
{
  ENTER();
  (void)clear;
  HANDLE(handle, DEVICE);
  REQUIRE(data && buffer >= 0 && buffer < 4);
  float watts = 1.5f + warmth() / 10.0f;
  *data = (hailo_power_measurement_data_t){ watts, 563.2f, watts - 0.2f, watts + 0.3f, 256 };
  return SUCCESS;
}

EXPORT hailo_status hailo_stop_power_measurement(hailo_device handle)
{
  ENTER();
  HANDLE(handle, DEVICE);
  return SUCCESS;
}

EXPORT hailo_status hailo_init_vdevice_params(hailo_vdevice_params_t *params)
{
  ENTER();
  REQUIRE(params);
  *params = (hailo_vdevice_params_t){ .device_count = 1, .scheduling_algorithm = SCHEDULING_ROUND_ROBIN, .group_id = "UNIQUE" };
  return SUCCESS;
}

/* Take devices for a group id; two virtual devices share them only under one id that is not "UNIQUE". */
static hailo_status take(struct vdevice *vdevice, const hailo_vdevice_params_t *params)
{
  int is_shared = strcmp(vdevice->group_id, "UNIQUE") != 0, taken = 0, wanted = 0;
  for (int i = 0; i < device_count() && taken < vdevice->count; i++) {
    hailo_device_id_t id;
    device_id(i, &id);
    int is_wanted = params->device_ids == NULL;
    for (int j = 0; j < vdevice->count && !is_wanted; j++) is_wanted = strncmp(params->device_ids[j].id, id.id, sizeof id.id) == 0;
    int is_free = physical[i].holders == 0 || (is_shared && strcmp(physical[i].group_id, vdevice->group_id) == 0);
    wanted += is_wanted;
    if (is_wanted && is_free) vdevice->devices[taken++].index = i;
  }
  if (misses_driver()) return DRIVER_NOT_INSTALLED;
  if (taken < vdevice->count && params->device_ids) return wanted < vdevice->count ? INVALID_ARGUMENT : DEVICE_IN_USE;
  if (taken < vdevice->count) return OUT_OF_PHYSICAL_DEVICES;
  for (int j = 0; j < taken; j++) {
    int i = vdevice->devices[j].index;
    snprintf(physical[i].group_id, sizeof physical[i].group_id, "%s", vdevice->group_id);
    physical[i].holders++;
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_create_vdevice(hailo_vdevice_params_t *given, hailo_vdevice *out)
{
  ENTER();
  REQUIRE(out);
  hailo_vdevice_params_t params;
  hailo_init_vdevice_params(&params);
  if (given) params = *given;
  REQUIRE(params.device_count >= 1 && params.device_count <= 8);
  REQUIRE(params.scheduling_algorithm == SCHEDULING_NONE || params.scheduling_algorithm == SCHEDULING_ROUND_ROBIN);
  if (device_count() > 0 && order_number("DRIVER_MISMATCH", 0)) return INVALID_DRIVER_VERSION;
  struct vdevice *vdevice = calloc(1, sizeof *vdevice);
  if (vdevice == NULL) return OUT_OF_HOST_MEMORY;
  vdevice->count = (int)params.device_count;
  vdevice->scheduling = params.scheduling_algorithm;
  snprintf(vdevice->group_id, sizeof vdevice->group_id, "%s", params.group_id ? params.group_id : "UNIQUE");
  pthread_mutex_lock(&mutex);
  hailo_status status = take(vdevice, &params);
  pthread_mutex_unlock(&mutex);
  if (status != SUCCESS) {
    free(vdevice);
    return status;
  }
  for (int i = 0; i < vdevice->count; i++) object_add(&vdevice->devices[i].base, DEVICE);
  object_add(&vdevice->base, VDEVICE);
  *out = &vdevice->base;
  return SUCCESS;
}

EXPORT hailo_status hailo_release_vdevice(hailo_vdevice handle)
{
  ENTER();
  HANDLE(handle, VDEVICE);
  struct vdevice *vdevice = (struct vdevice *)handle;
  object_remove(handle, VDEVICE);
  for (int i = 0; i < vdevice->groups_count; i++) group_free(vdevice->groups[i]);
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < vdevice->count; i++) physical[vdevice->devices[i].index].holders--;
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < vdevice->count; i++) object_remove(&vdevice->devices[i].base, DEVICE);
  free(vdevice);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_physical_devices(hailo_vdevice handle, hailo_device *devices, size_t *count)
{
  ENTER();
  HANDLE(handle, VDEVICE);
  REQUIRE(devices && count);
  struct vdevice *vdevice = (struct vdevice *)handle;
  size_t room = *count;
  *count = (size_t)vdevice->count;
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) devices[i] = &vdevice->devices[i].base;
  return SUCCESS;
}
