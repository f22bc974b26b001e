/*
 * Does a HEF fit a device, and what belongs to it once it is configured?
 *
 * A group lives as long as its virtual device. Under the scheduler nobody activates it; without the scheduler nobody may write
 * before it is activated.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "standin.h"

static int arch_fits(int device, int hef)
{
  if (device == ARCH_HAILO8) return hef == 1 || hef == 2 || hef == 3;
  if (device == ARCH_HAILO8L) return hef == 3;
  return hef == 103 || hef == 104 || hef == 105 || hef == 4 || hef == 5;
}

static void describe_group(const struct hef *hef, hailo_configure_network_group_params_t *group)
{
  snprintf(group->name, sizeof group->name, "%s", hef->name);
  for (int i = 0; i < hef->inputs_count + hef->outputs_count; i++) {
    const struct layer *layer = i < hef->inputs_count ? &hef->inputs[i] : &hef->outputs[i - hef->inputs_count];
    hailo_stream_parameters_by_name_t *stream = &group->stream_params_by_name[group->stream_params_by_name_count++];
    snprintf(stream->name, sizeof stream->name, "%s", layer->name);
    stream->stream_params.direction = layer->direction;
  }
  group->network_params_by_name_count = 1;
  snprintf(group->network_params_by_name[0].name, sizeof group->network_params_by_name[0].name, "%s/%s", hef->name, hef->name);
}

EXPORT hailo_status hailo_init_configure_params_by_vdevice(hailo_hef hef_handle, hailo_vdevice vdevice, hailo_configure_params_t *params)
{
  ENTER();
  HANDLE(hef_handle, HEF);
  HANDLE(vdevice, VDEVICE);
  REQUIRE(params);
  const struct hef_object *hef = (const struct hef_object *)hef_handle;
  memset(params, 0, sizeof *params);
  params->network_group_params_count = (size_t)hef->groups_count;
  for (int i = 0; i < hef->groups_count; i++) describe_group(hef->groups[i], &params->network_group_params[i]);
  return SUCCESS;
}

static struct group *new_group(struct vdevice *vdevice, struct hef *hef, int measures_latency)
{
  struct group *group = calloc(1, sizeof *group);
  if (group == NULL) return NULL;
  group->vdevice = vdevice;
  group->hef = hef;
  group->measures_latency = measures_latency;
  hef_hold(hef);
  pthread_condattr_t attributes;
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_cond_init(&group->changed, &attributes);
  pthread_mutex_init(&group->mutex, NULL);
  vdevice->groups[vdevice->groups_count++] = group;
  object_add(&group->base, GROUP);
  return group;
}

EXPORT hailo_status hailo_configure_vdevice(hailo_vdevice vdevice_handle, hailo_hef hef_handle, hailo_configure_params_t *params, hailo_configured_network_group *groups, size_t *count)
{
  ENTER();
  HANDLE(vdevice_handle, VDEVICE);
  HANDLE(hef_handle, HEF);
  REQUIRE(groups && count);
  if (device_arch() == ARCH_HAILO10H) return NOT_IMPLEMENTED;
  struct vdevice *vdevice = (struct vdevice *)vdevice_handle;
  const struct hef_object *hef = (const struct hef_object *)hef_handle;
  size_t room = *count;
  *count = (size_t)hef->groups_count;
  if (room < *count) return INSUFFICIENT_BUFFER;
  if (!arch_fits(device_arch(), hef->groups[0]->arch)) return HAS_C ? HEF_NOT_COMPATIBLE_WITH_DEVICE : INVALID_HEF;
  REQUIRE(params == NULL || params->network_group_params_count == *count);
  REQUIRE(vdevice->groups_count + hef->groups_count <= GROUPS_MAX);
  for (size_t i = 0; params && i < *count; i++) REQUIRE(strcmp(params->network_group_params[i].name, hef->groups[i]->name) == 0);
  for (size_t i = 0; i < *count; i++) {
    struct group *group = new_group(vdevice, hef->groups[i], params && params->network_group_params[i].latency != 0);
    if (group == NULL) return OUT_OF_HOST_MEMORY;
    groups[i] = &group->base;
  }
  return SUCCESS;
}

void group_free(struct group *group)
{
  object_remove(&group->base, GROUP);
  /* Streams that outlive their device are an error of the caller; the group is then kept, for they point to it. */
  if (group->streams_count > 0) {
    count_misuse();
    return;
  }
  group_stop(group);
  pthread_cond_destroy(&group->changed);
  pthread_mutex_destroy(&group->mutex);
  hef_drop(group->hef);
  free(group);
}

struct activation { struct object base; struct group *group; };

EXPORT hailo_status hailo_activate_network_group(hailo_configured_network_group handle, void *params, hailo_activated_network_group *out)
{
  ENTER();
  (void)params;
  HANDLE(handle, GROUP);
  REQUIRE(out);
  struct group *group = (struct group *)handle;
  if (group->vdevice->scheduling != SCHEDULING_NONE || group->is_active) return INVALID_OPERATION;
  struct activation *activation = calloc(1, sizeof *activation);
  if (activation == NULL) return OUT_OF_HOST_MEMORY;
  activation->group = group;
  group->is_active = 1;
  object_add(&activation->base, ACTIVATION);
  *out = &activation->base;
  return SUCCESS;
}

EXPORT hailo_status hailo_deactivate_network_group(hailo_activated_network_group handle)
{
  ENTER();
  HANDLE(handle, ACTIVATION);
  ((struct activation *)handle)->group->is_active = 0;
  object_remove(handle, ACTIVATION);
  free(handle);
  return SUCCESS;
}

static hailo_status schedule(hailo_configured_network_group handle)
{
  HANDLE(handle, GROUP);
  return ((struct group *)handle)->vdevice->scheduling == SCHEDULING_NONE ? INVALID_OPERATION : SUCCESS;
}

EXPORT hailo_status hailo_set_scheduler_timeout(hailo_configured_network_group handle, uint32_t timeout_ms, const char *network)
{
  ENTER();
  (void)timeout_ms;
  (void)network;
  return schedule(handle);
}

EXPORT hailo_status hailo_set_scheduler_threshold(hailo_configured_network_group handle, uint32_t threshold, const char *network)
{
  ENTER();
  (void)threshold;
  (void)network;
  return schedule(handle);
}

EXPORT hailo_status hailo_set_scheduler_priority(hailo_configured_network_group handle, uint8_t priority, const char *network)
{
  ENTER();
  (void)network;
  REQUIRE(priority <= 31);
  return schedule(handle);
}

EXPORT hailo_status hailo_get_latency_measurement(hailo_configured_network_group handle, const char *network, hailo_latency_measurement_result_t *result)
{
  ENTER();
  (void)network;
  HANDLE(handle, GROUP);
  REQUIRE(result);
  struct group *group = (struct group *)handle;
  enum { NOT_AVAILABLE = 65 };
  pthread_mutex_lock(&group->mutex);
  hailo_status status = group->measures_latency && group->frames > 0 ? SUCCESS : NOT_AVAILABLE;
  if (status == SUCCESS) result->avg_hw_latency_ms = group->latency_ms_sum / (double)group->frames;
  pthread_mutex_unlock(&group->mutex);
  return status;
}
