# What is built on libcaffe: the programs, the tests and the Python module.

# Programs: build/tools/NAME, and NAME.bin beside it, which old scripts call.
file(GLOB tool_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/tools/*.cpp)
add_custom_target(caffe_tools)
if(CAFFE_BUILD_TOOLS)
  foreach(source ${tool_sources})
    get_filename_component(name ${source} NAME_WE)
    add_executable(caffe_tool_${name} ${source})
    target_link_libraries(caffe_tool_${name} PRIVATE caffe caffe_flags)
    set_target_properties(
      caffe_tool_${name} PROPERTIES
      OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tools
      BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN/../lib")
    add_custom_command(TARGET caffe_tool_${name} POST_BUILD
      COMMAND ${CMAKE_COMMAND} -E create_symlink ${name} ${CMAKE_BINARY_DIR}/tools/${name}.bin)
    add_dependencies(caffe_tools caffe_tool_${name})
  endforeach()
endif()

# Tests: less optimised, because they are many and compile time is what they cost.
if(CAFFE_BUILD_TESTS AND CAFFE_TEST_SOURCES)
  find_package(GTest QUIET)
  if(GTest_FOUND)
    add_executable(caffe_tests ${CAFFE_TEST_SOURCES})
    target_include_directories(caffe_tests PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
    target_compile_options(caffe_tests PRIVATE -O1)
    target_link_libraries(caffe_tests PRIVATE caffe caffe_flags GTest::gtest)
    if(CAFFE_PCH)
      target_precompile_headers(caffe_tests PRIVATE ${CAFFE_PRECOMPILED_HEADERS} <gtest/gtest.h>)
    endif()
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/src/caffe/test/test_caffe_main.cpp)
      target_link_libraries(caffe_tests PRIVATE GTest::gtest_main)
    endif()
  else()
    message(WARNING "GoogleTest was not found (libgtest-dev): caffe_tests is not built")
  endif()
endif()

# pycaffe: python/caffe/_caffe*.so in the tree, caffe/_caffe*.so and caffe/lib/ in a wheel.
file(GLOB python_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/python/caffe/*.cpp)
if(NOT CAFFE_BUILD_PYTHON OR NOT python_sources)
  return()
endif()
if(NOT Python_EXECUTABLE) # without a word from outside: the environment that `make deps` made
  find_program(Python_EXECUTABLE python NO_DEFAULT_PATH
               PATHS ${CMAKE_CURRENT_SOURCE_DIR}/../.venv/bin ${CMAKE_CURRENT_SOURCE_DIR}/.venv/bin)
  if(NOT Python_EXECUTABLE)
    unset(Python_EXECUTABLE CACHE)
  endif()
endif()
find_package(Python 3.11 COMPONENTS Interpreter Development.Module)
if(NOT Python_Development.Module_FOUND)
  caffe_missing("A Python >= 3.11 with its headers" "python3-dev")
endif()
execute_process(
  COMMAND ${Python_EXECUTABLE} -c "import pybind11; print(pybind11.get_cmake_dir())"
  OUTPUT_VARIABLE pybind11_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
set(PYBIND11_FINDPYTHON ON)
find_package(pybind11 3 CONFIG)
if(NOT pybind11_FOUND)
  message(FATAL_ERROR "pybind11 >= 3 was not found for ${Python_EXECUTABLE}: "
                      "${Python_EXECUTABLE} -m pip install 'pybind11>=3' (Debian's is too old)")
endif()

pybind11_add_module(_caffe NO_EXTRAS ${python_sources})
target_link_libraries(_caffe PRIVATE caffe caffe_flags)
target_compile_options(_caffe PRIVATE -O1) # no arithmetic in it; compile time is what it costs
if(CAFFE_PCH)
  target_precompile_headers(_caffe PRIVATE ${CAFFE_PRECOMPILED_HEADERS} <pybind11/numpy.h>
                            <pybind11/pybind11.h> <pybind11/stl.h>)
endif()
set_target_properties(_caffe PROPERTIES BUILD_WITH_INSTALL_RPATH ON)
if(CAFFE_IN_TREE)
  set(module_dir ${CMAKE_CURRENT_SOURCE_DIR}/python/caffe)
  file(RELATIVE_PATH library_dir ${module_dir} ${CMAKE_LIBRARY_OUTPUT_DIRECTORY})
  set_target_properties(_caffe PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${module_dir}
                                          INSTALL_RPATH "$ORIGIN/${library_dir}")
else()
  set_target_properties(_caffe PROPERTIES INSTALL_RPATH "$ORIGIN/lib")
  install(TARGETS _caffe LIBRARY DESTINATION caffe)
  install(TARGETS caffe LIBRARY DESTINATION caffe/lib)
  install(FILES ${CAFFE_PROTO_DESC} DESTINATION caffe/proto)
endif()
