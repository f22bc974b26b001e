/*
 * How does a frame come in, through the device and out again?
 *
 * Each stream has a bounded queue. One thread for each group, the "device", takes a frame from every input, computes, and puts
 * one to every output; it waits where a queue is full. Whoever writes or reads waits up to the stream's own timeout. Closing the
 * streams drops nothing: a frame that is late comes out of the streams that are opened next, as from the real library.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "standin.h"

static double now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void sleep_us(long us)
{
  struct timespec t = { us / 1000000, us % 1000000 * 1000 };
  if (us > 0) nanosleep(&t, NULL);
}

static uint8_t *slot(const struct lane *lane, uint32_t index) { return lane->ring + (size_t)(index % lane->room) * lane->frame_bytes; }

static void take_from(struct lane *lane)
{
  lane->head++;
  lane->count--;
}

/* ---- the device ---- */

static int has_every_input(const struct group *group)
{
  for (int i = 0; i < group->hef->inputs_count; i++) if (group->into[i].count == 0) return 0;
  return 1;
}

static void take_inputs(struct group *group, uint8_t **frames)
{
  for (int i = 0; i < group->hef->inputs_count; i++) {
    struct lane *lane = &group->into[i];
    memcpy(frames[i], slot(lane, lane->head), lane->frame_bytes);
    take_from(lane);
  }
  pthread_cond_broadcast(&group->changed);
}

static void give_outputs(struct group *group, uint8_t **frames)
{
  for (int i = 0; i < group->hef->outputs_count; i++) {
    struct lane *lane = &group->out_of[i];
    if (lane->ring == NULL) continue;
    while (!group->is_stopping && lane->count == lane->room) pthread_cond_wait(&group->changed, &group->mutex);
    if (group->is_stopping) return;
    memcpy(slot(lane, lane->head + lane->count), frames[i], lane->frame_bytes);
    lane->count++;
    pthread_cond_broadcast(&group->changed);
  }
}

static void *run_device(void *argument)
{
  struct group *group = argument;
  const struct hef *hef = group->hef;
  uint8_t *inputs[LAYERS_MAX] = { 0 }, *outputs[LAYERS_MAX] = { 0 };
  for (int i = 0; i < hef->inputs_count; i++) inputs[i] = calloc(1, device_frame_bytes(&hef->inputs[i]));
  for (int i = 0; i < hef->outputs_count; i++) outputs[i] = calloc(1, device_frame_bytes(&hef->outputs[i]));
  pthread_mutex_lock(&group->mutex);
  for (;;) {
    long hang_at = order_number("HANG_AT", 0);
    while (!group->is_stopping && (!has_every_input(group) || (hang_at > 0 && group->frames + 1 >= hang_at))) pthread_cond_wait(&group->changed, &group->mutex);
    if (group->is_stopping) break;
    take_inputs(group, inputs);
    pthread_mutex_unlock(&group->mutex);
    long us = order_number("LATENCY_US", 0);
    sleep_us(us);
    model_run(hef, (const uint8_t *const *)inputs, outputs);
    device_worked();
    pthread_mutex_lock(&group->mutex);
    group->latency_ms_sum += (double)us / 1000 + OWN_LATENCY_MS;
    group->frames++;
    give_outputs(group, outputs);
  }
  pthread_mutex_unlock(&group->mutex);
  for (int i = 0; i < LAYERS_MAX; i++) {
    free(inputs[i]);
    free(outputs[i]);
  }
  return NULL;
}

/* ---- streams ---- */

static const struct layer *layer_named(struct hef *hef, const char *name, int is_input, int *index)
{
  int count = is_input ? hef->inputs_count : hef->outputs_count;
  for (*index = 0; *index < count; ++*index) {
    struct layer *layer = is_input ? &hef->inputs[*index] : &hef->outputs[*index];
    if (strncmp(layer->name, name, sizeof layer->name) == 0) return layer;
  }
  return NULL;
}

static void release_stream(struct stream *stream, int is_input)
{
  struct group *group = stream->group;
  pthread_mutex_lock(&group->mutex);
  struct stream **streams = is_input ? group->inputs : group->outputs;
  for (int i = 0; i < STREAMS_MAX; i++) if (streams[i] == stream) streams[i] = NULL;
  stream->is_closing = 1;
  group->streams_count--;
  pthread_cond_broadcast(&group->changed);
  while (stream->waiters > 0) pthread_cond_wait(&group->changed, &group->mutex);
  pthread_mutex_unlock(&group->mutex);
  free(stream);
}

void group_stop(struct group *group)
{
  pthread_mutex_lock(&group->mutex);
  group->is_stopping = 1;
  pthread_cond_broadcast(&group->changed);
  pthread_mutex_unlock(&group->mutex);
  if (group->has_thread) pthread_join(group->thread, NULL);
  for (int i = 0; i < STREAMS_MAX; i++) {
    free(group->into[i].ring);
    free(group->out_of[i].ring);
  }
}

/* A lane is as long as its first stream asks for; the ones after it find it as it is. */
static int open_lane(struct lane *lane, size_t frame_bytes, uint32_t room)
{
  if (lane->ring) return 1;
  lane->ring = calloc(room, frame_bytes);
  lane->frame_bytes = frame_bytes;
  lane->room = room;
  return lane->ring != NULL;
}

static hailo_status create_stream(struct group *group, const hailo_input_vstream_params_by_name_t *given, int is_input, struct stream **out)
{
  int index = 0;
  const struct layer *layer = layer_named(group->hef, given->name, is_input, &index);
  if (layer == NULL) return NOT_FOUND;
  size_t bytes = user_frame_bytes(layer, given->params.user_buffer_format);
  REQUIRE(bytes > 0 && given->params.queue_size >= 1 && given->params.queue_size <= 1024);
  struct stream **place = is_input ? &group->inputs[index] : &group->outputs[index];
  if (*place) return INVALID_OPERATION;
  struct stream *stream = calloc(1, sizeof *stream);
  if (stream == NULL) return OUT_OF_HOST_MEMORY;
  stream->group = group;
  stream->layer = layer;
  stream->params = given->params;
  stream->params.user_buffer_format = resolve_format(layer, given->params.user_buffer_format);
  stream->user_bytes = bytes;
  stream->lane = is_input ? &group->into[index] : &group->out_of[index];
  pthread_mutex_lock(&group->mutex);
  int is_open = open_lane(stream->lane, device_frame_bytes(layer), given->params.queue_size);
  if (is_open) {
    *place = stream;
    group->streams_count++;
    if (!group->has_thread) group->has_thread = pthread_create(&group->thread, NULL, run_device, group) == 0;
  }
  pthread_mutex_unlock(&group->mutex);
  if (!is_open) {
    free(stream);
    return OUT_OF_HOST_MEMORY;
  }
  object_add(&stream->base, is_input ? INPUT : OUTPUT);
  *out = stream;
  return SUCCESS;
}

static hailo_status create_streams(hailo_configured_network_group handle, const hailo_input_vstream_params_by_name_t *params, size_t count, int is_input, struct object **out)
{
  HANDLE(handle, GROUP);
  REQUIRE(params && out && count > 0 && count <= STREAMS_MAX);
  for (size_t i = 0; i < count; i++) {
    struct stream *stream = NULL;
    hailo_status status = create_stream((struct group *)handle, &params[i], is_input, &stream);
    if (status != SUCCESS) {
      while (i-- > 0) {
        object_remove(out[i], is_input ? INPUT : OUTPUT);
        release_stream((struct stream *)out[i], is_input);
      }
      return status;
    }
    out[i] = &stream->base;
  }
  for (size_t i = 0; order_number("REVERSE", 0) && i < count / 2; i++) {
    struct object *first = out[i];
    out[i] = out[count - 1 - i];
    out[count - 1 - i] = first;
  }
  return SUCCESS;
}

static hailo_status release_streams(struct object *const *streams, size_t count, int is_input)
{
  REQUIRE(streams);
  for (size_t i = 0; i < count; i++) HANDLE(streams[i], is_input ? INPUT : OUTPUT);
  for (size_t i = 0; i < count; i++) {
    object_remove(streams[i], is_input ? INPUT : OUTPUT);
    release_stream((struct stream *)streams[i], is_input);
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_create_input_vstreams(hailo_configured_network_group handle, const hailo_input_vstream_params_by_name_t *params, size_t count, hailo_input_vstream *out)
{
  ENTER();
  return create_streams(handle, params, count, 1, out);
}

EXPORT hailo_status hailo_create_output_vstreams(hailo_configured_network_group handle, const hailo_output_vstream_params_by_name_t *params, size_t count, hailo_output_vstream *out)
{
  ENTER();
  return create_streams(handle, params, count, 0, out);
}

EXPORT hailo_status hailo_release_input_vstreams(const hailo_input_vstream *streams, size_t count)
{
  ENTER();
  return release_streams(streams, count, 1);
}

EXPORT hailo_status hailo_release_output_vstreams(const hailo_output_vstream *streams, size_t count)
{
  ENTER();
  return release_streams(streams, count, 0);
}

/* ---- writing and reading ---- */

/* Wait until the queue has room (or a frame), up to the stream's timeout. The group is locked. */
static hailo_status wait_for(struct stream *stream, int is_input)
{
  struct group *group = stream->group;
  double end_ms = now_ms() + stream->params.timeout_ms;
  struct timespec end = { (time_t)(end_ms / 1e3), (long)((end_ms - 1e3 * (double)(time_t)(end_ms / 1e3)) * 1e6) };
  hailo_status status = SUCCESS;
  stream->waiters++;
  while (status == SUCCESS && !stream->is_closing && stream->lane->count == (is_input ? stream->lane->room : 0)) {
    if (pthread_cond_timedwait(&group->changed, &group->mutex, &end) != 0) status = TIMEOUT;
  }
  if (stream->is_closing) status = STREAM_ABORT;
  stream->waiters--;
  if (stream->is_closing) pthread_cond_broadcast(&group->changed);
  return status;
}

static hailo_status check_io(const struct stream *stream, size_t size, int is_input)
{
  if (size != stream->user_bytes) return is_input ? INVALID_ARGUMENT : INTERNAL_FAILURE;
  int is_asleep = stream->group->vdevice->scheduling == SCHEDULING_NONE && !stream->group->is_active;
  return is_asleep ? NETWORK_GROUP_NOT_ACTIVATED : SUCCESS;
}

EXPORT hailo_status hailo_vstream_write_raw_buffer(hailo_input_vstream handle, const void *buffer, size_t size)
{
  ENTER();
  HANDLE(handle, INPUT);
  REQUIRE(buffer);
  struct stream *stream = (struct stream *)handle;
  hailo_status status = check_io(stream, size, 1);
  if (status != SUCCESS) return status;
  struct lane *lane = stream->lane;
  uint8_t *device = malloc(lane->frame_bytes);
  if (device == NULL) return OUT_OF_HOST_MEMORY;
  device_from_user(stream->layer, stream->params.user_buffer_format, buffer, device);
  struct group *group = stream->group;
  pthread_mutex_lock(&group->mutex);
  status = wait_for(stream, 1);
  if (status == SUCCESS) {
    memcpy(slot(lane, lane->head + lane->count), device, lane->frame_bytes);
    lane->count++;
    pthread_cond_broadcast(&group->changed);
  }
  pthread_mutex_unlock(&group->mutex);
  free(device);
  return status;
}

EXPORT hailo_status hailo_vstream_read_raw_buffer(hailo_output_vstream handle, void *buffer, size_t size)
{
  ENTER();
  HANDLE(handle, OUTPUT);
  REQUIRE(buffer);
  struct stream *stream = (struct stream *)handle;
  hailo_status status = check_io(stream, size, 0);
  if (status != SUCCESS) return status;
  struct group *group = stream->group;
  pthread_mutex_lock(&group->mutex);
  status = wait_for(stream, 0);
  if (status == SUCCESS) {
    user_from_device(stream->layer, stream->params.user_buffer_format, slot(stream->lane, stream->lane->head), buffer);
    take_from(stream->lane);
    pthread_cond_broadcast(&group->changed);
  }
  pthread_mutex_unlock(&group->mutex);
  return status;
}

/* ---- questions ---- */

EXPORT hailo_status hailo_get_input_vstream_frame_size(hailo_input_vstream handle, size_t *bytes)
{
  ENTER();
  HANDLE(handle, INPUT);
  REQUIRE(bytes);
  *bytes = ((struct stream *)handle)->user_bytes;
  return SUCCESS;
}

EXPORT hailo_status hailo_get_output_vstream_frame_size(hailo_output_vstream handle, size_t *bytes)
{
  ENTER();
  HANDLE(handle, OUTPUT);
  REQUIRE(bytes);
  *bytes = ((struct stream *)handle)->user_bytes;
  return SUCCESS;
}

EXPORT hailo_status hailo_get_input_vstream_info(hailo_input_vstream handle, hailo_vstream_info_t *info)
{
  ENTER();
  HANDLE(handle, INPUT);
  REQUIRE(info);
  vstream_info_from_layer(((struct stream *)handle)->group->hef, ((struct stream *)handle)->layer, info);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_output_vstream_info(hailo_output_vstream handle, hailo_vstream_info_t *info)
{
  ENTER();
  HANDLE(handle, OUTPUT);
  REQUIRE(info);
  vstream_info_from_layer(((struct stream *)handle)->group->hef, ((struct stream *)handle)->layer, info);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_output_vstream_quant_infos(hailo_output_vstream handle, hailo_quant_info_t *infos, size_t *count)
{
  ENTER();
  HANDLE(handle, OUTPUT);
  REQUIRE(infos && count);
  const struct layer *layer = ((struct stream *)handle)->layer;
  size_t room = *count;
  *count = layer->feature_scales ? layer->features : 1;
  if (room < *count) return INSUFFICIENT_BUFFER;
  quant_infos_from_layer(layer, infos);
  return SUCCESS;
}

EXPORT hailo_status hailo_get_input_vstream_quant_infos(hailo_input_vstream handle, hailo_quant_info_t *infos, size_t *count)
{
  ENTER();
  HANDLE(handle, INPUT);
  REQUIRE(infos && count);
  const struct layer *layer = ((struct stream *)handle)->layer;
  size_t room = *count;
  *count = layer->feature_scales ? layer->features : 1;
  if (room < *count) return INSUFFICIENT_BUFFER;
  quant_infos_from_layer(layer, infos);
  return SUCCESS;
}
