/*
 * What does a HEF say to a caller, with no device at all?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "standin.h"

static hailo_status add_hef(const uint8_t *bytes, size_t size, hailo_hef *out)
{
  struct hef_object *object = calloc(1, sizeof *object);
  if (object == NULL) return OUT_OF_HOST_MEMORY;
  int status = hef_parse(bytes, size, object->groups, &object->groups_count);
  if (status != SUCCESS) {
    free(object);
    return status;
  }
  object_add(&object->base, HEF);
  *out = &object->base;
  return SUCCESS;
}

EXPORT hailo_status hailo_create_hef_buffer(hailo_hef *out, const void *buffer, size_t size)
{
  ENTER();
  REQUIRE(out && buffer);
  return add_hef(buffer, size, out);
}

EXPORT hailo_status hailo_create_hef_file(hailo_hef *out, const char *path)
{
  ENTER();
  REQUIRE(out && path);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return OPEN_FILE_FAILURE;
  fseek(file, 0, SEEK_END);
  long size = ftell(file);
  rewind(file);
  uint8_t *bytes = size > 0 ? malloc((size_t)size) : NULL;
  hailo_status status = bytes && fread(bytes, 1, (size_t)size, file) == (size_t)size ? add_hef(bytes, (size_t)size, out) : FILE_OPERATION_FAILURE;
  free(bytes);
  fclose(file);
  return status;
}

EXPORT hailo_status hailo_release_hef(hailo_hef handle)
{
  ENTER();
  HANDLE(handle, HEF);
  object_remove(handle, HEF);
  struct hef_object *object = (struct hef_object *)handle;
  for (int i = 0; i < object->groups_count; i++) hef_drop(object->groups[i]);
  free(handle);
  return SUCCESS;
}

/* The group of this name, or of the network "group/group"; without a name the first, as the real library has it. NULL for none. */
struct hef *group_named(hailo_hef handle, const char *name)
{
  const struct hef_object *object = (const struct hef_object *)handle;
  if (name == NULL) return object->groups[0];
  for (int i = 0; i < object->groups_count; i++) {
    struct hef *hef = object->groups[i];
    char network[2 * sizeof hef->name + 2];
    snprintf(network, sizeof network, "%s/%s", hef->name, hef->name);
    if (strcmp(name, hef->name) == 0 || strcmp(name, network) == 0) return hef;
  }
  return NULL;
}

static int layers_of(struct hef *hef, struct layer **layers)
{
  int count = 0;
  for (int i = 0; i < hef->inputs_count; i++) layers[count++] = &hef->inputs[i];
  for (int i = 0; i < hef->outputs_count; i++) layers[count++] = &hef->outputs[i];
  return count;
}

EXPORT hailo_status hailo_get_network_groups_infos(hailo_hef handle, hailo_network_group_info_t *infos, size_t *count)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(infos && count);
  const struct hef_object *object = (const struct hef_object *)handle;
  size_t room = *count;
  *count = (size_t)object->groups_count;
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) {
    snprintf(infos[i].name, sizeof infos[i].name, "%s", object->groups[i]->name);
    infos[i].is_multi_context = object->groups[i]->is_multi_context;
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_hef_get_network_infos(hailo_hef handle, const char *name, hailo_network_info_t *infos, size_t *count)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(infos && count);
  struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  size_t room = *count;
  *count = 1;
  if (room < 1) return INSUFFICIENT_BUFFER;
  snprintf(infos[0].name, sizeof infos[0].name, "%s/%s", hef->name, hef->name);
  return SUCCESS;
}

EXPORT hailo_status hailo_hef_get_all_stream_infos(hailo_hef handle, const char *name, hailo_stream_info_t *infos, size_t room, size_t *count)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(infos && count);
  struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  struct layer *layers[2 * LAYERS_MAX];
  *count = (size_t)layers_of(hef, layers);
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) {
    const struct layer *layer = layers[i];
    memset(&infos[i], 0, sizeof infos[i]);
    infos[i].shape = infos[i].hw_shape = (hailo_3d_image_shape_t){ layer->height, layer->width, layer->features };
    infos[i].hw_data_bytes = layer->data_bytes;
    infos[i].hw_frame_size = (uint32_t)device_frame_bytes(layer);
    infos[i].format = (hailo_format_t){ device_type(layer), layer->user_order, 1 };
    infos[i].direction = layer->direction;
    infos[i].index = (uint8_t)i;
    snprintf(infos[i].name, sizeof infos[i].name, "%s", layer->name);
    if (layer->feature_scales == NULL) quant_infos_from_layer(layer, &infos[i].quant_info);
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_hef_get_all_vstream_infos(hailo_hef handle, const char *name, hailo_vstream_info_t *infos, size_t *count)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(infos && count);
  struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  struct layer *layers[2 * LAYERS_MAX];
  size_t room = *count;
  *count = (size_t)layers_of(hef, layers);
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) vstream_info_from_layer(hef, layers[i], &infos[i]);
  return SUCCESS;
}

EXPORT hailo_status hailo_hef_get_sorted_output_names(hailo_hef handle, const char *name, hailo_layer_name_t *names, size_t *count)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(names && count);
  struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  size_t room = *count;
  *count = (size_t)hef->outputs_count;
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) snprintf(names[i].name, sizeof names[i].name, "%s", hef->outputs[i].name);
  return SUCCESS;
}

EXPORT hailo_status hailo_hef_get_bottleneck_fps(hailo_hef handle, const char *name, float64_t *fps)
{
  ENTER();
  HANDLE(handle, HEF);
  REQUIRE(fps);
  struct hef *hef = group_named(handle, name);
  if (hef == NULL) return NOT_FOUND;
  *fps = hef->fps;
  return SUCCESS;
}

static hailo_status make_params(const struct layer *layers, int layers_count, int32_t type, hailo_input_vstream_params_by_name_t *params, size_t *count)
{
  REQUIRE(params && count && type >= TYPE_AUTO && type <= TYPE_FLOAT32);
  size_t room = *count;
  *count = (size_t)layers_count;
  if (room < *count) return INSUFFICIENT_BUFFER;
  for (size_t i = 0; i < *count; i++) {
    memset(&params[i], 0, sizeof params[i]);
    snprintf(params[i].name, sizeof params[i].name, "%s", layers[i].name);
    params[i].params = (hailo_vstream_params_t){ { type, ORDER_AUTO, 0 }, 10000, 2, 0, 0 };
  }
  return SUCCESS;
}

EXPORT hailo_status hailo_make_input_vstream_params(hailo_configured_network_group handle, bool unused, int32_t type, hailo_input_vstream_params_by_name_t *params, size_t *count)
{
  ENTER();
  (void)unused;
  HANDLE(handle, GROUP);
  struct hef *hef = ((struct group *)handle)->hef;
  return make_params(hef->inputs, hef->inputs_count, type, params, count);
}

EXPORT hailo_status hailo_make_output_vstream_params(hailo_configured_network_group handle, bool unused, int32_t type, hailo_output_vstream_params_by_name_t *params, size_t *count)
{
  ENTER();
  (void)unused;
  HANDLE(handle, GROUP);
  struct hef *hef = ((struct group *)handle)->hef;
  return make_params(hef->outputs, hef->outputs_count, type, params, count);
}

EXPORT hailo_status hailo_get_vstream_frame_size(hailo_vstream_info_t *info, hailo_format_t *format, size_t *bytes)
{
  ENTER();
  REQUIRE(info && format && bytes);
  struct layer layer = { .data_bytes = info->format.type == TYPE_UINT16 ? 2 : 1, .height = info->shape.height, .width = info->shape.width, .features = info->shape.features, .user_order = info->format.order };
  if (info->format.order == ORDER_NMS || info->format.order == ORDER_NMS_BY_CLASS) {
    layer.nms_classes = info->nms_shape.number_of_classes;
    layer.nms_boxes_per_class = info->nms_shape.max_bboxes_per_class;
  }
  *bytes = user_frame_bytes(&layer, *format);
  return *bytes ? SUCCESS : INVALID_ARGUMENT;
}
