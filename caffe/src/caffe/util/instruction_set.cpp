// The instruction set that hot loops run on.
#include "caffe/util/instruction_set.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace caffe {

namespace {

InstructionSet processor_has() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    return InstructionSet::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return InstructionSet::kAvx2;
  }
#endif
  return InstructionSet::kPlain;
}

InstructionSet user_allows() {
  const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
  if (limit == nullptr) limit = std::getenv("DNNL_MAX_CPU_ISA");
  const std::string name = limit != nullptr ? limit : "ALL";
  if (name == "SSE41" || name == "AVX") return InstructionSet::kPlain;
  if (name == "AVX2" || name.rfind("AVX2_", 0) == 0) return InstructionSet::kAvx2;
  return InstructionSet::kAvx512;
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet best = std::min(processor_has(), user_allows());
  return best;
}

}  // namespace caffe
