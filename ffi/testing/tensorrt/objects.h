/* What do all objects of the stand-in have in common? A public face of two words (vtable, implementation) over an implementation
 * with its own vtable, as in the vendor's library; a count of those that live; and a logger of the caller's. */
#pragma once
#include "../cuda/fault.h"
#include "graph.h"
#include "slots.h" /* written for the version by declarations.ts */

#define API extern "C" __attribute__((visibility("default")))

/* ---- slots, as a check of its own: numbers that were typed here and not read from the table ---- */
extern void layout_is_wrong(void) __attribute__((error("a method is not at its slot")));
template <class Member> inline __attribute__((always_inline)) long slotOf(Member member) {
  long words[2];
  memcpy(words, &member, sizeof words);
#ifdef __aarch64__
  return words[0] / 8;
#else
  return (words[0] - 1) / 8;
#endif
}
#define AT(member, by8, by10, by11) \
  do { \
    if (slotOf(member) != (TRT_MAJOR == 8 ? (by8) : TRT_MAJOR == 10 ? (by10) : (by11))) layout_is_wrong(); \
  } while (0)

/* ---- the caller's logger, in our own declaration of the vendor's class ---- */
#if TRT_MAJOR >= 11
struct InterfaceInfo {
  const char *kind;
  int32_t major, minor;
};
static_assert(sizeof(InterfaceInfo) == 16, "returned in two registers");
struct Logger {
  virtual int32_t getAPILanguage() const noexcept = 0;
  virtual InterfaceInfo getInterfaceInfo() const noexcept = 0;
  virtual ~Logger() = default;
  virtual void log(int32_t severity, const char *message) noexcept = 0;
};
#else
struct Logger {
  virtual void log(int32_t severity, const char *message) noexcept = 0;
  virtual ~Logger() = default;
};
#endif
enum Severity : int32_t { kInternal = 0, kError = 1, kWarning = 2, kInfo = 3, kVerbose = 4 };

/* ---- public objects ---- */
extern std::atomic<int64_t> objectsLive;

template <class Slots> struct Object {
  explicit Object(Slots *made) : impl(made) { ++objectsLive; }
  virtual ~Object() {
    delete impl;
    --objectsLive;
  }
  Slots *impl;
};
static_assert(sizeof(Object<IRuntimeSlots>) == 16, "two words");

template <class Impl, class... Args> Object<typename Impl::Slots> *make(Args &&...args) {
  Impl *impl = new Impl(std::forward<Args>(args)...);
  auto *object = new Object<typename Impl::Slots>(impl);
  impl->self = object;
  return object;
}
template <class Impl> Impl *implOf(void *object) {
  return static_cast<Impl *>(static_cast<Object<typename Impl::Slots> *>(object)->impl);
}

inline Dims dimsOf(const standin::Shape &shape) {
  Dims dims{static_cast<int32_t>(shape.size()), {}};
  for (size_t i = 0; i < shape.size(); i++) dims.d[i] = shape[i];
  return dims;
}
inline standin::Shape shapeOf(const Dims &dims) {
  standin::Shape shape;
  for (int32_t i = 0; i < dims.nbDims && i < 8; i++) shape.push_back(static_cast<int32_t>(dims.d[i]));
  return shape;
}
const Dims kNoDims{-1, {}};
