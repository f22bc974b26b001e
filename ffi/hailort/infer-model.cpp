/*
 * How does a program that speaks C run a model on a Hailo-10H?
 *
 * HailoRT 5 runs models there through its C++ classes only. This file puts six C functions before them; it is compiled on the
 * target on first use, with HailoRT's own headers, so that it always fits the library that is installed.
 *
 * Buffers are ours: the library may write to the end of an output's last page, which a caller's array would not survive.
 */
#include <hailo/hailort.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

namespace {

constexpr size_t page_bytes = 4096;

struct Free { void operator()(void *memory) const { std::free(memory); } };
struct Stream {
  std::string name;
  size_t frame_bytes;
  std::unique_ptr<void, Free> memory;
};

struct Model {
  std::unique_ptr<hailort::VDevice> vdevice;
  std::shared_ptr<hailort::InferModel> model;
  hailort::ConfiguredInferModel configured;
  hailort::ConfiguredInferModel::Bindings bindings;
  std::vector<Stream> inputs, outputs;
};

Stream stream_of(const std::string &name, size_t frame_bytes)
{
  void *memory = nullptr;
  const size_t whole_pages = (frame_bytes + page_bytes - 1) / page_bytes * page_bytes;
  if (posix_memalign(&memory, page_bytes, whole_pages) != 0) throw std::bad_alloc();
  std::memset(memory, 0, whole_pages);
  return Stream{name, frame_bytes, std::unique_ptr<void, Free>(memory)};
}

int32_t open_model(const char *path, const char *group, const char *device_id, const char *group_id, bool measures_latency, Model &out)
{
  hailo_vdevice_params_t params;
  hailo_status status = hailo_init_vdevice_params(&params);
  if (status != HAILO_SUCCESS) return status;
  hailo_device_id_t id{};
  if (device_id) {
    std::strncpy(id.id, device_id, sizeof id.id - 1);
    params.device_ids = &id;
    params.device_count = 1;
  }
  if (group_id) params.group_id = group_id;
  auto vdevice = hailort::VDevice::create(params);
  if (!vdevice) return vdevice.status();
  out.vdevice = vdevice.release();
  auto model = out.vdevice->create_infer_model(path, group ? group : "");
  if (!model) return model.status();
  out.model = model.release();
  if (measures_latency) out.model->set_hw_latency_measurement_flags(HAILO_LATENCY_MEASURE);
  for (const auto &name : out.model->get_input_names()) out.model->input(name)->set_format_type(HAILO_FORMAT_TYPE_FLOAT32);
  for (const auto &name : out.model->get_output_names()) out.model->output(name)->set_format_type(HAILO_FORMAT_TYPE_FLOAT32);
  auto configured = out.model->configure();
  if (!configured) return configured.status();
  out.configured = configured.release();
  auto bindings = out.configured.create_bindings();
  if (!bindings) return bindings.status();
  out.bindings = bindings.release();
  for (const auto &name : out.model->get_input_names()) out.inputs.push_back(stream_of(name, out.model->input(name)->get_frame_size()));
  for (const auto &name : out.model->get_output_names()) out.outputs.push_back(stream_of(name, out.model->output(name)->get_frame_size()));
  for (auto &s : out.inputs) {
    status = out.bindings.input(s.name)->set_buffer(hailort::MemoryView(s.memory.get(), s.frame_bytes));
    if (status != HAILO_SUCCESS) return status;
  }
  for (auto &s : out.outputs) {
    status = out.bindings.output(s.name)->set_buffer(hailort::MemoryView(s.memory.get(), s.frame_bytes));
    if (status != HAILO_SUCCESS) return status;
  }
  return HAILO_SUCCESS;
}

/* No exception may cross into C. */
template <typename Body> int32_t guarded(Body body)
{
  try {
    return static_cast<int32_t>(body());
  } catch (const std::bad_alloc &) {
    return HAILO_OUT_OF_HOST_MEMORY;
  } catch (const std::exception &) {
    return HAILO_INTERNAL_FAILURE;
  }
}

} // namespace

extern "C" {

/* Open a HEF for float32 frames. `group` names its network group; it, `device_id` and `group_id` may be NULL. */
int32_t rungbook_model_open(const char *path, const char *group, const char *device_id, const char *group_id, bool measures_latency, void **out)
{
  return guarded([&] {
    auto model = std::make_unique<Model>();
    const int32_t status = open_model(path, group, device_id, group_id, measures_latency, *model);
    if (status == HAILO_SUCCESS) *out = model.release();
    return status;
  });
}

/* Bytes of one frame of the stream of this name; 0 when there is none. */
size_t rungbook_model_frame_bytes(void *handle, const char *name)
{
  const Model &model = *static_cast<Model *>(handle);
  for (const auto *streams : {&model.inputs, &model.outputs}) {
    for (const auto &s : *streams) if (s.name == name) return s.frame_bytes;
  }
  return 0;
}

/* Name of the nth input or output, in the order in which rungbook_model_run() takes frames; NULL beyond the last. */
const char *rungbook_model_name(void *handle, bool is_input, uint32_t index)
{
  const Model &model = *static_cast<Model *>(handle);
  const auto &streams = is_input ? model.inputs : model.outputs;
  return index < streams.size() ? streams[index].name.c_str() : nullptr;
}

/* Run one frame. Pointers are in the order of rungbook_model_name(). After a failure the model must be closed. */
int32_t rungbook_model_run(void *handle, const void *const *inputs, void *const *outputs, uint32_t timeout_ms)
{
  return guarded([&] {
    Model &model = *static_cast<Model *>(handle);
    for (size_t i = 0; i < model.inputs.size(); i++) std::memcpy(model.inputs[i].memory.get(), inputs[i], model.inputs[i].frame_bytes);
    const hailo_status status = model.configured.run(model.bindings, std::chrono::milliseconds(timeout_ms));
    if (status != HAILO_SUCCESS) return static_cast<int32_t>(status);
    for (size_t i = 0; i < model.outputs.size(); i++) std::memcpy(outputs[i], model.outputs[i].memory.get(), model.outputs[i].frame_bytes);
    return static_cast<int32_t>(HAILO_SUCCESS);
  });
}

/* Mean latency on the device in ms, when the model was opened to measure it. */
int32_t rungbook_model_latency(void *handle, double *latency_ms)
{
  return guarded([&] {
    auto result = static_cast<Model *>(handle)->configured.get_hw_latency_measurement();
    if (!result) return static_cast<int32_t>(result.status());
    *latency_ms = std::chrono::duration<double, std::milli>(result->avg_hw_latency).count();
    return static_cast<int32_t>(HAILO_SUCCESS);
  });
}

/* What is still under way is given up before its buffers are freed. */
int32_t rungbook_model_close(void *handle)
{
  return guarded([&] {
    std::unique_ptr<Model> model(static_cast<Model *>(handle));
    return model->configured.shutdown();
  });
}
}
