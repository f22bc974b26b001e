/*
 * What does HailoRT 5's C++ interface look like to infer-model.cpp? Our own declarations of as much of it as that file uses.
 *
 * Everything is inline and ends in the C functions of the stand-in, which lies in the shape of profile D.
 */
#ifndef STANDIN_HAILORT_HPP
#define STANDIN_HAILORT_HPP

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

extern "C" {
typedef int32_t hailo_status;
typedef struct object *hailo_vdevice, *hailo_hef;
typedef struct { char id[32]; } hailo_device_id_t;
typedef struct {
  uint32_t device_count;
  hailo_device_id_t *device_ids;
  int32_t scheduling_algorithm;
  const char *group_id;
  bool multi_process_service;
} hailo_vdevice_params_t;
typedef enum { HAILO_FORMAT_TYPE_AUTO, HAILO_FORMAT_TYPE_UINT8, HAILO_FORMAT_TYPE_UINT16, HAILO_FORMAT_TYPE_FLOAT32 } hailo_format_type_t;
typedef enum { HAILO_LATENCY_NONE, HAILO_LATENCY_MEASURE } hailo_latency_measurement_flags_t;
typedef struct { int32_t type, order, flags; } hailo_format_t;
typedef struct {
  char name[128], network_name[257];
  int32_t direction;
  hailo_format_t format;
  uint32_t shape[4];
  float quant[4];
} hailo_vstream_info_t;
static_assert(sizeof(hailo_vdevice_params_t) == 40, "");
static_assert(sizeof(hailo_vstream_info_t) == 436, "");
enum : int32_t {
  HAILO_SUCCESS = 0, HAILO_OUT_OF_HOST_MEMORY = 3, HAILO_INTERNAL_FAILURE = 8, HAILO_NOT_FOUND = 61, HAILO_NOT_AVAILABLE = 65
};

hailo_status hailo_init_vdevice_params(hailo_vdevice_params_t *);
hailo_status hailo_create_vdevice(hailo_vdevice_params_t *, hailo_vdevice *);
hailo_status hailo_release_vdevice(hailo_vdevice);
hailo_status hailo_create_hef_file(hailo_hef *, const char *);
hailo_status hailo_release_hef(hailo_hef);
hailo_status hailo_hef_get_all_vstream_infos(hailo_hef, const char *, hailo_vstream_info_t *, size_t *);
hailo_status hailo_get_vstream_frame_size(hailo_vstream_info_t *, hailo_format_t *, size_t *);
hailo_status standin_model_configure(hailo_hef);
hailo_status standin_model_run(hailo_hef, const char *, const void *const *, void *const *, uint32_t);
double standin_latency_ms(void);
}

namespace hailort {

template <typename T> class Expected {
public:
  Expected(T value) : value_(std::move(value)), status_(HAILO_SUCCESS) {}
  static Expected failed(hailo_status status) { Expected e; e.status_ = status; return e; }
  explicit operator bool() const { return status_ == HAILO_SUCCESS; }
  hailo_status status() const { return status_; }
  T release() { return std::move(value_); }
  T *operator->() { return &value_; }

private:
  Expected() = default;
  T value_{};
  hailo_status status_ = HAILO_INTERNAL_FAILURE;
};

struct MemoryView {
  MemoryView(void *data, size_t size) : data(data), size(size) {}
  void *data;
  size_t size;
};
struct LatencyMeasurementResult { std::chrono::nanoseconds avg_hw_latency; };

struct ModelState {
  hailo_hef hef = nullptr;
  std::string name;
  bool measures_latency = false, is_shut_down = false;
  double latency_ns = 0;
  long frames = 0;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, hailo_vstream_info_t> infos;
  std::map<std::string, hailo_format_t> formats;
  ~ModelState() { if (hef) hailo_release_hef(hef); }
};

class ConfiguredInferModel {
public:
  class Bindings {
  public:
    class InferStream {
    public:
      InferStream() = default;
      InferStream(void **place, size_t size) : place_(place), size_(size) {}
      hailo_status set_buffer(MemoryView view)
      {
        if (view.size != size_ || reinterpret_cast<uintptr_t>(view.data) % 4096 != 0) return 2;
        *place_ = view.data;
        return HAILO_SUCCESS;
      }

    private:
      void **place_ = nullptr;
      size_t size_ = 0;
    };
    Bindings() = default;
    explicit Bindings(std::shared_ptr<ModelState> state) : state(state), buffers(std::make_shared<std::map<std::string, void *>>()) {}
    Expected<InferStream> input(const std::string &name) { return stream(name); }
    Expected<InferStream> output(const std::string &name) { return stream(name); }
    Expected<InferStream> stream(const std::string &name)
    {
      if (!state->infos.count(name)) return Expected<InferStream>::failed(HAILO_NOT_FOUND);
      size_t size = 0;
      hailo_get_vstream_frame_size(&state->infos[name], &state->formats[name], &size);
      return InferStream(&(*buffers)[name], size);
    }
    std::shared_ptr<ModelState> state;
    std::shared_ptr<std::map<std::string, void *>> buffers;
  };

  ConfiguredInferModel() = default;
  explicit ConfiguredInferModel(std::shared_ptr<ModelState> state) : state_(state) {}
  Expected<Bindings> create_bindings() { return Bindings(state_); }
  hailo_status run(Bindings bindings, std::chrono::milliseconds timeout)
  {
    if (state_->is_shut_down) return 6;
    std::vector<const void *> inputs;
    std::vector<void *> outputs;
    for (const auto &name : state_->inputs) inputs.push_back((*bindings.buffers)[name]);
    for (const auto &name : state_->outputs) outputs.push_back((*bindings.buffers)[name]);
    const hailo_status status = standin_model_run(state_->hef, state_->name.empty() ? nullptr : state_->name.c_str(), inputs.data(), outputs.data(), static_cast<uint32_t>(timeout.count()));
    state_->latency_ns += standin_latency_ms() * 1e6;
    state_->frames++;
    return status;
  }
  Expected<LatencyMeasurementResult> get_hw_latency_measurement()
  {
    if (!state_->measures_latency || state_->frames == 0) return Expected<LatencyMeasurementResult>::failed(HAILO_NOT_AVAILABLE);
    return LatencyMeasurementResult{std::chrono::nanoseconds(static_cast<int64_t>(state_->latency_ns / static_cast<double>(state_->frames)))};
  }
  hailo_status shutdown()
  {
    if (state_) state_->is_shut_down = true;
    return HAILO_SUCCESS;
  }

private:
  std::shared_ptr<ModelState> state_;
};

class InferModel {
public:
  class InferStream {
  public:
    InferStream() = default;
    InferStream(std::shared_ptr<ModelState> state, std::string name) : state_(state), name_(name) {}
    void set_format_type(hailo_format_type_t type) { state_->formats[name_].type = type; }
    size_t get_frame_size() const
    {
      size_t size = 0;
      hailo_get_vstream_frame_size(&state_->infos[name_], &state_->formats[name_], &size);
      return size;
    }

  private:
    std::shared_ptr<ModelState> state_;
    std::string name_;
  };

  explicit InferModel(std::shared_ptr<ModelState> state) : state_(state) {}
  const std::vector<std::string> &get_input_names() const { return state_->inputs; }
  const std::vector<std::string> &get_output_names() const { return state_->outputs; }
  Expected<InferStream> input(const std::string &name) { return InferStream(state_, name); }
  Expected<InferStream> output(const std::string &name) { return InferStream(state_, name); }
  void set_hw_latency_measurement_flags(hailo_latency_measurement_flags_t flags) { state_->measures_latency = flags != HAILO_LATENCY_NONE; }
  Expected<ConfiguredInferModel> configure()
  {
    const hailo_status status = standin_model_configure(state_->hef);
    return status == HAILO_SUCCESS ? Expected<ConfiguredInferModel>(ConfiguredInferModel(state_)) : Expected<ConfiguredInferModel>::failed(status);
  }

private:
  std::shared_ptr<ModelState> state_;
};

class VDevice {
public:
  explicit VDevice(hailo_vdevice handle) : handle_(handle) {}
  ~VDevice() { hailo_release_vdevice(handle_); }
  VDevice(const VDevice &) = delete;
  VDevice &operator=(const VDevice &) = delete;

  static Expected<std::unique_ptr<VDevice>> create(const hailo_vdevice_params_t &given)
  {
    hailo_vdevice_params_t params = given;
    hailo_vdevice handle = nullptr;
    const hailo_status status = hailo_create_vdevice(&params, &handle);
    if (status != HAILO_SUCCESS) return Expected<std::unique_ptr<VDevice>>::failed(status);
    return std::make_unique<VDevice>(handle);
  }

  Expected<std::shared_ptr<InferModel>> create_infer_model(const std::string &path, const std::string &name = "")
  {
    auto state = std::make_shared<ModelState>();
    state->name = name;
    hailo_status status = hailo_create_hef_file(&state->hef, path.c_str());
    if (status != HAILO_SUCCESS) return Expected<std::shared_ptr<InferModel>>::failed(status);
    hailo_vstream_info_t infos[32];
    size_t count = 32;
    status = hailo_hef_get_all_vstream_infos(state->hef, name.empty() ? nullptr : name.c_str(), infos, &count);
    if (status != HAILO_SUCCESS) return Expected<std::shared_ptr<InferModel>>::failed(status);
    for (size_t i = 0; i < count; i++) {
      (infos[i].direction == 0 ? state->inputs : state->outputs).push_back(infos[i].name);
      state->infos[infos[i].name] = infos[i];
      state->formats[infos[i].name] = hailo_format_t{};
    }
    return std::make_shared<InferModel>(state);
  }

private:
  hailo_vdevice handle_;
};

} // namespace hailort

#endif
