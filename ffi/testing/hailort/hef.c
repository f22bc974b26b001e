/*
 * What stands in a HEF, as far as a caller of the interface can see it?
 *
 * The header of versions 0 to 3, its checks, and of the protobuf the fields that name groups and edge layers. A layer without
 * `buffer_indices` crashes the real library; here it is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "standin.h"

enum { MAGIC = 0x01484546 };
enum { NOT_A_HEF = HAS_C ? HEF_NOT_SUPPORTED : INVALID_HEF, CORRUPTED = HAS_C ? HEF_FILE_CORRUPTED : INVALID_HEF };

/* ---- protobuf: a cursor over one message ---- */

struct cursor { const uint8_t *at, *end; int is_bad; };
struct field { uint32_t number; int wire; uint64_t value; const uint8_t *bytes; size_t size; };

static uint64_t varint(struct cursor *c)
{
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (c->at >= c->end) break;
    uint8_t byte = *c->at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return value;
  }
  c->is_bad = 1;
  return 0;
}

static int next(struct cursor *c, struct field *f)
{
  if (c->is_bad || c->at >= c->end) return 0;
  uint64_t key = varint(c);
  f->number = (uint32_t)(key >> 3);
  f->wire = (int)(key & 7);
  f->bytes = c->at;
  f->size = f->wire == 1 ? 8 : f->wire == 5 ? 4 : 0;
  if (f->wire == 0) f->value = varint(c);
  else if (f->wire == 2) f->size = (size_t)varint(c), f->bytes = c->at;
  else if (f->size == 0) c->is_bad = 1;
  if (c->is_bad || f->size > (size_t)(c->end - c->at)) { c->is_bad = 1; return 0; }
  c->at += f->wire == 0 ? 0 : f->size;
  return 1;
}

static struct cursor into(const struct field *f) { return (struct cursor){ f->bytes, f->bytes + (f->wire == 2 ? f->size : 0), 0 }; }
static float float_of(const struct field *f) { float v = 0; if (f->wire == 5) memcpy(&v, f->bytes, 4); return v; }
static double double_of(const struct field *f) { double v = 0; if (f->wire == 1) memcpy(&v, f->bytes, 8); return v; }
static void text_of(const struct field *f, char *out, size_t room) { snprintf(out, room, "%.*s", f->wire == 2 ? (int)f->size : 0, (const char *)f->bytes); }

/* ---- edge layers ---- */

static int read_doubles(const struct field *f, double **out, uint32_t *count)
{
  if (f->wire != 2 || f->size % 8 != 0 || *out) return 0;
  *out = malloc(f->size + 8);
  if (*out == NULL) return 0;
  memcpy(*out, f->bytes, f->size);
  *count = (uint32_t)(f->size / 8);
  return 1;
}

static int read_numeric(struct cursor c, struct layer *layer)
{
  struct field f;
  uint32_t zps = 0;
  int fits = 1;
  while (next(&c, &f)) {
    if (f.number == 1) layer->zp = float_of(&f);
    else if (f.number == 2) layer->scale = float_of(&f);
    else if (f.number == 3) layer->min = float_of(&f);
    else if (f.number == 4) layer->max = float_of(&f);
    else if (f.number == 5) fits &= read_doubles(&f, &layer->feature_zps, &zps);
    else if (f.number == 6) fits &= read_doubles(&f, &layer->feature_scales, &layer->feature_count);
  }
  return fits && !c.is_bad && (layer->feature_scales == NULL || zps == layer->feature_count);
}

static int read_nms(struct cursor c, struct layer *layer)
{
  struct field f, g;
  while (next(&c, &f)) {
    if (f.number != 1) continue;
    struct cursor inner = into(&f);
    while (next(&inner, &g)) {
      if (g.number == 2) layer->nms_classes = (uint32_t)g.value;
      else if (g.number == 3) layer->nms_boxes_per_class = (uint32_t)g.value;
    }
    if (inner.is_bad) return 0;
  }
  return !c.is_bad;
}

static int read_base(struct cursor c, struct layer *layer, int *has_buffer)
{
  struct field f;
  int fits = 1;
  while (next(&c, &f)) {
    switch (f.number) {
      case 1: layer->height = (uint32_t)f.value; break;
      case 3: layer->width = (uint32_t)f.value; break;
      case 5: layer->features = (uint32_t)f.value; break;
      case 7: layer->device_format = (int)f.value; break;
      case 11: fits &= read_nms(into(&f), layer); break;
      case 12: layer->data_bytes = (uint32_t)f.value; break;
      case 13: *has_buffer = 1; break;
      default: break;
    }
  }
  return fits && !c.is_bad;
}

static int order_of(int format)
{
  switch (format) {
    case 0: case 1: case 8: case 13: return ORDER_NHWC;
    case 2: return ORDER_NC;
    case 3: return ORDER_FCR;
    case 5: return ORDER_NHW;
    case 6: return HAS_B ? ORDER_NMS_BY_CLASS : ORDER_NMS;
    case 7: return ORDER_F8CR;
    default: return -1;
  }
}

static int read_edge(struct cursor c, struct hef *hef)
{
  struct layer layer = { .data_bytes = 1 };
  struct field f, g;
  int is_boundary = 1, has_buffer = 0, fits = 1;
  while (next(&c, &f)) {
    if (f.number == 1) layer.direction = (int)f.value;
    struct cursor inner = into(&f);
    while ((f.number == 3 || f.number == 5) && next(&inner, &g)) {
      if (f.number == 5) is_boundary &= g.number != 3 || g.value == 0;
      else if (g.number == 1) text_of(&g, layer.name, sizeof layer.name);
      else if (g.number == 2) fits &= read_base(into(&g), &layer, &has_buffer);
      else if (g.number == 3) fits &= read_numeric(into(&g), &layer);
    }
    fits &= !inner.is_bad;
  }
  layer.user_order = order_of(layer.device_format);
  int is_number = layer.data_bytes == 1 || layer.data_bytes == 2;
  int *count = layer.direction == H2D ? &hef->inputs_count : &hef->outputs_count;
  uint64_t elements = (uint64_t)layer.height * layer.width * layer.features;
  int is_usable = fits && !c.is_bad && has_buffer && layer.user_order >= 0 && is_number && *count < LAYERS_MAX
    && elements > 0 && elements < (1u << 28) && (layer.feature_scales == NULL || layer.feature_count == layer.features);
  if (!is_boundary || !is_usable) {
    free(layer.feature_zps);
    free(layer.feature_scales);
    return !is_boundary;
  }
  (layer.direction == H2D ? hef->inputs : hef->outputs)[(*count)++] = layer;
  return 1;
}

/* ---- groups ---- */

static void sort_outputs(struct hef *hef, char sorted[][128], int count)
{
  int placed = 0;
  for (int i = 0; i < count; i++) {
    for (int j = placed; j < hef->outputs_count; j++) {
      if (strcmp(hef->outputs[j].name, sorted[i]) != 0) continue;
      struct layer moved = hef->outputs[j];
      memmove(&hef->outputs[placed + 1], &hef->outputs[placed], (size_t)(j - placed) * sizeof moved);
      hef->outputs[placed++] = moved;
      break;
    }
  }
}

static int read_core(struct cursor c, struct hef *hef)
{
  static __thread char sorted[LAYERS_MAX][128];
  struct field f, g, h;
  int fits = 1, sorted_count = 0, contexts = 0;
  while (next(&c, &f)) {
    struct cursor inner = into(&f);
    if (f.number == 4 && sorted_count < LAYERS_MAX) text_of(&f, sorted[sorted_count++], sizeof sorted[0]);
    if (f.number == 1) {
      while (next(&inner, &g)) {
        if (g.number == 1) text_of(&g, hef->name, sizeof hef->name);
        else if (g.number == 4) hef->fps = double_of(&g);
      }
      fits &= !inner.is_bad;
    }
    if (f.number != 3) continue;
    contexts++;
    while (next(&inner, &g)) {
      struct cursor metadata = into(&g);
      while (g.number == 3 && next(&metadata, &h)) if (h.number == 2) fits &= read_edge(into(&h), hef);
      fits &= !metadata.is_bad;
    }
    fits &= !inner.is_bad;
  }
  hef->is_multi_context = contexts > 1;
  sort_outputs(hef, sorted, sorted_count);
  return fits && !c.is_bad;
}

/* Only a file that says so has a pair for each feature; elsewhere the lists merely repeat the one pair. */
static void forget_features(struct hef *hef)
{
  for (int i = 0; i < 2 * LAYERS_MAX; i++) {
    struct layer *layer = i < LAYERS_MAX ? &hef->inputs[i] : &hef->outputs[i - LAYERS_MAX];
    free(layer->feature_zps);
    free(layer->feature_scales);
    layer->feature_zps = layer->feature_scales = NULL;
  }
}

static int read_group(struct cursor c, struct hef **out)
{
  struct hef *hef = *out = calloc(1, sizeof *hef);
  if (hef == NULL) return 0;
  hef->references = 1;
  return read_core(c, hef) && hef->inputs_count > 0 && hef->outputs_count > 0 && hef->name[0];
}

static int read_proto(const uint8_t *bytes, size_t size, struct hef *groups[GROUPS_MAX], int *count)
{
  enum { SCALE_PER_FEATURE = 25 };
  struct cursor c = { bytes, bytes + size, 0 };
  struct field f, g;
  int fits = 1, is_per_feature = 0, arch = 0;
  while (fits && next(&c, &f)) {
    struct cursor inner = into(&f);
    if (f.number == 1) while (next(&inner, &g)) if (g.number == 1) arch = (int)g.value;
    if (f.number == 5) while (next(&inner, &g)) if (g.number == 1) is_per_feature |= g.value == SCALE_PER_FEATURE;
    if (f.number == 2 && *count == GROUPS_MAX) fits = 0;
    else if (f.number == 2) fits = read_group(inner, &groups[(*count)++]);
    fits &= !inner.is_bad;
  }
  for (int i = 0; i < *count && groups[i]; i++) {
    groups[i]->arch = arch;
    if (!is_per_feature) forget_features(groups[i]);
  }
  return fits && !c.is_bad && *count > 0;
}

/* ---- header ---- */

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }
static uint64_t be64(const uint8_t *p) { return (uint64_t)be32(p) << 32 | be32(p + 4); }

static int check_header(const uint8_t *bytes, size_t size, size_t *header)
{
  static const size_t sizes[] = { 32, 28, 44, 56 };
  if (size < 12 || be32(bytes) != MAGIC || be32(bytes + 4) > 3) return NOT_A_HEF;
  uint32_t version = be32(bytes + 4), proto = be32(bytes + 8);
  *header = sizes[version];
  if (size < *header || proto > size - *header) return CORRUPTED;
  const uint8_t *rest = bytes + *header;
  size_t rest_size = size - *header;
  if (version == 0) {
    uint8_t digest[16];
    md5_of(rest, rest_size, digest);
    return memcmp(digest, bytes + 16, 16) == 0 ? SUCCESS : CORRUPTED;
  }
  uint64_t ccws = version == 1 ? be64(bytes + 16) : be64(bytes + 20), more = version == 3 ? be64(bytes + 32) : 0;
  if (ccws > rest_size || more > rest_size || proto + ccws + more != rest_size) return CORRUPTED;
  /* The xxh3 of versions 2 and 3 is not checked here; the real 5.x skips that of the weights too. */
  return version != 1 || crc32_of(rest, rest_size) == be32(bytes + 12) ? SUCCESS : CORRUPTED;
}

int hef_parse(const uint8_t *bytes, size_t size, struct hef *groups[GROUPS_MAX], int *count)
{
  size_t header = 0;
  if (size == 0) return FILE_OPERATION_FAILURE;
  int status = check_header(bytes, size, &header);
  if (status != SUCCESS) return status;
  size_t proto = be32(bytes + 8);
  *count = 0;
  memset(groups, 0, GROUPS_MAX * sizeof *groups);
  if (!read_proto(bytes + header, proto, groups, count)) status = CORRUPTED;
  /* Arithmetic belongs to the first group; the streams of others repeat their input. */
  else groups[0]->model = model_find(bytes + header, proto, groups[0], &status);
  for (int i = 0; status != SUCCESS && i < *count; i++) hef_drop(groups[i]);
  return status;
}

void hef_hold(struct hef *hef) { __atomic_add_fetch(&hef->references, 1, __ATOMIC_RELAXED); }

void hef_drop(struct hef *hef)
{
  if (hef == NULL || __atomic_sub_fetch(&hef->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  forget_features(hef);
  model_free(hef->model);
  free(hef);
}
