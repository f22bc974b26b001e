/*
 * How do a caller's numbers become the device's, of 8 or 16 bits, and how back?
 *
 * The device's number q means (q - zero point) * scale. A scale of zero says that each feature has its own pair.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "standin.h"

static int is_nms(const struct layer *layer) { return layer->user_order == ORDER_NMS || layer->user_order == ORDER_NMS_BY_CLASS; }
static size_t elements_of(const struct layer *layer) { return (size_t)layer->height * layer->width * layer->features; }

int32_t device_type(const struct layer *layer) { return layer->data_bytes == 2 ? TYPE_UINT16 : TYPE_UINT8; }

hailo_format_t resolve_format(const struct layer *layer, hailo_format_t asked)
{
  if (asked.type == TYPE_AUTO) asked.type = is_nms(layer) ? TYPE_FLOAT32 : device_type(layer);
  if (asked.order == ORDER_AUTO) asked.order = layer->user_order;
  return asked;
}

size_t user_frame_bytes(const struct layer *layer, hailo_format_t asked)
{
  hailo_format_t format = resolve_format(layer, asked);
  if (format.order != layer->user_order) return 0;
  if (is_nms(layer)) return format.type == TYPE_FLOAT32 ? (size_t)layer->nms_classes * (1 + 5 * (size_t)layer->nms_boxes_per_class) * 4 : 0;
  return format.type == device_type(layer) ? device_frame_bytes(layer) : format.type == TYPE_FLOAT32 ? elements_of(layer) * 4 : 0;
}

size_t device_frame_bytes(const struct layer *layer) { return elements_of(layer) * layer->data_bytes; }

static void pair_at(const struct layer *layer, size_t index, float *zp, float *scale)
{
  if (layer->feature_scales) {
    size_t feature = index % layer->features;
    *zp = (float)layer->feature_zps[feature];
    *scale = (float)layer->feature_scales[feature];
  } else {
    *zp = layer->zp;
    *scale = layer->scale;
  }
  if (*scale == 0) *scale = 1;
}

void device_from_user(const struct layer *layer, hailo_format_t format, const void *user, uint8_t *device)
{
  size_t count = elements_of(layer);
  if (format.type != TYPE_FLOAT32) {
    memcpy(device, user, device_frame_bytes(layer));
    return;
  }
  const float *values = user;
  const float most = layer->data_bytes == 2 ? 65535 : 255;
  for (size_t i = 0; i < count; i++) {
    float zp, scale;
    pair_at(layer, i, &zp, &scale);
    float q = rintf(values[i] / scale + zp);
    /* Written so that NaN becomes 0, as saturating hardware has it. */
    uint16_t number = !(q > 0) ? 0 : q > most ? (uint16_t)most : (uint16_t)q;
    if (layer->data_bytes == 2) memcpy(device + 2 * i, &number, 2);
    else device[i] = (uint8_t)number;
  }
}

/* By class, packed: a count, then that many boxes of y_min, x_min, y_max, x_max, score. One box for each class whose byte is odd. */
static void boxes_from_device(const struct layer *layer, const uint8_t *device, float *out)
{
  memset(out, 0, layer->nms_classes * (1 + 5 * (size_t)layer->nms_boxes_per_class) * 4);
  for (size_t k = 0; k < layer->nms_classes; k++) {
    uint8_t q = device[k % elements_of(layer)];
    int has_box = layer->nms_boxes_per_class > 0 && (q & 1);
    *out++ = (float)has_box;
    if (!has_box) continue;
    const float box[5] = { 0.1f, 0.2f, 0.3f, 0.4f, (float)q / 255 };
    memcpy(out, box, sizeof box);
    out += 5;
  }
}

void user_from_device(const struct layer *layer, hailo_format_t format, const uint8_t *device, void *user)
{
  if (is_nms(layer)) {
    boxes_from_device(layer, device, user);
    return;
  }
  size_t count = elements_of(layer);
  if (format.type != TYPE_FLOAT32) {
    memcpy(user, device, device_frame_bytes(layer));
    return;
  }
  float *values = user;
  for (size_t i = 0; i < count; i++) {
    float zp, scale;
    pair_at(layer, i, &zp, &scale);
    uint16_t number = 0;
    if (layer->data_bytes == 2) memcpy(&number, device + 2 * i, 2);
    else number = device[i];
    values[i] = ((float)number - zp) * scale;
  }
}

void vstream_info_from_layer(const struct hef *hef, const struct layer *layer, hailo_vstream_info_t *info)
{
  memset(info, 0, sizeof *info);
  snprintf(info->name, sizeof info->name, "%s", layer->name);
  snprintf(info->network_name, sizeof info->network_name, "%s/%s", hef->name, hef->name);
  info->direction = layer->direction;
  info->format = (hailo_format_t){ is_nms(layer) ? TYPE_FLOAT32 : device_type(layer), layer->user_order, is_nms(layer) ? 0 : 1 };
  if (is_nms(layer)) {
    info->nms_shape.number_of_classes = layer->nms_classes;
    info->nms_shape.max_bboxes_per_class = layer->nms_boxes_per_class;
  } else {
    info->shape = (hailo_3d_image_shape_t){ layer->height, layer->width, layer->features };
  }
  /* With a pair for each feature the real library reports zeros here, which says: ask for the quant infos. */
  if (layer->feature_scales == NULL) quant_infos_from_layer(layer, &info->quant_info);
}

void quant_infos_from_layer(const struct layer *layer, hailo_quant_info_t *infos)
{
  uint32_t count = layer->feature_scales ? layer->features : 1;
  for (uint32_t i = 0; i < count; i++) {
    infos[i] = (hailo_quant_info_t){ layer->zp, layer->scale, layer->min, layer->max };
    if (layer->feature_scales == NULL) continue;
    infos[i].qp_zp = (float)layer->feature_zps[i];
    infos[i].qp_scale = (float)layer->feature_scales[i];
  }
}
