/* What is a network to the stand-in, and how is it kept in a plan? A list of tensors and of small operations over them. */
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace standin {
enum Role : uint32_t { kInner = 0, kInput = 1, kOutput = 2 };
enum Kind : uint32_t { kDense = 0, kAdd = 1, kRelu = 2, kCopy = 3, kEmbed = 4, kAddRow = 5 };
using Shape = std::vector<int32_t>;

struct Tensor {
  std::string name;
  uint32_t role = kInner, dtype = 0;
  Shape shape; /* -1 where it is open */
};
struct Op {
  uint32_t kind = kCopy, a = 0, b = 0, out = 0, rows = 0, cols = 0, relu = 0;
  std::vector<float> weight, bias; /* of kDense and kEmbed: [rows][cols] and [rows] */
};
struct Range {
  Shape min, opt, max;
};
struct Graph {
  std::string name = "unnamed";
  std::vector<Tensor> tensors;
  std::vector<std::vector<Range>> profiles; /* by profile, then by input in order */
  std::vector<Op> ops;

  int find(const std::string &wanted) const {
    for (size_t i = 0; i < tensors.size(); i++)
      if (tensors[i].name == wanted) return static_cast<int>(i);
    return -1;
  }
  std::vector<int> withRole(uint32_t role) const {
    std::vector<int> found;
    for (size_t i = 0; i < tensors.size(); i++)
      if (tensors[i].role == role) found.push_back(static_cast<int>(i));
    return found;
  }
};

inline uint32_t elementBytes(uint32_t dtype) {
  static const uint32_t sizes[] = {4, 2, 1, 4, 1, 1, 1, 2, 8};
  return dtype < 9 ? sizes[dtype] : 0;
}
inline int64_t volume(const Shape &shape) {
  int64_t n = 1;
  for (int32_t extent : shape) n *= extent;
  return n;
}
inline bool isOpen(const Shape &shape) {
  for (int32_t extent : shape)
    if (extent < 0) return true;
  return false;
}
inline uint64_t fnv(const uint8_t *bytes, size_t size) {
  uint64_t hash = 14695981039346656037ull;
  for (size_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * 1099511628211ull;
  return hash;
}

constexpr uint32_t kMagic = 0x74727466;
constexpr size_t kHeaderBytes = 32;

/* Little-endian, like every machine that this runs on. */
class Writer {
public:
  std::vector<uint8_t> bytes;
  void raw(const void *data, size_t size) {
    const uint8_t *from = static_cast<const uint8_t *>(data);
    bytes.insert(bytes.end(), from, from + size);
  }
  void u32(uint32_t value) { raw(&value, 4); }
  void u64(uint64_t value) { raw(&value, 8); }
  void text(const std::string &value) {
    u32(static_cast<uint32_t>(value.size()));
    raw(value.data(), value.size());
  }
  void shape(const Shape &value) { raw(value.data(), 4 * value.size()); }
};

class Reader {
public:
  Reader(const uint8_t *data, size_t size) : at(data), end(data + size) {}
  bool ok = true;
  void raw(void *to, size_t size) {
    if (!ok || static_cast<size_t>(end - at) < size) {
      ok = false;
      return;
    }
    if (size > 0) memcpy(to, at, size);
    at += size;
  }
  uint32_t u32() {
    uint32_t value = 0;
    raw(&value, 4);
    return value;
  }
  /* A count of things that take at least `each` bytes: a broken one is not allocated. */
  uint32_t count(size_t each) {
    const uint32_t value = u32();
    if (ok && static_cast<size_t>(end - at) / each < value) ok = false;
    return ok ? value : 0;
  }
  std::string text() {
    std::string value(count(1), ' ');
    raw(&value[0], value.size());
    return value;
  }
  Shape shape(size_t rank) {
    Shape value(rank);
    raw(value.data(), 4 * rank);
    return value;
  }

private:
  const uint8_t *at, *end;
};

inline std::vector<uint8_t> planOf(const Graph &graph, const uint8_t version[4]) {
  Writer body;
  body.text(graph.name);
  body.u32(static_cast<uint32_t>(graph.tensors.size()));
  for (const Tensor &t : graph.tensors) {
    body.text(t.name);
    body.u32(t.role);
    body.u32(t.dtype);
    body.u32(static_cast<uint32_t>(t.shape.size()));
    body.shape(t.shape);
  }
  body.u32(static_cast<uint32_t>(graph.profiles.size()));
  for (const auto &profile : graph.profiles)
    for (const Range &range : profile) {
      body.shape(range.min);
      body.shape(range.opt);
      body.shape(range.max);
    }
  body.u32(static_cast<uint32_t>(graph.ops.size()));
  for (const Op &op : graph.ops) {
    for (uint32_t word : {op.kind, op.a, op.b, op.out, op.rows, op.cols, op.relu}) body.u32(word);
    body.raw(op.weight.data(), 4 * op.weight.size());
    body.raw(op.bias.data(), 4 * op.bias.size());
  }
  Writer plan;
  plan.u32(kMagic);
  plan.u32(0);
  plan.u64(body.bytes.size());
  plan.u64(fnv(body.bytes.data(), body.bytes.size()));
  plan.raw(version, 4);
  plan.u32(0);
  plan.raw(body.bytes.data(), body.bytes.size());
  return plan.bytes;
}

inline bool graphOf(const uint8_t *body, size_t size, Graph &graph) {
  Reader in(body, size);
  graph.name = in.text();
  graph.tensors.resize(in.count(16));
  for (Tensor &t : graph.tensors) {
    t.name = in.text();
    t.role = in.u32();
    t.dtype = in.u32();
    const uint32_t rank = in.count(4);
    if (rank > 8) return false;
    t.shape = in.shape(rank);
  }
  const std::vector<int> inputs = graph.withRole(kInput);
  graph.profiles.resize(in.count(1));
  for (auto &profile : graph.profiles)
    for (int input : inputs) {
      const size_t rank = graph.tensors[static_cast<size_t>(input)].shape.size();
      Range range;
      range.min = in.shape(rank);
      range.opt = in.shape(rank);
      range.max = in.shape(rank);
      profile.push_back(range);
    }
  graph.ops.resize(in.count(28));
  for (Op &op : graph.ops) {
    for (uint32_t *word : {&op.kind, &op.a, &op.b, &op.out, &op.rows, &op.cols, &op.relu}) *word = in.u32();
    if (!in.ok || op.a >= graph.tensors.size() || op.b >= graph.tensors.size() || op.out >= graph.tensors.size()) return false;
    if (op.kind != kDense && op.kind != kEmbed) continue;
    if (uint64_t{op.rows} * op.cols > size || op.rows > size) return false;
    op.weight.resize(size_t{op.rows} * op.cols);
    op.bias.resize(op.rows);
    in.raw(op.weight.data(), 4 * op.weight.size());
    in.raw(op.bias.data(), 4 * op.bias.size());
  }
  return in.ok;
}
} // namespace standin
