/*
 * What would a CUDA runtime do that has no GPU? Device memory is memory with a ledger; a stream is a queue that a thread of its
 * own empties in order. Copies are checked against the ledger as a real driver checks them. Environment:
 *   STANDIN_FAULT          see fault.h
 *   STANDIN_GPUS           how many devices there are (1)
 *   STANDIN_DRIVER         which CUDA the driver serves (12080); 0 where none is loaded
 *   STANDIN_STREAM=inline  work is done by the thread that brings it
 *   STANDIN_WORK_US        how long each piece of work takes besides its own (0)
 */
#include "fault.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#define API extern "C" __attribute__((visibility("default")))

namespace standin {
static std::mutex countersLock;
static std::map<std::string, std::atomic<int>> counters;
std::atomic<int> &counter(const char *call) {
  std::lock_guard<std::mutex> hold(countersLock);
  return counters[call];
}
} // namespace standin

namespace {
using Clock = std::chrono::steady_clock;

enum : int { kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNoDriver = 35, kNoDevice = 100, kInvalidDevice = 101, kInvalidHandle = 400, kNotReady = 600 };
enum : int { kHostToDevice = 1, kDeviceToHost = 2, kDeviceToDevice = 3 };

std::mutex ledgerLock;
std::map<const char *, size_t> deviceMemory, hostMemory;
std::atomic<int64_t> streamsLive{0}, eventsLive{0};
std::atomic<int> stickyError{0};
thread_local int lastError = 0;
const size_t totalBytes = size_t{8} << 30;

int fail(int status) {
  if (status != kSuccess) lastError = status;
  return status;
}

int gpus() {
  const char *text = getenv("STANDIN_GPUS");
  return text ? atoi(text) : 1;
}

int driver() {
  const char *text = getenv("STANDIN_DRIVER");
  return text ? atoi(text) : 12080;
}

/* Every call begins so: a device that was lost stays lost, and an ordered fault happens. */
int enter(const char *call) {
  if (stickyError != 0) return fail(stickyError);
  if (driver() == 0) return fail(kNoDriver);
  return fail(standin::fault(call));
}
#define ENTER(call) \
  do { \
    if (int status = enter(call)) return status; \
  } while (0)

bool within(const std::map<const char *, size_t> &memory, const void *pointer, size_t bytes) {
  const char *at = static_cast<const char *>(pointer);
  auto next = memory.upper_bound(at);
  if (next == memory.begin()) return false;
  const auto &[start, size] = *std::prev(next);
  return at >= start && at + bytes <= start + size;
}

bool isDevice(const void *pointer, size_t bytes) {
  std::lock_guard<std::mutex> hold(ledgerLock);
  return within(deviceMemory, pointer, bytes);
}

struct Event {
  bool recorded = false;
  std::atomic<bool> reached{false};
  Clock::time_point at;
};

class Stream {
public:
  Stream() : inlined(getenv("STANDIN_STREAM") != nullptr && strcmp(getenv("STANDIN_STREAM"), "inline") == 0) {
    ++streamsLive;
    if (!inlined) worker = std::thread([this] { serve(); });
  }
  ~Stream() {
    {
      std::lock_guard<std::mutex> hold(lock);
      ending = true;
    }
    wake.notify_all();
    if (worker.joinable()) worker.join();
    --streamsLive;
  }
  void push(std::function<void()> work) {
    if (inlined) return work();
    /* Read here and not by the worker: the variable may be changed by the thread that calls. */
    const char *text = getenv("STANDIN_WORK_US");
    const auto delay = std::chrono::microseconds(text ? atoi(text) : 0);
    {
      std::lock_guard<std::mutex> hold(lock);
      queue.push_back([delay, work] {
        if (delay.count() > 0) std::this_thread::sleep_for(delay);
        work();
      });
      ++pending;
    }
    wake.notify_all();
  }
  void wait() {
    std::unique_lock<std::mutex> hold(lock);
    idle.wait(hold, [this] { return pending == 0; });
  }
  bool isIdle() {
    std::lock_guard<std::mutex> hold(lock);
    return pending == 0;
  }

private:
  void serve() {
    std::unique_lock<std::mutex> hold(lock);
    for (;;) {
      wake.wait(hold, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      auto work = std::move(queue.front());
      queue.pop_front();
      hold.unlock();
      work();
      hold.lock();
      if (--pending == 0) idle.notify_all();
    }
  }
  const bool inlined;
  std::mutex lock;
  std::condition_variable wake, idle;
  std::deque<std::function<void()>> queue;
  int pending = 0;
  bool ending = false;
  std::thread worker;
};

std::mutex streamsLock;
std::map<void *, Stream *> streams;
Stream *find(void *stream) {
  std::lock_guard<std::mutex> hold(streamsLock);
  auto found = streams.find(stream);
  return found == streams.end() ? nullptr : found->second;
}
} // namespace

/* The real one of 12 answers without a driver, that of 11.8 says 35: order the fault. */
API int cudaRuntimeGetVersion(int *version) {
  *version = 12080;
  return fail(standin::fault("cudaRuntimeGetVersion"));
}
API int cudaDriverGetVersion(int *version) { return *version = driver(), kSuccess; }

API int cudaGetDeviceCount(int *count) {
  ENTER("cudaGetDeviceCount");
  return (*count = gpus()) > 0 ? kSuccess : fail(kNoDevice);
}
API int cudaSetDevice(int device) {
  ENTER("cudaSetDevice");
  return device >= 0 && device < gpus() ? kSuccess : fail(kInvalidDevice);
}
API int cudaDeviceGetAttribute(int *value, int attribute, int device) {
  ENTER("cudaDeviceGetAttribute");
  if (device < 0 || device >= gpus()) return fail(kInvalidDevice);
  switch (attribute) {
  case 75: *value = 8; return kSuccess;
  case 76: *value = 7; return kSuccess;
  case 16: *value = 16; return kSuccess;
  default: return fail(kInvalidValue);
  }
}
API int cudaDeviceGetPCIBusId(char *text, int length, int device) {
  ENTER("cudaDeviceGetPCIBusId");
  if (device < 0 || device >= gpus()) return fail(kInvalidDevice);
  if (length < 13) return fail(kInvalidValue);
  snprintf(text, static_cast<size_t>(length), "0000:%02x:00.0", device + 1);
  return kSuccess;
}
API int cudaGetDeviceProperties_v2(char *properties, int device) {
  ENTER("cudaGetDeviceProperties");
  if (device < 0 || device >= gpus()) return fail(kInvalidDevice);
  memset(properties, 0, 1032);
  snprintf(properties, 256, "Stand-in GPU %d", device);
  return kSuccess;
}
API int cudaMemGetInfo(size_t *free, size_t *total) {
  ENTER("cudaMemGetInfo");
  if (gpus() == 0) return fail(kNoDevice);
  std::lock_guard<std::mutex> hold(ledgerLock);
  size_t used = 0;
  for (const auto &[pointer, bytes] : deviceMemory) used += bytes;
  *free = totalBytes - used;
  *total = totalBytes;
  return kSuccess;
}

/* Freeing waits for the device, as the real one does. */
static void settleAll() {
  std::lock_guard<std::mutex> hold(streamsLock);
  for (const auto &[handle, stream] : streams) stream->wait();
}
static int take(std::map<const char *, size_t> &memory, void **pointer, size_t bytes) {
  if (pointer == nullptr) return fail(kInvalidValue);
  *pointer = nullptr;
  if (gpus() == 0) return fail(kNoDevice);
  if (bytes > totalBytes) return fail(kOutOfMemory);
  char *made = static_cast<char *>(aligned_alloc(256, (bytes + 255) / 256 * 256));
  if (made == nullptr) return fail(kOutOfMemory);
  memset(made, 0xa5, bytes); /* fresh memory holds anything but zeros */
  std::lock_guard<std::mutex> hold(ledgerLock);
  memory[made] = bytes;
  *pointer = made;
  return kSuccess;
}
static int give(std::map<const char *, size_t> &memory, void *pointer) {
  if (pointer == nullptr) return kSuccess;
  settleAll();
  std::lock_guard<std::mutex> hold(ledgerLock);
  if (memory.erase(static_cast<const char *>(pointer)) == 0) return fail(kInvalidValue);
  free(pointer);
  return kSuccess;
}
API int cudaMalloc(void **pointer, size_t bytes) {
  ENTER("cudaMalloc");
  return take(deviceMemory, pointer, bytes);
}
API int cudaFree(void *pointer) {
  ENTER("cudaFree");
  return give(deviceMemory, pointer);
}
API int cudaHostAlloc(void **pointer, size_t bytes, unsigned) {
  ENTER("cudaHostAlloc");
  return take(hostMemory, pointer, bytes);
}
API int cudaFreeHost(void *pointer) {
  ENTER("cudaFreeHost");
  return give(hostMemory, pointer);
}

API int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *handle) {
  ENTER("cudaMemcpyAsync");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  const bool fits = kind == kHostToDevice ? isDevice(to, bytes) && !isDevice(from, bytes)
                  : kind == kDeviceToHost ? !isDevice(to, bytes) && isDevice(from, bytes)
                  : kind == kDeviceToDevice && isDevice(to, bytes) && isDevice(from, bytes);
  if (!fits) return fail(kInvalidValue);
  stream->push([=] { memcpy(to, from, bytes); });
  return kSuccess;
}
/* What the stand-in of TensorRT puts its computation with. */
API int cudaLaunchHostFunc(void *handle, void (*function)(void *), void *data) {
  ENTER("cudaLaunchHostFunc");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  stream->push([=] { function(data); });
  return kSuccess;
}

API int cudaStreamCreateWithFlags(void **stream, unsigned) {
  ENTER("cudaStreamCreateWithFlags");
  if (gpus() == 0) return fail(kNoDevice);
  Stream *made = new Stream;
  std::lock_guard<std::mutex> hold(streamsLock);
  streams[made] = made;
  *stream = made;
  return kSuccess;
}
API int cudaStreamSynchronize(void *handle) {
  ENTER("cudaStreamSynchronize");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  stream->wait();
  return stickyError != 0 ? fail(stickyError) : kSuccess;
}
API int cudaStreamQuery(void *handle) {
  ENTER("cudaStreamQuery");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  return stream->isIdle() ? kSuccess : kNotReady;
}
API int cudaStreamDestroy(void *handle) {
  ENTER("cudaStreamDestroy");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  {
    std::lock_guard<std::mutex> hold(streamsLock);
    streams.erase(handle);
  }
  delete stream;
  return kSuccess;
}

API int cudaEventCreateWithFlags(void **event, unsigned) {
  ENTER("cudaEventCreateWithFlags");
  ++eventsLive;
  *event = new Event;
  return kSuccess;
}
API int cudaEventRecord(void *event, void *handle) {
  ENTER("cudaEventRecord");
  Stream *stream = find(handle);
  if (stream == nullptr) return fail(kInvalidHandle);
  Event *it = static_cast<Event *>(event);
  it->recorded = true;
  it->reached = false;
  stream->push([it] {
    it->at = Clock::now();
    it->reached = true;
  });
  return kSuccess;
}
API int cudaEventSynchronize(void *event) {
  ENTER("cudaEventSynchronize");
  const Event *it = static_cast<Event *>(event);
  while (it->recorded && !it->reached) std::this_thread::yield();
  return kSuccess;
}
API int cudaEventElapsedTime(float *ms, void *start, void *end) {
  ENTER("cudaEventElapsedTime");
  const Event *a = static_cast<Event *>(start), *b = static_cast<Event *>(end);
  if (!a->recorded || !b->recorded) return fail(kInvalidHandle);
  if (!a->reached || !b->reached) return fail(kNotReady);
  *ms = std::chrono::duration<float, std::milli>(b->at - a->at).count();
  return kSuccess;
}
API int cudaEventDestroy(void *event) {
  ENTER("cudaEventDestroy");
  delete static_cast<Event *>(event);
  --eventsLive;
  return kSuccess;
}

API const char *cudaGetErrorName(int error) {
  switch (error) {
  case 0: return "cudaSuccess";
  case 1: return "cudaErrorInvalidValue";
  case 2: return "cudaErrorMemoryAllocation";
  case 35: return "cudaErrorInsufficientDriver";
  case 100: return "cudaErrorNoDevice";
  case 101: return "cudaErrorInvalidDevice";
  case 400: return "cudaErrorInvalidResourceHandle";
  case 600: return "cudaErrorNotReady";
  case 700: return "cudaErrorIllegalAddress";
  default: return "unrecognized error code";
  }
}
API const char *cudaGetErrorString(int error) {
  switch (error) {
  case 0: return "no error";
  case 2: return "out of memory";
  case 35: return "CUDA driver version is insufficient for CUDA runtime version";
  case 100: return "no CUDA-capable device is detected";
  case 101: return "invalid device ordinal";
  case 700: return "an illegal memory access was encountered";
  default: return "an error of the stand-in";
  }
}
API int cudaGetLastError() {
  const int error = lastError;
  if (stickyError == 0) lastError = 0;
  return error;
}

/* Of the stand-in itself. */
API int64_t standin_cuda_live(const char *kind) {
  std::lock_guard<std::mutex> hold(ledgerLock);
  if (strcmp(kind, "device") == 0) return static_cast<int64_t>(deviceMemory.size());
  if (strcmp(kind, "host") == 0) return static_cast<int64_t>(hostMemory.size());
  return strcmp(kind, "stream") == 0 ? streamsLive.load() : eventsLive.load();
}
/* From now on the device is lost, as after a kernel that wrote where it must not; 0 brings it back. */
API void standin_cuda_lose(int status) { stickyError = status; }
API void standin_cuda_reset() {
  std::lock_guard<std::mutex> hold(standin::countersLock);
  for (auto &[call, count] : standin::counters) count = 0;
  lastError = 0;
}
