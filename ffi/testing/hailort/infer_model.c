/*
 * What stands behind the C++ classes of the stand-in (../hailort-cpp)? A model that runs one frame in one call.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "standin.h"

hailo_status standin_model_configure(hailo_hef handle);
hailo_status standin_model_run(hailo_hef handle, const char *name, const void *const *inputs, void *const *outputs, uint32_t timeout_ms);
double standin_latency_ms(void);

/* Whether a HEF may run on the device that is ordered. */
EXPORT hailo_status standin_model_configure(hailo_hef handle)
{
  ENTER();
  HANDLE(handle, HEF);
  int arch = ((struct hef_object *)handle)->groups[0]->arch;
  return arch == 103 || arch == 104 || arch == 105 || arch == 4 || arch == 5 ? SUCCESS : HEF_NOT_COMPATIBLE_WITH_DEVICE;
}

/* What one frame takes on the device, as it is told: what a clock would say depends on the machine's load. */
EXPORT double standin_latency_ms(void)
{
  return (double)order_number("LATENCY_US", 0) / 1000 + OWN_LATENCY_MS;
}

/* One frame of float32, of the group of this name; of the first where it is NULL. */
EXPORT hailo_status standin_model_run(hailo_hef handle, const char *name, const void *const *inputs, void *const *outputs, uint32_t timeout_ms)
{
  ENTER();
  HANDLE(handle, HEF);
  const struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  const hailo_format_t format = { TYPE_FLOAT32, ORDER_AUTO, 0 };
  uint8_t *in[LAYERS_MAX] = { 0 }, *out[LAYERS_MAX] = { 0 };
  long us = order_number("LATENCY_US", 0);
  int is_late = us / 1000 > (long)timeout_ms || order_number("HANG_AT", 0) == 1;
  struct timespec t = { (is_late ? timeout_ms * 1000L : us) / 1000000, (is_late ? timeout_ms * 1000L : us) % 1000000 * 1000 };
  nanosleep(&t, NULL);
  if (is_late) return TIMEOUT;
  for (int i = 0; i < hef->inputs_count; i++) {
    in[i] = malloc(device_frame_bytes(&hef->inputs[i]));
    device_from_user(&hef->inputs[i], resolve_format(&hef->inputs[i], format), inputs[i], in[i]);
  }
  for (int i = 0; i < hef->outputs_count; i++) out[i] = malloc(device_frame_bytes(&hef->outputs[i]));
  model_run(hef, (const uint8_t *const *)in, out);
  device_worked();
  for (int i = 0; i < hef->outputs_count; i++) user_from_device(&hef->outputs[i], resolve_format(&hef->outputs[i], format), out[i], outputs[i]);
  for (int i = 0; i < LAYERS_MAX; i++) {
    free(in[i]);
    free(out[i]);
  }
  return SUCCESS;
}
