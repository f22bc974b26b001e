/*
 * What does the stand-in compute? The layers that lib/formats/hef-model.ts describes, bit for bit, on uint8 frames.
 *
 * A HEF without such layers (a vendor's) answers with its first input, repeated.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "standin.h"

enum { MODEL_FIELD = 1000, TENSORS_MAX = 256, LAYER_HEAD = 44, LAYERS_LIMIT = 256 };
enum { BROKEN = HAS_C ? HEF_FILE_CORRUPTED : INVALID_HEF };

struct step {
  uint32_t source, target, height, width, source_features, target_features, taps;
  int32_t source_zp, target_zp, low, high;
  float *multiplier, *offset;
  int8_t *weights;
};
struct model { uint32_t inputs, outputs, steps_count, tensors_count; size_t bytes[TENSORS_MAX]; struct step *steps; };

struct reader { const uint8_t *at, *end; int is_bad; };

static const uint8_t *take(struct reader *r, size_t size)
{
  static const uint8_t nothing[LAYER_HEAD];
  if (r->is_bad || size > (size_t)(r->end - r->at)) { r->is_bad = 1; return nothing; }
  r->at += size;
  return r->at - size;
}

static void *copy_of(struct reader *r, size_t size)
{
  void *copy = NULL;
  const uint8_t *from = take(r, size);
  if (!r->is_bad && (copy = malloc(size + 1)) != NULL) memcpy(copy, from, size);
  r->is_bad |= copy == NULL;
  return copy;
}

static int note_tensor(struct model *model, uint32_t tensor, uint64_t bytes)
{
  if (tensor >= TENSORS_MAX || bytes == 0 || bytes >= 1u << 28) return 0;
  if (model->bytes[tensor] && model->bytes[tensor] != bytes) return 0;
  model->bytes[tensor] = (size_t)bytes;
  if (tensor >= model->tensors_count) model->tensors_count = tensor + 1;
  return 1;
}

static int read_step(struct reader *r, struct model *model, struct step *step)
{
  memcpy(step, take(r, LAYER_HEAD), LAYER_HEAD);
  uint64_t pixels = (uint64_t)step->height * step->width;
  int is_small = step->height < 1u << 20 && step->width < 1u << 20 && step->source_features < 1u << 16 && step->target_features < 1u << 16 && step->taps < 1u << 16;
  if (r->is_bad || !is_small || step->taps % 2 == 0 || step->low < 0 || step->low > step->high || step->high > 255) return 0;
  step->multiplier = copy_of(r, 4 * (size_t)step->target_features);
  step->offset = copy_of(r, 4 * (size_t)step->target_features);
  step->weights = copy_of(r, (size_t)step->target_features * step->taps * step->source_features);
  return !r->is_bad && step->target >= model->inputs && note_tensor(model, step->source, pixels * step->source_features)
    && note_tensor(model, step->target, pixels * step->target_features);
}

static int fits_hef(const struct model *model, const struct hef *hef)
{
  if ((int)model->inputs != hef->inputs_count || (int)model->outputs != hef->outputs_count) return 0;
  uint8_t written[TENSORS_MAX] = { 0 };
  memset(written, 1, model->inputs);
  for (uint32_t i = 0; i < model->steps_count; i++) {
    if (!written[model->steps[i].source]) return 0;
    written[model->steps[i].target] = 1;
  }
  for (int i = 0; i < hef->inputs_count; i++) {
    if (model->bytes[i] && model->bytes[i] != device_frame_bytes(&hef->inputs[i])) return 0;
  }
  for (int i = 0; i < hef->outputs_count; i++) {
    size_t tensor = model->inputs + (size_t)i;
    if (!written[tensor] || model->bytes[tensor] != device_frame_bytes(&hef->outputs[i])) return 0;
  }
  return 1;
}

static struct model *read_model(const uint8_t *bytes, size_t size, const struct hef *hef)
{
  struct reader r = { bytes, bytes + size, 0 };
  uint32_t head[4];
  memcpy(head, take(&r, 16), 16);
  struct model *model = calloc(1, sizeof *model);
  if (model == NULL) return NULL;
  model->inputs = head[1];
  model->outputs = head[2];
  int fits = !r.is_bad && memcmp(bytes, "RBM1", 4) == 0 && head[1] <= LAYERS_MAX && head[2] <= LAYERS_MAX && head[3] <= LAYERS_LIMIT;
  if (fits) fits = (model->steps = calloc(head[3] + 1, sizeof *model->steps)) != NULL;
  while (fits && model->steps_count < head[3]) {
    fits = read_step(&r, model, &model->steps[model->steps_count]);
    model->steps_count++;
  }
  if (fits && r.at == r.end && fits_hef(model, hef)) return model;
  model_free(model);
  return NULL;
}

void model_free(struct model *model)
{
  if (model == NULL) return;
  for (uint32_t i = 0; model->steps && i < model->steps_count; i++) {
    free(model->steps[i].multiplier);
    free(model->steps[i].offset);
    free(model->steps[i].weights);
  }
  free(model->steps);
  free(model);
}

static uint64_t varint(const uint8_t **at, const uint8_t *end)
{
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    uint8_t byte = *(*at)++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) break;
  }
  return value;
}

/* The protobuf was walked by hef.c before: its fields are whole. */
struct model *model_find(const uint8_t *proto, size_t proto_size, const struct hef *hef, int *status)
{
  const uint8_t *at = proto, *end = proto + proto_size;
  while (at < end) {
    uint64_t key = varint(&at, end);
    size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0;
    if ((key & 7) == 0) varint(&at, end);
    if ((key & 7) == 2) size = (size_t)varint(&at, end);
    if (key == (MODEL_FIELD << 3 | 2)) {
      struct model *model = read_model(at, size, hef);
      if (model == NULL) *status = BROKEN;
      return model;
    }
    at += size;
  }
  return NULL;
}

static void run_step(const struct step *step, const uint8_t *source, uint8_t *target)
{
  int half = (int)(step->taps - 1) / 2, width = (int)step->width, taps = (int)step->taps;
  for (uint32_t row = 0; row < step->height; row++) {
    for (int x = 0; x < width; x++) {
      for (uint32_t o = 0; o < step->target_features; o++) {
        int32_t sum = 0;
        for (int tap = 0; tap < taps; tap++) {
          int from = x + tap - half;
          if (from < 0 || from >= width) continue;
          const uint8_t *pixel = source + ((size_t)row * step->width + (size_t)from) * step->source_features;
          const int8_t *weights = step->weights + ((size_t)o * step->taps + (size_t)tap) * step->source_features;
          for (uint32_t i = 0; i < step->source_features; i++) sum += weights[i] * (pixel[i] - step->source_zp);
        }
        double value = floor((double)step->multiplier[o] * sum + (double)step->offset[o] + step->target_zp + 0.5);
        /* The other way round a NaN would pass. */
        *target++ = (uint8_t)(!(value > step->low) ? step->low : value > step->high ? step->high : value);
      }
    }
  }
}

static void repeat_input(const struct hef *hef, const uint8_t *input, uint8_t *const *outputs)
{
  size_t size = device_frame_bytes(&hef->inputs[0]);
  for (int i = 0; i < hef->outputs_count; i++) {
    for (size_t j = 0; j < device_frame_bytes(&hef->outputs[i]); j++) outputs[i][j] = input[j % size];
  }
}

void model_run(const struct hef *hef, const uint8_t *const *inputs, uint8_t *const *outputs)
{
  const struct model *model = hef->model;
  if (model == NULL) {
    repeat_input(hef, inputs[0], outputs);
    return;
  }
  uint8_t *tensors[TENSORS_MAX] = { 0 };
  uint32_t first_hidden = model->inputs + model->outputs;
  for (uint32_t i = 0; i < model->outputs; i++) tensors[model->inputs + i] = outputs[i];
  for (uint32_t i = first_hidden; i < model->tensors_count; i++) tensors[i] = calloc(1, model->bytes[i] + 1);
  for (uint32_t i = 0; i < model->steps_count; i++) {
    const struct step *step = &model->steps[i];
    const uint8_t *source = step->source < model->inputs ? inputs[step->source] : tensors[step->source];
    if (source && tensors[step->target]) run_step(step, source, tensors[step->target]);
  }
  for (uint32_t i = first_hidden; i < model->tensors_count; i++) free(tensors[i]);
}
