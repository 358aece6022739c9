# Finds what libcaffe links and gathers it in the target `caffe_dependencies`.
add_library(caffe_dependencies INTERFACE)

# Says what is missing and how to get it, in one message.
function(caffe_missing what package)
  message(FATAL_ERROR "${what} was not found. On Debian and Ubuntu it comes with ${package}; "
                      "`make deps` in the repository root installs everything.")
endfunction()

find_package(Threads REQUIRED)
find_package(OpenMP COMPONENTS CXX)
if(NOT OpenMP_CXX_FOUND)
  caffe_missing("OpenMP" "g++ (package g++)")
endif()
target_link_libraries(caffe_dependencies INTERFACE Threads::Threads OpenMP::OpenMP_CXX)

# protobuf
find_package(Protobuf)
if(NOT Protobuf_FOUND OR NOT Protobuf_PROTOC_EXECUTABLE)
  caffe_missing("protobuf" "libprotobuf-dev and protobuf-compiler")
endif()
execute_process(COMMAND ${Protobuf_PROTOC_EXECUTABLE} --version OUTPUT_VARIABLE protoc_version
                OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX MATCH "[0-9.]+$" protoc_version "${protoc_version}")
if(NOT Protobuf_VERSION MATCHES "${protoc_version}$") # 4.25.1 is the library of protoc 25.1
  message(FATAL_ERROR "Two protobufs: the compiler ${Protobuf_PROTOC_EXECUTABLE} is "
                      "${protoc_version}, the library ${Protobuf_LIBRARIES} is ${Protobuf_VERSION}. "
                      "Take one from the PATH, or give -DProtobuf_PROTOC_EXECUTABLE=/usr/bin/protoc")
endif()
target_link_libraries(caffe_dependencies INTERFACE protobuf::libprotobuf)

# BLAS: OpenBLAS, and of its variants the OpenMP one, which shares oneDNN's thread pool. Its
# folder goes into the run path, so that an installed pthread variant is not taken instead.
set(openblas_dirs openblas-openmp lib/${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp
    ${CMAKE_LIBRARY_ARCHITECTURE}/openblas-openmp ${CMAKE_LIBRARY_ARCHITECTURE} openblas)
find_path(CAFFE_BLAS_INCLUDE_DIR cblas.h PATH_SUFFIXES ${openblas_dirs})
find_library(CAFFE_BLAS_LIBRARY openblas PATHS /usr/lib PATH_SUFFIXES ${openblas_dirs})
if(NOT CAFFE_BLAS_INCLUDE_DIR OR NOT CAFFE_BLAS_LIBRARY)
  caffe_missing("OpenBLAS (cblas.h, libopenblas)" "libopenblas-openmp-dev")
endif()
get_filename_component(CAFFE_BLAS_RPATH ${CAFFE_BLAS_LIBRARY} DIRECTORY)
if(NOT CAFFE_BLAS_RPATH MATCHES "openmp")
  message(WARNING "OpenBLAS at ${CAFFE_BLAS_LIBRARY} may be the pthread variant; beside oneDNN "
                  "it costs up to a factor of two. Better: libopenblas-openmp-dev")
endif()
target_include_directories(caffe_dependencies SYSTEM INTERFACE ${CAFFE_BLAS_INCLUDE_DIR})
target_link_libraries(caffe_dependencies INTERFACE ${CAFFE_BLAS_LIBRARY})

# HDF5: the C library and its high-level half
if(CAFFE_USE_HDF5)
  find_path(HDF5_INCLUDE_DIR hdf5_hl.h PATH_SUFFIXES hdf5/serial)
  find_library(HDF5_LIBRARY NAMES hdf5_serial hdf5 PATH_SUFFIXES hdf5/serial)
  find_library(HDF5_HL_LIBRARY NAMES hdf5_serial_hl hdf5_hl PATH_SUFFIXES hdf5/serial)
  if(NOT HDF5_INCLUDE_DIR OR NOT HDF5_LIBRARY OR NOT HDF5_HL_LIBRARY)
    caffe_missing("HDF5 (hdf5_hl.h, libhdf5, libhdf5_hl)" "libhdf5-dev")
  endif()
  target_include_directories(caffe_dependencies SYSTEM INTERFACE ${HDF5_INCLUDE_DIR})
  target_link_libraries(caffe_dependencies INTERFACE ${HDF5_HL_LIBRARY} ${HDF5_LIBRARY})
  target_compile_definitions(caffe_dependencies INTERFACE USE_HDF5)
endif()

# MPI, optional: training in several processes. Only src/caffe/parallel/mpi/ sees its headers.
set(CAFFE_HAS_MPI OFF)
if(CAFFE_USE_MPI)
  find_package(MPI COMPONENTS C QUIET)
  set(CAFFE_HAS_MPI ${MPI_C_FOUND})
endif()
message(STATUS "MPI: ${CAFFE_HAS_MPI} ${MPI_C_LIBRARIES}")

# libpng and libjpeg, optional: what ImgReader reads beside PPM and PGM
find_package(PNG)
if(PNG_FOUND)
  target_link_libraries(caffe_dependencies INTERFACE PNG::PNG)
  target_compile_definitions(caffe_dependencies INTERFACE USE_LIBPNG)
endif()
find_package(JPEG)
if(JPEG_FOUND)
  target_link_libraries(caffe_dependencies INTERFACE JPEG::JPEG)
  target_compile_definitions(caffe_dependencies INTERFACE USE_LIBJPEG)
endif()

# oneDNN, optional; -DDNNL_ROOT=DIR takes another than the system's (2.6 and 3.x both serve)
set(CAFFE_HAS_ONEDNN OFF)
if(CAFFE_USE_ONEDNN)
  find_path(DNNL_INCLUDE_DIR oneapi/dnnl/dnnl.hpp HINTS ${DNNL_ROOT} PATH_SUFFIXES include)
  find_library(DNNL_LIBRARY dnnl HINTS ${DNNL_ROOT} PATH_SUFFIXES lib)
  if(DNNL_INCLUDE_DIR AND DNNL_LIBRARY)
    set(CAFFE_HAS_ONEDNN ON)
    target_include_directories(caffe_dependencies SYSTEM INTERFACE ${DNNL_INCLUDE_DIR})
    target_link_libraries(caffe_dependencies INTERFACE ${DNNL_LIBRARY})
    target_compile_definitions(caffe_dependencies INTERFACE USE_ONEDNN)
  else()
    message(WARNING "oneDNN was not found (libdnnl-dev): building the slower plain engine only")
  endif()
endif()
message(STATUS "oneDNN: ${CAFFE_HAS_ONEDNN} ${DNNL_LIBRARY}; BLAS: ${CAFFE_BLAS_LIBRARY}")
