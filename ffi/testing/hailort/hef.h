/*
 * What does the stand-in keep of a HEF?
 */
#ifndef STANDIN_HEF_H
#define STANDIN_HEF_H

#include <stddef.h>
#include <stdint.h>

struct model;

enum { LAYERS_MAX = 16, GROUPS_MAX = 8 };
struct layer {
  char name[128];
  int direction;
  uint32_t height, width, features;
  /* As written in the file, and as a caller sees it. */
  int device_format, user_order;
  uint32_t data_bytes;
  float zp, scale, min, max;
  /* One pair a feature instead of one for all, or NULL. */
  double *feature_zps, *feature_scales;
  uint32_t feature_count;
  uint32_t nms_classes, nms_boxes_per_class;
};

/* One network group of a file. Shared by the handle that a caller holds and by each group configured from it. */
struct hef {
  int references;
  int arch;
  char name[96];
  int inputs_count, outputs_count, is_multi_context;
  double fps;
  struct layer inputs[LAYERS_MAX], outputs[LAYERS_MAX];
  struct model *model;
};

/* A status of the interface: 91, 92 (26 before 4.21), or SUCCESS with every group of the file. `bytes` may be freed afterwards. */
int hef_parse(const uint8_t *bytes, size_t size, struct hef *groups[GROUPS_MAX], int *count);
void hef_hold(struct hef *hef);
void hef_drop(struct hef *hef);

/* integrity.c */
uint32_t crc32_of(const uint8_t *bytes, size_t size);
void md5_of(const uint8_t *bytes, size_t size, uint8_t digest[16]);

/* model.c: the arithmetic that a HEF of ours carries. */

/* The model that lies in the protobuf, or NULL where there is none; *status tells of one that is not whole. */
struct model *model_find(const uint8_t *proto, size_t proto_size, const struct hef *hef, int *status);
void model_free(struct model *model);
/* Frames are the device's bytes, in the order of hef->inputs and hef->outputs. A HEF without a model repeats its first input. */
void model_run(const struct hef *hef, const uint8_t *const *inputs, uint8_t *const *outputs);

#endif
