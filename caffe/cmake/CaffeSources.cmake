# Lists the sources by their place: CAFFE_SOURCES and CAFFE_TEST_SOURCES.
file(GLOB_RECURSE CAFFE_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/*.cpp)
set(CAFFE_TEST_SOURCES ${CAFFE_SOURCES})
list(FILTER CAFFE_TEST_SOURCES INCLUDE REGEX "/src/caffe/test/")
list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/src/caffe/test/")

# Kernels: nvcc compiles them in a CUDA build, the host compiler (for the simulated device) in
# every other.
file(GLOB_RECURSE CAFFE_DEVICE_SOURCES CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/*.cu)
if(CAFFE_USE_CUDA)
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/device/simulated/")
  list(FILTER CAFFE_DEVICE_SOURCES EXCLUDE REGEX "/device/simulated/")
  if(NOT CAFFE_HAS_CUDNN)
    list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/device/cudnn/")
  else()
    list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/device/no_cudnn/")
  endif()
else()
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/device/(cuda|cudnn)/")
  list(FILTER CAFFE_DEVICE_SOURCES EXCLUDE REGEX "/device/(cuda|cudnn)/")
  # Zeroed padding: the simulated device looks at a kernel's body for stray host addresses.
  set_source_files_properties(${CAFFE_DEVICE_SOURCES} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS
                                                                "-x;c++;-ftrivial-auto-var-init=zero")
endif()
list(APPEND CAFFE_SOURCES ${CAFFE_DEVICE_SOURCES})

# A device or library that is absent has a folder of stubs instead of #ifdefs in every file.
if(CAFFE_HAS_ONEDNN)
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/backend/no_onednn/")
else()
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/backend/onednn/")
endif()
if(CAFFE_HAS_MPI)
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/parallel/no_mpi/")
  set_source_files_properties(
    ${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/parallel/mpi/mpi_communicator.cpp PROPERTIES
    INCLUDE_DIRECTORIES "${MPI_C_INCLUDE_DIRS}" SKIP_PRECOMPILE_HEADERS ON
    COMPILE_DEFINITIONS "OMPI_SKIP_MPICXX;MPICH_SKIP_MPICXX")
else()
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/parallel/mpi/")
endif()
if(CAFFE_HAS_NCCL)
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/parallel/no_nccl/")
  set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/parallel/nccl/device_sum.cpp
                              PROPERTIES INCLUDE_DIRECTORIES "${NCCL_INCLUDE_DIR}")
else()
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "/parallel/nccl/")
endif()

# Comparisons and conversions that raise no floating-point flags: loops of them vectorise.
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/backend/warp_samples.cpp
                            PROPERTIES SKIP_PRECOMPILE_HEADERS ON COMPILE_OPTIONS
                                                              "-fno-trapping-math")

# Instruction sets by file name; the caller checks the processor before it calls into them.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64|amd64")
  foreach(source ${CAFFE_SOURCES} ${CAFFE_TEST_SOURCES})
    if(source MATCHES "_avx512\\.cpp$")
      set_source_files_properties(
        ${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON
        COMPILE_OPTIONS "-mavx512f;-mavx512bw;-mavx512vl;-mavx512dq;-mavx2;-mfma")
    elseif(source MATCHES "_avx2\\.cpp$")
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON
                                                       COMPILE_OPTIONS "-mavx2;-mfma")
    endif()
  endforeach()
else()
  list(FILTER CAFFE_SOURCES EXCLUDE REGEX "_avx(2|512)\\.cpp$")
endif()
