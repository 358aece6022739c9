// Products on the GPU by cuBLAS.
#include "caffe/device/blas.hpp"

#include <map>
#include <memory>

#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/cuda/handles.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {

const char* cublasGetErrorString(cublasStatus_t error) {
  return cublasGetStatusString(error);
}

namespace device {

namespace {

constexpr std::size_t kWorkspace = std::size_t{32} << 20;

/// A handle of the calling thread's, for one device, with a workspace of its own, as
/// graphs need: whoever replays a graph works in the workspace of the thread that
/// recorded it.
class Handle {
 public:
  Handle() { CUBLAS_CHECK(cublasCreate(&handle_)); }
  ~Handle() {
    cublasDestroy(handle_);
    free(workspace_);
  }
  void Prepare() {
    CUBLAS_CHECK(cublasSetStream(handle_, stream()));
    const PrivateMemory::Use memory_of_all(nullptr);  // it outlives the net that runs
    workspace_ = allocate(kWorkspace);
    CUBLAS_CHECK(cublasSetWorkspace(handle_, workspace_, kWorkspace));
  }
  cublasHandle_t get() const { return handle_; }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

 private:
  cublasHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
};

}  // namespace

cublasHandle_t cublas_handle() {
  static thread_local std::map<int, std::unique_ptr<Handle>> handles;
  std::unique_ptr<Handle>& kept = handles[current()];
  if (!kept) {
    auto made = std::make_unique<Handle>();
    made->Prepare();
    kept = std::move(made);
  }
  CUBLAS_CHECK(cublasSetMathMode(
      kept->get(), tf32_allowed() ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH));
  return kept->get();
}

// cuBLAS is column-major: the row-major C = A B is its C^T = B^T A^T.
template <typename Dtype>
void gemm(const Gemm<Dtype>& p) {
  if (p.m == 0 || p.n == 0 || p.batch == 0) return;
  const cublasOperation_t op_a = p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t op_b = p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cudaDataType_t type = sizeof(Dtype) == 4 ? CUDA_R_32F : CUDA_R_64F;
  const cublasComputeType_t compute = sizeof(Dtype) == 8 ? CUBLAS_COMPUTE_64F
                                      : tf32_allowed() || p.on_tensor_cores
                                          ? CUBLAS_COMPUTE_32F_FAST_TF32
                                          : CUBLAS_COMPUTE_32F;
  CUBLAS_CHECK(cublasGemmStridedBatchedEx(
      cublas_handle(), op_b, op_a, p.n, p.m, p.k, &p.alpha, p.b, type, p.ldb(),
      p.stride_b, p.a, type, p.lda(), p.stride_a, &p.beta, p.c, type, p.ldc(), p.stride_c,
      p.batch, compute, CUBLAS_GEMM_DEFAULT));
}

template <typename Dtype>
void gemv(bool transpose, int m, int n, Dtype alpha, const Dtype* a, const Dtype* x,
          Dtype beta, Dtype* y) {
  if (m == 0 || n == 0) return;
  const cublasOperation_t op = transpose ? CUBLAS_OP_N : CUBLAS_OP_T;
  if constexpr (sizeof(Dtype) == 4) {
    CUBLAS_CHECK(cublasSgemv(cublas_handle(), op, n, m, &alpha, a, n, x, 1, &beta, y, 1));
  } else {
    CUBLAS_CHECK(cublasDgemv(cublas_handle(), op, n, m, &alpha, a, n, x, 1, &beta, y, 1));
  }
}

template void gemm(const Gemm<float>&);
template void gemm(const Gemm<double>&);
template void gemv(bool, int, int, float, const float*, const float*, float, float*);
template void gemv(bool, int, int, double, const double*, const double*, double, double*);

}  // namespace device
}  // namespace caffe
