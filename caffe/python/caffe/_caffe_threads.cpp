// Threads that are in the engine when the interpreter ends.
#include "_caffe_threads.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "caffe/util/logging.hpp"

namespace py = pybind11;

namespace caffe {
namespace python {

namespace {

/// The end is not held up longer by a thread that waits in Python code for something.
constexpr std::chrono::seconds kPatience{5};

std::atomic<unsigned long> g_main_thread{0};
std::atomic<bool> g_ends{false};
/// Threads within a Released, but for the main one and those that stay.
std::atomic<int> g_inside{0};
/// Released objects of this thread, one within the other; 0 in the main one.
thread_local int t_depth = 0;

bool must_stop() { return t_depth > 0 && g_ends; }

[[noreturn]] void stay() {
  --g_inside;
  while (true) pause();
}

void end_threads() {
  g_ends = true;
  py::gil_scoped_release released;
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (g_inside > 0 && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// A child has only the thread that forked, which is its main one.
void start_child() {
  g_main_thread = PyThread_get_thread_ident();
  g_inside = t_depth > 0 ? 1 : 0;
}

}  // namespace

bool is_main_thread() { return PyThread_get_thread_ident() == g_main_thread; }

Released::Released() {
  if (!is_main_thread() && t_depth++ == 0) ++g_inside;
  state_ = PyEval_SaveThread();
  if (must_stop()) stay();
}

Released::~Released() {
  if (must_stop()) stay();
  PyEval_RestoreThread(state_);
  if (t_depth > 0 && --t_depth == 0) --g_inside;
}

void stop_at_end() {
  if (must_stop()) CAFFE_THROW(kInterrupted) << "the interpreter ends";
}

void watch_threads() {
  g_main_thread = py::module_::import("threading")
                      .attr("main_thread")()
                      .attr("ident")
                      .cast<unsigned long>();
  py::module_::import("atexit").attr("register")(py::cpp_function(&end_threads));
  pthread_atfork(nullptr, nullptr, &start_child);
}

}  // namespace python
}  // namespace caffe
