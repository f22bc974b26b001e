/*
 * How does a frame come in, through the device and out again?
 *
 * Each stream has a bounded queue. One thread for each group, the "device", takes a frame from every input, computes, and puts
 * one to every output; it waits where a queue is full. Whoever writes or reads waits up to the stream's own timeout.
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

static uint8_t *slot(const struct stream *stream, uint32_t index) { return stream->ring + (size_t)(index % stream->params.queue_size) * stream->device_bytes; }

/* ---- the device ---- */

static int has_every_input(const struct group *group)
{
  for (int i = 0; i < group->hef->inputs_count; i++) if (!group->inputs[i] || group->inputs[i]->count == 0) return 0;
  return 1;
}

static void take_inputs(struct group *group, uint8_t **frames)
{
  for (int i = 0; i < group->hef->inputs_count; i++) {
    struct stream *stream = group->inputs[i];
    memcpy(frames[i], slot(stream, stream->head), stream->device_bytes);
    stream->head++;
    stream->count--;
  }
  pthread_cond_broadcast(&group->changed);
}

static void give_outputs(struct group *group, uint8_t **frames)
{
  for (int i = 0; i < group->hef->outputs_count; i++) {
    while (!group->is_stopping && group->outputs[i] && group->outputs[i]->count == group->outputs[i]->params.queue_size) {
      pthread_cond_wait(&group->changed, &group->mutex);
    }
    struct stream *stream = group->outputs[i];
    if (group->is_stopping || stream == NULL) continue;
    memcpy(slot(stream, stream->head + stream->count), frames[i], stream->device_bytes);
    stream->count++;
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
    double began_ms = now_ms();
    sleep_us(order_number("LATENCY_US", 0));
    model_run(hef, (const uint8_t *const *)inputs, outputs);
    device_worked();
    pthread_mutex_lock(&group->mutex);
    group->latency_ms_sum += now_ms() - began_ms;
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
  int is_last = --group->streams_count == 0;
  if (is_last) group->is_stopping = 1;
  pthread_cond_broadcast(&group->changed);
  while (stream->waiters > 0) pthread_cond_wait(&group->changed, &group->mutex);
  pthread_mutex_unlock(&group->mutex);
  if (is_last && group->has_thread) {
    pthread_join(group->thread, NULL);
    group->has_thread = 0;
  }
  free(stream->ring);
  free(stream);
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
  stream->device_bytes = device_frame_bytes(layer);
  stream->ring = calloc(given->params.queue_size, stream->device_bytes);
  if (stream->ring == NULL) {
    free(stream);
    return OUT_OF_HOST_MEMORY;
  }
  pthread_mutex_lock(&group->mutex);
  *place = stream;
  if (group->streams_count++ == 0) {
    group->is_stopping = 0;
    group->has_thread = pthread_create(&group->thread, NULL, run_device, group) == 0;
  }
  pthread_mutex_unlock(&group->mutex);
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
  while (status == SUCCESS && !stream->is_closing && stream->count == (is_input ? stream->params.queue_size : 0)) {
    if (pthread_cond_timedwait(&group->changed, &group->mutex, &end) != 0) status = TIMEOUT;
  }
  if (stream->is_closing) status = STREAM_ABORT;
  stream->waiters--;
  if (stream->is_closing) pthread_cond_broadcast(&group->changed);
  return status;
}

static hailo_status check_io(const struct stream *stream, size_t size)
{
  if (size != stream->user_bytes) return HAS_C ? INVALID_OPERATION : INVALID_ARGUMENT;
  int is_asleep = stream->group->vdevice->scheduling == SCHEDULING_NONE && !stream->group->is_active;
  return is_asleep ? NETWORK_GROUP_NOT_ACTIVATED : SUCCESS;
}

EXPORT hailo_status hailo_vstream_write_raw_buffer(hailo_input_vstream handle, const void *buffer, size_t size)
{
  ENTER();
  HANDLE(handle, INPUT);
  REQUIRE(buffer);
  struct stream *stream = (struct stream *)handle;
  hailo_status status = check_io(stream, size);
  if (status != SUCCESS) return status;
  uint8_t *device = malloc(stream->device_bytes);
  if (device == NULL) return OUT_OF_HOST_MEMORY;
  device_from_user(stream->layer, stream->params.user_buffer_format, buffer, device);
  struct group *group = stream->group;
  pthread_mutex_lock(&group->mutex);
  status = wait_for(stream, 1);
  if (status == SUCCESS) {
    memcpy(slot(stream, stream->head + stream->count), device, stream->device_bytes);
    stream->count++;
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
  hailo_status status = check_io(stream, size);
  if (status != SUCCESS) return status;
  struct group *group = stream->group;
  pthread_mutex_lock(&group->mutex);
  status = wait_for(stream, 0);
  if (status == SUCCESS) {
    user_from_device(stream->layer, stream->params.user_buffer_format, slot(stream, stream->head), buffer);
    stream->head++;
    stream->count--;
    pthread_cond_broadcast(&group->changed);
  }
  pthread_mutex_unlock(&group->mutex);
  return status;
}

EXPORT hailo_status hailo_flush_input_vstream(hailo_input_vstream handle)
{
  ENTER();
  HANDLE(handle, INPUT);
  return SUCCESS;
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
