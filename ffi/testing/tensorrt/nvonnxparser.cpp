/*
 * What would libnvonnxparser do? It reads an ONNX file for real, as far as Gemm, MatMul, Add, Relu and Identity go, and writes the
 * network of the stand-in; what it cannot import it names, as the vendor's does.
 */
#include "objects.h"

#include <map>
#include <thread>

using namespace standin;

API Graph *standin_trt_graph(void *network);
std::atomic<int64_t> parsersLive{0};
namespace standin {
static std::map<std::string, std::atomic<int>> counters;
std::atomic<int> &counter(const char *call) { return counters[call]; }
} // namespace standin
[[noreturn]] void trap(const char *type, int slot) {
  fprintf(stderr, "stand-in: slot %d of %s was called, which the bindings have no business with\n", slot, type);
  abort();
}

namespace {
/* ---- protobuf, as far as it goes ---- */
struct Field {
  uint32_t number = 0, wire = 0;
  uint64_t varint = 0;
  const uint8_t *data = nullptr;
  size_t size = 0;
  std::string text() const { return std::string(reinterpret_cast<const char *>(data), size); }
};
struct Message {
  const uint8_t *at, *end;
  bool ok = true;
  Message(const uint8_t *data, size_t size) : at(data), end(data + size) {}
  explicit Message(const Field &field) : at(field.data), end(field.data + field.size) {}
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64 && at < end; shift += 7) {
      const uint8_t byte = *at++;
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
    ok = false;
    return 0;
  }
  bool next(Field &field) {
    if (!ok || at >= end) return false;
    const uint64_t key = varint();
    field = Field{};
    field.number = static_cast<uint32_t>(key >> 3);
    field.wire = key & 7;
    if (field.wire == 0) field.varint = varint();
    else {
      const uint64_t size = field.wire == 1 ? 8 : field.wire == 5 ? 4 : field.wire == 2 ? varint() : ~uint64_t{0};
      if (!ok || size > static_cast<uint64_t>(end - at)) return ok = false;
      field.data = at;
      field.size = static_cast<size_t>(size);
      at += size;
    }
    return ok;
  }
};

struct Constant {
  Shape shape;
  std::vector<float> values;
};
struct Node {
  std::string op, name;
  std::vector<std::string> inputs, outputs;
  std::map<std::string, int64_t> integers;
};
struct Failure : IParserErrorSlots {
  Failure(std::string text, int32_t index, const Node *node) : why(std::move(text)), at(index), name(node ? node->name : "") {}
  virtual ~Failure() = default;
  int32_t code() override { return at < 0 ? 3 : 8; }
  const char *desc() override { return why.c_str(); }
  int32_t node() override { return at; }
#if TRT_MAJOR >= 10
  const char *nodeName() override { return name.c_str(); }
#endif
  const std::string why;
  const int32_t at;
  const std::string name;
};

class Import {
public:
  Import(Graph &target) : graph(target) {}
  std::string why;
  int32_t at = -1;
  Node node;

  bool model(const uint8_t *data, size_t size) {
    Message message(data, size);
    Field field;
    bool found = false;
    while (message.next(field))
      if (field.number == 7 && field.wire == 2) {
        found = true;
        if (!readGraph(field)) return false;
      }
    return (message.ok && found) || fail("Failed to parse the ONNX model: it is cut short, or not ONNX");
  }

private:
  Graph &graph;
  std::map<std::string, Constant> constants;
  std::vector<Node> nodes;

  bool fail(const std::string &text) { return why = text, false; }
  static uint32_t typeOf(uint64_t onnx) {
    static const std::map<uint64_t, uint32_t> types = {{1, 0}, {10, 1}, {3, 2}, {6, 3}, {9, 4}, {2, 5}, {16, 7}, {7, 8}};
    const auto found = types.find(onnx);
    return found == types.end() ? 0 : found->second;
  }
  bool readGraph(const Field &given) {
    Message message(given);
    Field field;
    std::vector<Tensor> inputs, outputs;
    while (message.next(field)) {
      if (field.number == 1) readNode(field);
      if (field.number == 5) readConstant(field);
      if (field.number == 11) inputs.push_back(readValue(field, kInput));
      if (field.number == 12) outputs.push_back(readValue(field, kOutput));
    }
    if (!message.ok) return fail("Failed to parse the ONNX model: it is cut short, or not ONNX");
    for (const auto *list : {&inputs, &outputs})
      for (const Tensor &t : *list)
        if (constants.count(t.name) == 0) graph.tensors.push_back(t);
    for (size_t i = 0; i < nodes.size(); i++) {
      node = nodes[i];
      at = static_cast<int32_t>(i);
      if (!import()) return false;
    }
    return true;
  }
  void readNode(const Field &given) {
    Message message(given);
    Field field;
    Node made;
    while (message.next(field)) {
      if (field.number == 1) made.inputs.push_back(field.text());
      if (field.number == 2) made.outputs.push_back(field.text());
      if (field.number == 3) made.name = field.text();
      if (field.number == 4) made.op = field.text();
      if (field.number != 5) continue;
      Message attribute(field);
      Field part;
      std::string name;
      int64_t value = 0;
      while (attribute.next(part)) {
        if (part.number == 1) name = part.text();
        if (part.number == 3) value = static_cast<int64_t>(part.varint);
      }
      made.integers[name] = value;
    }
    nodes.push_back(made);
  }
  void readConstant(const Field &given) {
    Message message(given);
    Field field;
    Constant made;
    std::string name;
    while (message.next(field)) {
      if (field.number == 8) name = field.text();
      if (field.number == 1 && field.wire == 0) made.shape.push_back(static_cast<int32_t>(field.varint));
      if (field.number == 1 && field.wire == 2) {
        Message packed(field);
        while (packed.ok && packed.at < packed.end) made.shape.push_back(static_cast<int32_t>(packed.varint()));
      }
      if ((field.number == 9 || field.number == 4) && field.wire == 2) {
        made.values.resize(field.size / 4);
        memcpy(made.values.data(), field.data, 4 * made.values.size());
      }
    }
    constants[name] = made;
  }
  Tensor readValue(const Field &given, uint32_t role) {
    Tensor made;
    made.role = role;
    readLevel(given, {}, made);
    return made;
  }
  /* ValueInfo (1 name, 2 type) > Type (1 tensor) > Tensor (1 element, 2 shape) > Shape (1 dim) > Dim (1 value, 2 name). */
  void readLevel(const Field &given, std::vector<uint32_t> path, Tensor &made) {
    Message message(given);
    Field field;
    const std::vector<uint32_t> toTensor = {2, 1}, toShape = {2, 1, 2}, toDim = {2, 1, 2, 1};
    bool isKnown = false;
    while (message.next(field)) {
      if (path.empty() && field.number == 1) made.name = field.text();
      else if (path == toTensor && field.number == 1) made.dtype = typeOf(field.varint);
      else if (path == toDim && field.number == 1 && field.wire == 0) {
        isKnown = true;
        made.shape.push_back(static_cast<int32_t>(field.varint));
      } else if (field.wire == 2 && path != toDim) {
        std::vector<uint32_t> deeper = path;
        deeper.push_back(field.number);
        if (deeper.size() <= 4) readLevel(field, deeper, made);
      }
    }
    if (path == toDim && !isKnown) made.shape.push_back(-1);
  }
  uint32_t tensorNamed(const std::string &name, const Shape &like) {
    const int found = graph.find(name);
    if (found >= 0) return static_cast<uint32_t>(found);
    Tensor inner;
    inner.name = name;
    inner.shape = like;
    graph.tensors.push_back(inner);
    return static_cast<uint32_t>(graph.tensors.size()) - 1;
  }
  const Constant *constant(size_t i) {
    if (i >= node.inputs.size()) return nullptr;
    const auto found = constants.find(node.inputs[i]);
    return found == constants.end() ? nullptr : &found->second;
  }
  bool import() {
    if (node.inputs.empty() || node.outputs.empty() || graph.find(node.inputs[0]) < 0) return fail("Assertion failed: the input of " + node.op + " is not a tensor of the network");
    Op op;
    op.a = op.b = static_cast<uint32_t>(graph.find(node.inputs[0]));
    const Shape like = graph.tensors[op.a].shape;
    if (node.op == "Gemm" || node.op == "MatMul") {
      if (!dense(op)) return fail("Assertion failed: the weights of " + node.op + " must be a constant matrix");
    } else if (node.op == "Relu") op.kind = kRelu;
    else if (node.op == "Identity") op.kind = kCopy;
    else if (node.op == "Add" && constant(1) && foldBias(op.a)) op.kind = kCopy;
    else if (node.op == "Add" && node.inputs.size() == 2 && graph.find(node.inputs[1]) >= 0) {
      op.kind = kAdd;
      op.b = static_cast<uint32_t>(graph.find(node.inputs[1]));
    } else return fail("No importer registered for op: " + node.op);
    op.out = tensorNamed(node.outputs[0], like);
    if (op.kind == kDense && graph.tensors[op.out].role == kInner) graph.tensors[op.out].shape.back() = static_cast<int32_t>(op.rows);
    if (op.kind == kCopy) graph.tensors[op.out].dtype = graph.tensors[op.a].dtype;
    graph.ops.push_back(op);
    return true;
  }
  bool dense(Op &op) {
    const Constant *weight = constant(1), *bias = constant(2);
    if (!weight || weight->shape.size() != 2) return false;
    const bool isTransposed = node.op == "Gemm" && node.integers["transB"] != 0;
    const size_t first = static_cast<size_t>(weight->shape[0]), second = static_cast<size_t>(weight->shape[1]);
    if (weight->values.size() != first * second) return false;
    const size_t rows = isTransposed ? first : second, cols = isTransposed ? second : first;
    op.kind = kDense;
    op.rows = static_cast<uint32_t>(rows);
    op.cols = static_cast<uint32_t>(cols);
    op.weight.resize(rows * cols);
    for (size_t m = 0; m < rows; m++)
      for (size_t k = 0; k < cols; k++) op.weight[m * cols + k] = weight->values[isTransposed ? m * cols + k : k * rows + m];
    op.bias.assign(rows, 0);
    if (bias && bias->values.size() == rows) op.bias = bias->values;
    return true;
  }
  /* A constant that is added to what a dense layer gave becomes its bias. */
  bool foldBias(uint32_t tensor) {
    const std::vector<float> &values = constant(1)->values;
    for (Op &op : graph.ops) {
      if (op.out != tensor || op.kind != kDense || op.bias.size() != values.size()) continue;
      for (size_t m = 0; m < values.size(); m++) op.bias[m] += values[m];
      return true;
    }
    return false;
  }
};

struct Parser : IParserSlots {
  Parser(void *target, Logger *theirs) : network(target), logger(theirs) { ++parsersLive; }
  ~Parser() override {
    for (Failure *failure : failures) delete failure;
    --parsersLive;
  }
  bool parse(const void *model, size_t size, const char *) override {
    Import import(*standin_trt_graph(network));
    std::thread([&] { logger->log(kInfo, "the model is being read"); }).join();
    if (size == 0) return true; /* as the real one: a model of nothing */
    if (fault("parse") == 0 && import.model(static_cast<const uint8_t *>(model), size)) return true;
    failures.push_back(new Failure(import.why.empty() ? "a fault was ordered" : import.why, import.at, import.at < 0 ? nullptr : &import.node));
    std::thread([&] { logger->log(kError, failures.back()->desc()); }).join();
    return false;
  }
  int32_t getNbErrors() override { return static_cast<int32_t>(failures.size()); }
  void *getError(int32_t i) override { return i >= 0 && static_cast<size_t>(i) < failures.size() ? static_cast<IParserErrorSlots *>(failures[static_cast<size_t>(i)]) : nullptr; }
  void *network;
  Logger *logger;
  std::vector<Failure *> failures;
};

__attribute__((used)) void checkLayout() {
#ifdef __OPTIMIZE__
  AT(&IParserSlots::parse, 0, 0, 0);
  AT(&IParserSlots::getNbErrors, 6, 5, 3);
  AT(&IParserSlots::getError, 7, 6, 4);
#endif
}
} // namespace

API void *createNvOnnxParser_INTERNAL(void *network, void *logger, int version) {
  if (version != 100 || network == nullptr || logger == nullptr || fault("createNvOnnxParser") != 0) return nullptr;
  return static_cast<IParserSlots *>(new Parser(network, static_cast<Logger *>(logger)));
}
API int getNvOnnxParserVersion() { return 100; }
API int64_t standin_parser_live() { return parsersLive; }
