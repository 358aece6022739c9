// File names, attachments of nets and solvers, and how a long call answers Ctrl-C.
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <thread>

#include "_caffe.hpp"
#include "caffe/util/interrupt.hpp"

namespace caffe {
namespace python {

namespace {

std::mutex g_attachments_mutex;
std::map<const void*, shared_ptr<Attachments>>& AllAttachments() {
  // Never destroyed: nets may outlive it at the interpreter's end.
  static auto* all = new std::map<const void*, shared_ptr<Attachments>>;
  return *all;
}

/// Runs Python's signal handlers; true if one raised, which then is the current error.
bool SignalHandlersRaised() { return PyErr_CheckSignals() != 0; }

/// At most 20 times a second: another Python thread may hold the lock for some
/// milliseconds.
bool IsDue() {
  using Clock = std::chrono::steady_clock;
  static thread_local Clock::time_point last;
  const Clock::time_point now = Clock::now();
  if (now - last < std::chrono::milliseconds(50)) return false;
  last = now;
  return true;
}

void AnswerBetweenLayers() {
  stop_at_end();
  if (!is_main_thread() || !IsDue()) return;
  py::gil_scoped_acquire gil;
  if (SignalHandlersRaised()) throw py::error_already_set();
}

}  // namespace

string FileName(const py::object& path) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(path.ptr(), &bytes) == 0) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(bytes).cast<string>();
}

void CheckReadable(const string& path) {
  struct stat status;
  const char* reason = nullptr;
  if (stat(path.c_str(), &status) != 0 || access(path.c_str(), R_OK) != 0) {
    reason = std::strerror(errno);
  } else if (S_ISDIR(status.st_mode)) {
    reason = "it is a directory";
  }
  if (reason != nullptr) {
    CAFFE_THROW(kFileNotFound) << "Could not open file " << path << ": " << reason;
  }
}

shared_ptr<Attachments> AttachmentsOf(const void* owner) {
  const std::lock_guard<std::mutex> lock(g_attachments_mutex);
  shared_ptr<Attachments>& attachments = AllAttachments()[owner];
  if (!attachments) attachments = std::make_shared<Attachments>();
  return attachments;
}

void ForgetAttachments(const void* owner) {
  shared_ptr<Attachments> forgotten;
  {
    const std::lock_guard<std::mutex> lock(g_attachments_mutex);
    const auto found = AllAttachments().find(owner);
    if (found == AllAttachments().end()) return;
    forgotten = std::move(found->second);
    AllAttachments().erase(found);
  }
  if (forgotten->owned.empty() || !Py_IsInitialized()) return;
  py::gil_scoped_acquire gil;
  forgotten->owned.clear();
}

InterruptsDeferred::InterruptsDeferred() {
  if (!is_main_thread()) return;
  const Held gil;
  deferral_ = py::module_::import("caffe.interrupts").attr("DeferredInterrupt")();
}

InterruptsDeferred::~InterruptsDeferred() {
  if (!deferral_) return;
  py::gil_scoped_acquire gil;
  try {
    deferral_.attr("restore")();
  } catch (py::error_already_set& error) {
    error.discard_as_unraisable("restoring the interrupt handler");
  }
  deferral_.release().dec_ref();
}

bool InterruptsDeferred::Pending() const {
  if (!deferral_) return false;
  const Held gil;
  if (SignalHandlersRaised()) throw py::error_already_set();
  return deferral_.attr("pending").cast<bool>();
}

void InterruptsDeferred::Finish() {
  if (!deferral_) return;
  const Held gil;
  deferral_.attr("finish")();
}

void InstallInterruptCheck() { SetInterruptCheck(&AnswerBetweenLayers); }

}  // namespace python
}  // namespace caffe
