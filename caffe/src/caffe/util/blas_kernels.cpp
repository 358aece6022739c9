// Corrects OpenBLAS's choice of kernels on processors that it does not know.
//
// OpenBLAS 0.3.21 (Debian 12) takes Intel processors newer than itself for a "Prescott"
// and runs SSE3 kernels: 23 GFLOP/s a core where its AVX-512 ones reach 155 (measured).
// When the library is loaded we look, and choose again. OPENBLAS_CORETYPE, where set,
// stays the user's word.
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__) && defined(__GNUC__)

// Only the run-time-dispatching build of OpenBLAS has them.
extern "C" {
char* openblas_get_corename() __attribute__((weak));
void gotoblas_dynamic_init() __attribute__((weak));
void gotoblas_dynamic_quit() __attribute__((weak));
}

namespace caffe {
namespace {

bool knows_avx2(const char* core) {
  for (const char* modern :
       {"Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids"}) {
    if (std::strcmp(core, modern) == 0) return true;
  }
  return false;
}

const bool g_blas_kernels_are_chosen = [] {
  if (!openblas_get_corename || !gotoblas_dynamic_init || !gotoblas_dynamic_quit)
    return false;
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return false;
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return false;
  if (knows_avx2(openblas_get_corename())) return false;
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  setenv("OPENBLAS_CORETYPE", avx512 ? "SkylakeX" : "Haswell", 1);
  gotoblas_dynamic_quit();
  gotoblas_dynamic_init();
  unsetenv("OPENBLAS_CORETYPE");
  return true;
}();

}  // namespace
}  // namespace caffe

#endif  // x86-64
