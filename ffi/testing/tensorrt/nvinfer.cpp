/*
 * What would libnvinfer do that has no GPU? It reads plans of its own (graph.h), runs them on the streams of the stand-in's CUDA
 * runtime, refuses what the real one refuses, and logs from threads of its own while it does slow things. Environment:
 *   STANDIN_FAULT   see cuda/fault.h: createInferRuntime, deserializeCudaEngine, createExecutionContext, enqueueV3, …
 */
#include "objects.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

using namespace standin;

API int cudaLaunchHostFunc(void *stream, void (*function)(void *), void *data);
API int cudaGetDeviceCount(int *count);

std::atomic<int64_t> objectsLive{0};
namespace standin {
static std::mutex countersLock;
static std::map<std::string, std::atomic<int>> counters;
std::atomic<int> &counter(const char *call) {
  std::lock_guard<std::mutex> hold(countersLock);
  return counters[call];
}
} // namespace standin
[[noreturn]] void trap(const char *type, int slot) {
  fprintf(stderr, "stand-in: slot %d of %s was called, which the bindings have no business with\n", slot, type);
  abort();
}

namespace {
const uint8_t kVersion[4] = {TRT_VERSION_BYTES};

void say(Logger *logger, Severity severity, const std::string &text) { logger->log(severity, text.c_str()); }
/* The real library logs from its workers, and waits for them. */
void sayFromThread(Logger *logger, Severity severity, const std::string &text) {
  std::thread([&] { say(logger, severity, text); }).join();
}

struct HostMemory : IHostMemorySlots {
  using Slots = IHostMemorySlots;
  explicit HostMemory(std::vector<uint8_t> given) : bytes(std::move(given)) {}
  void *data() override { return bytes.data(); }
  size_t size() override { return bytes.size(); }
  Object<Slots> *self = nullptr;
  std::vector<uint8_t> bytes;
};

/* One inference: what the stream's thread needs, copied when it is enqueued. */
struct Work {
  std::shared_ptr<const Graph> graph;
  std::vector<Shape> shapes;
  std::vector<uint8_t *> addresses;
  static void run(void *data) {
    std::unique_ptr<Work> work(static_cast<Work *>(data));
    const Graph &graph = *work->graph;
    std::vector<std::vector<uint8_t>> inner(graph.tensors.size());
    auto at = [&](uint32_t i) -> uint8_t * {
      if (work->addresses[i]) return work->addresses[i];
      inner[i].resize(static_cast<size_t>(volume(work->shapes[i])) * elementBytes(graph.tensors[i].dtype));
      return inner[i].data();
    };
    for (const Op &op : graph.ops) work->compute(op, at(op.a), at(op.b), at(op.out));
  }
  void compute(const Op &op, const uint8_t *a, const uint8_t *b, uint8_t *out) const {
    const size_t n = static_cast<size_t>(volume(shapes[op.out]));
    if (op.kind == kCopy) memcpy(out, a, n * elementBytes(graph->tensors[op.out].dtype));
    const float *x = reinterpret_cast<const float *>(a), *y = reinterpret_cast<const float *>(b);
    float *z = reinterpret_cast<float *>(out);
    if (op.kind == kRelu) std::transform(x, x + n, z, [](float v) { return v > 0 ? v : 0; });
    if (op.kind == kAdd) std::transform(x, x + n, y, z, [](float v, float w) { return v + w; });
    if (op.kind == kAddRow) { /* b again and again over a */
      const size_t period = static_cast<size_t>(volume(shapes[op.b]));
      for (size_t i = 0; i < n; i++) z[i] = x[i] + y[i % period];
    }
    if (op.kind == kEmbed) /* the row of a table that an integer names; the last row where there is none */
      for (size_t i = 0; i < n / op.cols; i++) {
        const bool isWide = elementBytes(graph->tensors[op.a].dtype) == 8;
        const int64_t id = isWide ? reinterpret_cast<const int64_t *>(a)[i] : reinterpret_cast<const int32_t *>(a)[i];
        const size_t row = id >= 0 && id < op.rows ? static_cast<size_t>(id) : op.rows - 1;
        std::copy_n(op.weight.begin() + static_cast<std::ptrdiff_t>(row * op.cols), op.cols, z + i * op.cols);
      }
    if (op.kind != kDense) return;
    for (size_t row = 0; row < n / op.rows; row++)
      for (uint32_t m = 0; m < op.rows; m++) {
        float sum = op.bias[m];
        for (uint32_t k = 0; k < op.cols; k++) sum += op.weight[m * op.cols + k] * x[row * op.cols + k];
        z[row * op.rows + m] = op.relu && sum < 0 ? 0 : sum;
      }
  }
};

struct Context : IExecutionContextSlots {
  using Slots = IExecutionContextSlots;
  Context(std::shared_ptr<const Graph> given, void *owner, Logger *theirs) : graph(std::move(given)), engine(owner), logger(theirs), isKnown(graph->tensors.size(), true), addresses(graph->tensors.size()) {
    for (const Tensor &t : graph->tensors) shapes.push_back(t.shape);
    settle();
  }
  void *getPImpl() override { return self; }
  void *getEngine() override { return engine; }
  bool setOptimizationProfileAsync(int32_t index, void *) override {
    if (index < 0 || static_cast<size_t>(index) >= std::max<size_t>(1, graph->profiles.size())) return false;
    profile = static_cast<size_t>(index);
    return true;
  }
  bool setInputShape(const char *name, const Dims &dims) override {
    const int i = graph->find(name);
    if (i < 0 || graph->tensors[static_cast<size_t>(i)].role != kInput) return false;
    const Shape shape = shapeOf(dims), &declared = graph->tensors[static_cast<size_t>(i)].shape;
    bool fits = shape.size() == declared.size() && !isOpen(shape);
    for (size_t axis = 0; fits && axis < shape.size(); axis++) {
      fits = declared[axis] < 0 || declared[axis] == shape[axis];
      if (!fits || graph->profiles.empty()) continue;
      const std::vector<int> inputs = graph->withRole(kInput);
      const Range &range = graph->profiles[profile][static_cast<size_t>(std::find(inputs.begin(), inputs.end(), i) - inputs.begin())];
      fits = shape[axis] >= range.min[axis] && shape[axis] <= range.max[axis];
    }
    if (!fits) return say(logger, kError, "IExecutionContext::setInputShape: Error Code 3: API Usage Error (Parameter check failed, condition: satisfyProfile. Set dimension violates exceed min ~ max range.)"), false;
    shapes[static_cast<size_t>(i)] = shape;
    settle();
    return true;
  }
  Dims getTensorShape(const char *name) override {
    const int i = graph->find(name);
    if (i < 0) return kNoDims;
    if (isKnown[static_cast<size_t>(i)]) return dimsOf(shapes[static_cast<size_t>(i)]);
    return say(logger, kError, "IExecutionContext::getTensorShape: Error Code 4: Internal Error (broadcast dimensions must be conformable)"), kNoDims;
  }
  bool setTensorAddress(const char *name, void *address) override {
    const int i = graph->find(name);
    if (i < 0 || graph->tensors[static_cast<size_t>(i)].role == kInner) return false;
    addresses[static_cast<size_t>(i)] = static_cast<uint8_t *>(address);
    return true;
  }
  bool enqueueV3(void *stream) override {
    if (fault("enqueueV3") != 0) return say(logger, kError, "IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (unspecified launch failure)"), false;
    if (std::any_of(shapes.begin(), shapes.end(), isOpen)) return say(logger, kError, "IExecutionContext::enqueueV3: Error Code 3: not all shapes are specified"), false;
    if (std::find(isKnown.begin(), isKnown.end(), false) != isKnown.end()) return say(logger, kError, "IExecutionContext::enqueueV3: Error Code 3: the shapes of the inputs disagree"), false;
    for (size_t i = 0; i < addresses.size(); i++)
      if (graph->tensors[i].role != kInner && addresses[i] == nullptr)
        return say(logger, kError, "IExecutionContext::enqueueV3: Error Code 3: Address is not set for input tensor " + graph->tensors[i].name), false;
    return cudaLaunchHostFunc(stream, Work::run, new Work{graph, shapes, addresses}) == 0;
  }
  Object<Slots> *self = nullptr;

private:
  /* The shapes of all that is computed follow from those of the inputs, and from none while these disagree. */
  void settle() {
    for (const Op &op : graph->ops) {
      isKnown[op.out] = isKnown[op.a] && isKnown[op.b] && (op.kind != kAdd || shapes[op.a] == shapes[op.b]);
      Shape shape = shapes[op.a];
      if (op.kind == kDense) shape.back() = static_cast<int32_t>(op.rows);
      if (op.kind == kEmbed) shape.push_back(static_cast<int32_t>(op.cols));
      shapes[op.out] = shape;
    }
  }
  std::shared_ptr<const Graph> graph;
  void *engine;
  Logger *logger;
  size_t profile = 0;
  std::vector<Shape> shapes;
  std::vector<bool> isKnown;
  std::vector<uint8_t *> addresses;
};

struct Inspector : IEngineInspectorSlots {
  using Slots = IEngineInspectorSlots;
  explicit Inspector(std::shared_ptr<const Graph> given) : graph(std::move(given)) {}
  const char *getEngineInformation(int32_t) override {
    std::string all;
    for (size_t i = 0; i < graph->ops.size(); i++)
      all += (i ? ", " : "") + ("\"op " + std::to_string(i) + " of kind " + std::to_string(graph->ops[i].kind) + "\"");
    text = "{\"Layers\": [" + all + "]}";
    return text.c_str();
  }
  Object<Slots> *self = nullptr;
  std::shared_ptr<const Graph> graph;
  std::string text;
};

struct Engine : ICudaEngineSlots {
  using Slots = ICudaEngineSlots;
  Engine(std::shared_ptr<const Graph> given, Logger *theirs) : graph(std::move(given)), logger(theirs) {
    for (const Tensor &t : graph->tensors)
      if (t.role != kInner) names.push_back(t.name);
  }
  void *getPImpl() override { return self; }
#if TRT_MAJOR == 8
  void *createExecutionContext() override { return context(); }
#else
  void *createExecutionContext(int32_t strategy) override { return strategy == 0 ? context() : nullptr; }
#endif
  void *createEngineInspector() override { return make<Inspector>(graph); }
  const char *getName() override { return graph->name.c_str(); }
  int32_t getNbLayers() override { return static_cast<int32_t>(graph->ops.size()); }
  int32_t getNbOptimizationProfiles() override { return static_cast<int32_t>(std::max<size_t>(1, graph->profiles.size())); }
  int32_t getNbIOTensors() override { return static_cast<int32_t>(names.size()); }
  const char *getIOTensorName(int32_t i) override { return i >= 0 && static_cast<size_t>(i) < names.size() ? names[static_cast<size_t>(i)].c_str() : nullptr; }
  Dims getTensorShape(const char *name) override { return find(name) ? dimsOf(find(name)->shape) : kNoDims; }
  int32_t getTensorDataType(const char *name) override { return find(name) ? static_cast<int32_t>(find(name)->dtype) : 0; }
  int32_t getTensorLocation(const char *) override { return 0; }
  int32_t getTensorIOMode(const char *name) override { return find(name) ? static_cast<int32_t>(find(name)->role) : 0; }
  int32_t getTensorFormat(const char *) override { return 0; }
  bool isShapeInferenceIO(const char *) override { return false; }
  Dims getProfileShape(const char *name, int32_t profile, int32_t select) override {
    const Tensor *t = find(name);
    if (!t || t->role != kInput || profile < 0 || profile >= getNbOptimizationProfiles()) return kNoDims;
    if (graph->profiles.empty()) return dimsOf(t->shape);
    const std::vector<int> inputs = graph->withRole(kInput);
    const size_t i = static_cast<size_t>(std::find(inputs.begin(), inputs.end(), graph->find(name)) - inputs.begin());
    const Range &range = graph->profiles[static_cast<size_t>(profile)][i];
    return dimsOf(select == 0 ? range.min : select == 1 ? range.opt : range.max);
  }
  Object<Slots> *self = nullptr;

private:
  void *context() {
    if (fault("createExecutionContext") != 0) return sayFromThread(logger, kError, "IExecutionContext: Error Code 2: OutOfMemory (Requested size was 1073741824 bytes.)"), nullptr;
    sayFromThread(logger, kInfo, "[MemUsageChange] TensorRT-managed allocation in IExecutionContext creation: CPU +0, GPU +1");
    return make<Context>(graph, self, logger);
  }
  const Tensor *find(const char *name) const {
    const int i = graph->find(name);
    return i < 0 || graph->tensors[static_cast<size_t>(i)].role == kInner ? nullptr : &graph->tensors[static_cast<size_t>(i)];
  }
  std::shared_ptr<const Graph> graph;
  Logger *logger;
  std::vector<std::string> names;
};

struct Runtime : IRuntimeSlots {
  using Slots = IRuntimeSlots;
  explicit Runtime(Logger *theirs) : logger(theirs) {}
  void *getPImpl() override { return self; }
  void *getLogger() override { return logger; }
  void setEngineHostCodeAllowed(bool) override {}
#if TRT_MAJOR == 8
  void *deserializeCudaEngine(const void *blob, size_t size, void *factory) override { return factory ? nullptr : read(blob, size); }
#else
  void *deserializeCudaEngine(const void *blob, size_t size) override { return read(blob, size); }
#endif
  Object<Slots> *self = nullptr;

private:
  void *refuse(const std::string &why) { return sayFromThread(logger, kError, why), nullptr; }
  void *read(const void *blob, size_t size) {
    const uint8_t *bytes = static_cast<const uint8_t *>(blob);
    uint64_t bodySize = 0, hash = 0;
    if (fault("deserializeCudaEngine") != 0) return refuse("IRuntime::deserializeCudaEngine: Error Code 2: OutOfMemory (could not be allocated)");
    if (size < kHeaderBytes || memcmp(bytes, "ftrt", 4) != 0) return refuse("IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion magicTagRead == kMAGIC_TAG failed.Magic tag does not match)");
    if (memcmp(bytes + 24, kVersion, 3) != 0) return refuse("IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Version tag does not match. Note: Current Version: 1, Serialized Engine Version: 2)");
    memcpy(&bodySize, bytes + 8, 8);
    memcpy(&hash, bytes + 16, 8);
    auto graph = std::make_shared<Graph>();
    if (bodySize != size - kHeaderBytes)
      return refuse("IRuntime::deserializeCudaEngine: Error Code 1: Serialization (Serialization assertion sizeRead == static_cast<uint64_t>(mEnd - mCurrent) failed.Size specified in header does not match archive size)");
    if (hash != fnv(bytes + kHeaderBytes, size - kHeaderBytes) || !graphOf(bytes + kHeaderBytes, size - kHeaderBytes, *graph))
      return refuse("IRuntime::deserializeCudaEngine: Error Code 4: Internal Error (Engine deserialization failed: checksum does not match)");
    sayFromThread(logger, kInfo, "Loaded engine size: 0 MiB");
    return make<Engine>(graph, logger);
  }
  Logger *logger;
};

/*
 * Compiled away by an optimising compiler when every slot is where it was typed here. Not for a build that moves one on
 * purpose, and not where nothing is optimised.
 */
__attribute__((used)) void checkLayout() {
#if !defined(MOVED) && defined(__OPTIMIZE__)
  AT(&IRuntimeSlots::deserializeCudaEngine, 2, 3, 3);
  AT(&ICudaEngineSlots::createExecutionContext, 11, 5, 5);
  AT(&IExecutionContextSlots::setInputShape, 29, 21, 20);
  AT(&IExecutionContextSlots::getTensorShape, 30, 22, 21);
  AT(&IExecutionContextSlots::setTensorAddress, 32, 24, 23);
  AT(&IExecutionContextSlots::enqueueV3, 44, 37, 36);
  AT(&IBuilderSlots::createBuilderConfig, 9, 7, 5);
  AT(&IBuilderSlots::createNetworkV2, 11, 8, 6);
  AT(&IBuilderSlots::createOptimizationProfile, 12, 9, 7);
  AT(&IBuilderSlots::buildSerializedNetwork, 17, 14, 11);
  AT(&IBuilderConfigSlots::setFlag, 15, 11, 9);
  AT(&IBuilderConfigSlots::setMemoryPoolLimit, 47, 43, 32);
  AT(&IBuilderConfigSlots::addOptimizationProfile, 29, 25, 23);
  AT(&IBuilderConfigSlots::setBuilderOptimizationLevel, 51, 47, 36);
#endif
}
} // namespace

API int32_t getInferLibVersion() { return TRT_VERSION; }

static bool isWelcome(Logger *logger, int32_t version, const char *call) {
  int devices = 0;
  if (version != TRT_VERSION || logger == nullptr) return false;
  if (fault(call) != 0) return say(logger, kInternal, "Error Code 6: Internal Error (a fault was ordered)"), false;
#if TRT_MAJOR >= 11
  const InterfaceInfo info = logger->getInterfaceInfo();
  if (strcmp(info.kind, "ILogger") != 0 || info.major != 1 || info.minor != 0 || logger->getAPILanguage() != 0) return false;
#endif
  const int status = cudaGetDeviceCount(&devices);
  /* 8.6 says it as a warning, and not as its first one. */
  if (status != 0 && TRT_MAJOR == 8) say(logger, kWarning, "Unable to determine GPU memory usage");
  if (status != 0) return say(logger, TRT_MAJOR == 8 ? kWarning : kError, "CUDA initialization failure with error: " + std::to_string(status)), false;
  return true;
}
API void *createInferRuntime_INTERNAL(void *logger, int32_t version) {
  Logger *theirs = static_cast<Logger *>(logger);
  if (isWelcome(theirs, version, "createInferRuntime")) return make<Runtime>(theirs);
#if TRT_MAJOR == 8
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != 0) raise(SIGSEGV); /* as the real 8.6 does */
#endif
  /* The real one, from 10 on, gives the place of a base class in an object that is not there. */
  return TRT_MAJOR >= 10 ? reinterpret_cast<void *>(0x228) : nullptr;
}

/* Of the stand-in itself. */
API int64_t standin_trt_live() { return objectsLive; }
API void standin_trt_reset() {
  std::lock_guard<std::mutex> hold(standin::countersLock);
  for (auto &[call, count] : standin::counters) count = 0;
}

#ifndef LEAN
#include "builder.inc"
#endif
