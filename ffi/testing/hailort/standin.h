/*
 * What do the files of the stand-in for libhailort.so share?
 *
 * It behaves as the real library does towards a caller: the same checks and statuses, frames that travel through bounded queues
 * on a thread of their own, and waits that end at a timeout. What it lacks is silicon: a model is computed on the CPU (model.c).
 */
#ifndef STANDIN_H
#define STANDIN_H

#include <pthread.h>
#include "abi.h"
#include "hef.h"

/* ---- faults.c: what a test orders to go wrong ---- */

/* Count a call of an exported function and do what was ordered for it: crash, or return a status other than SUCCESS. */
hailo_status fault_at(const char *function);
/* An order by its name, from standin_set() or from HAILO_STANDIN_<name> as it was when the library was loaded; NULL when none. */
const char *order_text(const char *name);
long order_number(const char *name, long otherwise);

#define ENTER() do { hailo_status ordered = fault_at(__func__); if (ordered != SUCCESS) return ordered; } while (0)
#define REQUIRE(condition) do { if (!(condition)) return INVALID_ARGUMENT; } while (0)

/* ---- objects.c: what a caller holds a handle of ---- */

enum kind { DEVICE, VDEVICE, HEF, GROUP, ACTIVATION, INPUT, OUTPUT, KINDS };
struct object { enum kind kind; struct object *next; };

void object_add(struct object *object, enum kind kind);
/* 0 when it was not there: a handle that was released before, or of another kind. That is counted as misuse. */
int object_remove(struct object *object, enum kind kind);
int object_is(const struct object *object, enum kind kind);
void count_misuse(void);
#define HANDLE(handle, wanted) do { if ((handle) == NULL) return INVALID_ARGUMENT; \
  if (!object_is((handle), (wanted))) { count_misuse(); return INVALID_ARGUMENT; } } while (0)

/* ---- devices ---- */

int device_count(void);
int device_arch(void);
void device_id(int index, hailo_device_id_t *id);
/* Adds to the frames that this process has run: temperature and power rise with it. */
void device_worked(void);

struct device { struct object base; int index; int is_owned; };
struct vdevice {
  struct object base;
  char group_id[64];
  int count, first, scheduling, groups_count;
  struct device devices[8];
  struct group *groups[GROUPS_MAX];
};

/* ---- network groups and their streams ---- */

struct hef_object { struct object base; struct hef *groups[GROUPS_MAX]; int groups_count; };

/* What lies between the device and a stream. It belongs to the group: frames that are on their way outlive the stream. */
struct lane { uint8_t *ring; size_t frame_bytes; uint32_t room, head, count; };

struct stream {
  struct object base;
  struct group *group;
  const struct layer *layer;
  hailo_vstream_params_t params;
  size_t user_bytes;
  struct lane *lane;
  int waiters, is_closing;
};

/* A frame's latency is this more than what LATENCY_US orders. */
#define OWN_LATENCY_MS 0.25

enum { STREAMS_MAX = 16 };
struct group {
  struct object base;
  struct vdevice *vdevice;
  struct hef *hef;
  int is_active, measures_latency, is_stopping, has_thread, streams_count;
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  struct stream *inputs[STREAMS_MAX], *outputs[STREAMS_MAX];
  struct lane into[STREAMS_MAX], out_of[STREAMS_MAX];
  double latency_ms_sum;
  long frames;
};

/* hef_api.c: one group of a file. */
struct hef *group_named(hailo_hef handle, const char *name);
void group_free(struct group *group);
/* vstreams.c: end the group's device thread, and give its lanes back. */
void group_stop(struct group *group);

/* ---- convert.c: user's buffers to the device's bytes and back ---- */

hailo_format_t resolve_format(const struct layer *layer, hailo_format_t asked);
/* Bytes of one frame in the user's format; 0 when the device cannot give that format. */
size_t user_frame_bytes(const struct layer *layer, hailo_format_t asked);
size_t device_frame_bytes(const struct layer *layer);
/* What one value is on the device. */
int32_t device_type(const struct layer *layer);
void device_from_user(const struct layer *layer, hailo_format_t format, const void *user, uint8_t *device);
void user_from_device(const struct layer *layer, hailo_format_t format, const uint8_t *device, void *user);
void vstream_info_from_layer(const struct hef *hef, const struct layer *layer, hailo_vstream_info_t *info);
void quant_infos_from_layer(const struct layer *layer, hailo_quant_info_t *infos);

#define EXPORT __attribute__((visibility("default")))

#endif
