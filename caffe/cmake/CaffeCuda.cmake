# CUDA and cuDNN, for -DCAFFE_USE_CUDA=ON; without it the build is CPU_ONLY.
#
# CAFFE_CUDA_ARCHITECTURES: what nvcc compiles for, in CMake's form ("90-real" for one card's
# machine code; the default is every generation from Turing to Hopper, and PTX for later ones).
# CUDNN_ROOT: a folder with include/ and lib/ of cuDNN 9 (a wheel's nvidia/cudnn serves).
set(CAFFE_HAS_CUDNN OFF)
set(CAFFE_HAS_NCCL OFF)
if(NOT CAFFE_USE_CUDA)
  target_compile_definitions(caffe_dependencies INTERFACE CPU_ONLY)
  return()
endif()

set(CAFFE_CUDA_ARCHITECTURES "75-real;80-real;86-real;89-real;90" CACHE STRING
    "GPU generations to compile for")
set(CMAKE_CUDA_ARCHITECTURES ${CAFFE_CUDA_ARCHITECTURES})
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
enable_language(CUDA)
find_package(CUDAToolkit 12 REQUIRED)
target_link_libraries(caffe_dependencies INTERFACE CUDA::cudart CUDA::cublas)
# One stream a thread, also for kernels of other people's layers; lambdas as kernels.
target_compile_definitions(caffe_dependencies INTERFACE CUDA_API_PER_THREAD_DEFAULT_STREAM)
add_compile_options($<$<COMPILE_LANGUAGE:CUDA>:--extended-lambda>
                    $<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr>
                    $<$<COMPILE_LANGUAGE:CUDA>:--default-stream=per-thread>
                    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wno-unknown-pragmas>")

if(CAFFE_USE_CUDNN)
  find_path(CUDNN_INCLUDE_DIR cudnn.h HINTS ${CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS}
            PATH_SUFFIXES include)
  find_library(CUDNN_LIBRARY NAMES cudnn libcudnn.so.9
               HINTS ${CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
  if(CUDNN_INCLUDE_DIR AND CUDNN_LIBRARY)
    set(CAFFE_HAS_CUDNN ON)
    target_include_directories(caffe_dependencies SYSTEM INTERFACE ${CUDNN_INCLUDE_DIR})
    target_link_libraries(caffe_dependencies INTERFACE ${CUDNN_LIBRARY})
    target_compile_definitions(caffe_dependencies INTERFACE USE_CUDNN)
  else()
    message(WARNING "cuDNN 9 was not found: convolutions run on im2col and cuBLAS")
  endif()
endif()
# NCCL, optional: sums of gradients between GPUs; it needs MPI to find the other processes.
if(CAFFE_USE_NCCL AND CAFFE_HAS_MPI)
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS ${NCCL_ROOT} ${CUDAToolkit_INCLUDE_DIRS}
            PATH_SUFFIXES include)
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2
               HINTS ${NCCL_ROOT} ${CUDAToolkit_LIBRARY_DIR} PATH_SUFFIXES lib lib64)
  if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    set(CAFFE_HAS_NCCL ON)
  endif()
endif()
message(STATUS "NCCL: ${CAFFE_HAS_NCCL} ${NCCL_LIBRARY}")
message(STATUS "CUDA ${CUDAToolkit_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES}; "
               "cuDNN: ${CAFFE_HAS_CUDNN} ${CUDNN_LIBRARY}")
