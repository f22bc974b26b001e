/*
 * How are several frames run in one call?
 *
 * As the real library does it: streams made for the call, one thread that writes and one for each output that reads, and streams
 * released at the end.
 */
#include <stdlib.h>
#include <string.h>
#include "standin.h"

hailo_status hailo_create_input_vstreams(hailo_configured_network_group, const hailo_input_vstream_params_by_name_t *, size_t, hailo_input_vstream *);
hailo_status hailo_create_output_vstreams(hailo_configured_network_group, const hailo_output_vstream_params_by_name_t *, size_t, hailo_output_vstream *);
hailo_status hailo_release_input_vstreams(const hailo_input_vstream *, size_t);
hailo_status hailo_release_output_vstreams(const hailo_output_vstream *, size_t);
hailo_status hailo_vstream_write_raw_buffer(hailo_input_vstream, const void *, size_t);
hailo_status hailo_vstream_read_raw_buffer(hailo_output_vstream, void *, size_t);
hailo_status hailo_infer(hailo_configured_network_group, hailo_input_vstream_params_by_name_t *, hailo_stream_raw_buffer_by_name_t *, size_t,
                         hailo_output_vstream_params_by_name_t *, hailo_stream_raw_buffer_by_name_t *, size_t, size_t);

struct job { struct object *stream; uint8_t *buffer; size_t bytes, frames; int is_input; hailo_status status; };

static void *run_job(void *argument)
{
  struct job *job = argument;
  for (size_t i = 0; i < job->frames && job->status == SUCCESS; i++) {
    uint8_t *frame = job->buffer + i * job->bytes;
    job->status = job->is_input ? hailo_vstream_write_raw_buffer(job->stream, frame, job->bytes) : hailo_vstream_read_raw_buffer(job->stream, frame, job->bytes);
  }
  return NULL;
}

/* Every buffer must be there under its stream's name, and hold all frames exactly. */
static hailo_status match(const struct object *const *streams, const hailo_stream_raw_buffer_by_name_t *buffers, size_t count, size_t frames, int is_input, struct job *jobs)
{
  for (size_t i = 0; i < count; i++) {
    const struct stream *stream = (const struct stream *)streams[i];
    size_t j = 0;
    while (j < count && strncmp(buffers[j].name, stream->layer->name, sizeof buffers[j].name) != 0) j++;
    if (j == count) return NOT_FOUND;
    if (buffers[j].raw_buffer.buffer == NULL || buffers[j].raw_buffer.size != frames * stream->user_bytes) return INVALID_ARGUMENT;
    jobs[i] = (struct job){ (struct object *)streams[i], buffers[j].raw_buffer.buffer, stream->user_bytes, frames, is_input, SUCCESS };
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_infer(hailo_configured_network_group handle, hailo_input_vstream_params_by_name_t *input_params, hailo_stream_raw_buffer_by_name_t *input_buffers, size_t inputs_count,
                                hailo_output_vstream_params_by_name_t *output_params, hailo_stream_raw_buffer_by_name_t *output_buffers, size_t outputs_count, size_t frames)
{
  ENTER();
  HANDLE(handle, GROUP);
  REQUIRE(input_params && input_buffers && output_params && output_buffers && frames > 0);
  struct group *group = (struct group *)handle;
  REQUIRE((int)inputs_count == group->hef->inputs_count && (int)outputs_count == group->hef->outputs_count);
  struct object *inputs[STREAMS_MAX], *outputs[STREAMS_MAX];
  struct job jobs[2 * STREAMS_MAX];
  pthread_t threads[2 * STREAMS_MAX];
  hailo_status status = hailo_create_input_vstreams(handle, input_params, inputs_count, inputs);
  if (status != SUCCESS) return status;
  status = hailo_create_output_vstreams(handle, output_params, outputs_count, outputs);
  if (status == SUCCESS) {
    status = match((const struct object *const *)inputs, input_buffers, inputs_count, frames, 1, jobs);
    if (status == SUCCESS) status = match((const struct object *const *)outputs, output_buffers, outputs_count, frames, 0, jobs + inputs_count);
    size_t started = 0;
    for (; status == SUCCESS && started < inputs_count + outputs_count; started++) {
      if (pthread_create(&threads[started], NULL, run_job, &jobs[started]) != 0) break;
    }
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < started && status == SUCCESS; i++) status = jobs[i].status;
    hailo_release_output_vstreams(outputs, outputs_count);
  }
  hailo_release_input_vstreams(inputs, inputs_count);
  return status;
}
