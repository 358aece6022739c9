# caffe.proto -> caffe.pb.{h,cc} in the build folder, and the descriptor set that Python reads.
set(CAFFE_PROTO_FILE ${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/proto/caffe.proto)
set(CAFFE_PROTO_INCLUDE ${CMAKE_BINARY_DIR}/include)
set(CAFFE_PROTO_SOURCES)
if(NOT EXISTS ${CAFFE_PROTO_FILE})
  message(STATUS "src/caffe/proto/caffe.proto is not there yet: no schema")
  return()
endif()

set(proto_dir ${CAFFE_PROTO_INCLUDE}/caffe/proto)
set(CAFFE_PROTO_SOURCES ${proto_dir}/caffe.pb.cc)
if(CAFFE_IN_TREE)
  set(CAFFE_PROTO_DESC ${CMAKE_CURRENT_SOURCE_DIR}/python/caffe/proto/caffe.desc)
else()
  set(CAFFE_PROTO_DESC ${CMAKE_BINARY_DIR}/caffe.desc)
endif()
get_filename_component(desc_dir ${CAFFE_PROTO_DESC} DIRECTORY)
add_custom_command(
  OUTPUT ${proto_dir}/caffe.pb.cc ${proto_dir}/caffe.pb.h ${CAFFE_PROTO_DESC}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${proto_dir} ${desc_dir}
  COMMAND ${Protobuf_PROTOC_EXECUTABLE} -I ${CMAKE_CURRENT_SOURCE_DIR}/src
          --cpp_out=${CAFFE_PROTO_INCLUDE} --include_imports
          --descriptor_set_out=${CAFFE_PROTO_DESC} ${CAFFE_PROTO_FILE}
  DEPENDS ${CAFFE_PROTO_FILE}
  COMMENT "Generating caffe.pb.h and caffe.desc"
  VERBATIM)
add_custom_target(caffe_proto DEPENDS ${proto_dir}/caffe.pb.h ${CAFFE_PROTO_DESC})
set_source_files_properties(${proto_dir}/caffe.pb.cc PROPERTIES COMPILE_OPTIONS "-w;-O2"
                                                                SKIP_PRECOMPILE_HEADERS ON)
