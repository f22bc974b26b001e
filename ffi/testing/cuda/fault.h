/* Which call fails, and how? STANDIN_FAULT="cudaMalloc=2@3,enqueueV3=fail@5": a value for a call from its n-th time on (1st unless
 * told). `crash` raises SIGSEGV in its place. The variable is read at each call, so that a test may change it as it goes. */
#pragma once
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

namespace standin {
/* How often a call was made while the variable was set. Each stand-in has its own. */
std::atomic<int> &counter(const char *call);

/* 0 when the call shall go on; `fail` gives -1, a number gives itself. */
inline int fault(const char *call) {
  const char *text = getenv("STANDIN_FAULT");
  if (text == nullptr || *text == 0) return 0;
  const int nth = ++counter(call);
  const std::string all = std::string(",") + text + ",";
  const size_t at = all.find(std::string(",") + call + "=");
  if (at == std::string::npos) return 0;
  const std::string value = all.substr(at + strlen(call) + 2, all.find(',', at + 1) - at - strlen(call) - 2);
  const size_t mark = value.find('@');
  const int from = mark == std::string::npos ? 1 : atoi(value.c_str() + mark + 1);
  if (nth < from) return 0;
  const std::string what = value.substr(0, mark);
  if (what == "crash") raise(SIGSEGV);
  return what == "fail" ? -1 : atoi(what.c_str());
}
} // namespace standin
