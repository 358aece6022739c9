// Starting, stopping and failing of InternalThread.
#include "caffe/internal_thread.hpp"

#include "caffe/device/device.hpp"
#include "caffe/device/thread_device.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

// The thread-local settings that a new thread takes over.
struct InternalThread::Settings {
  Caffe::Brew mode;
  int device, solver_count, solver_rank;
  bool multiprocess;
  unsigned int seed;
};

InternalThread::~InternalThread() { StopInternalThread(); }

bool InternalThread::is_started() const {
  return thread_ != nullptr && thread_->joinable();
}

bool InternalThread::must_stop() { return interruption_.requested(); }

void InternalThread::StartInternalThread() {
  CHECK(!is_started()) << "Threads should persist and not be restarted.";
  interruption_.Reset();
  {
    std::lock_guard<std::mutex> lock(error_mutex_);
    error_ = nullptr;
    error_was_read_ = false;
  }
  Settings settings{Caffe::mode(),         0,
                    Caffe::solver_count(), Caffe::solver_rank(),
                    Caffe::multiprocess(), caffe_rng_rand()};
  // In CPU mode a CUDA build has to do without a device, too.
  if (settings.mode == Caffe::GPU) settings.device = device::current();
  thread_ = std::make_unique<std::thread>([this, settings] { Entry(settings); });
}

void InternalThread::Entry(Settings settings) {
  Interruption::Current() = &interruption_;
  try {
    if (settings.mode == Caffe::GPU) set_device_of_thread(settings.device);
    Caffe::set_mode(settings.mode);
    Caffe::set_random_seed(settings.seed);
    Caffe::set_solver_count(settings.solver_count);
    Caffe::set_solver_rank(settings.solver_rank);
    Caffe::set_multiprocess(settings.multiprocess);
    InternalThreadEntry();
  } catch (const ThreadInterrupted&) {
    // Asked to stop while it waited: the ordinary end.
  } catch (...) {
    const std::exception_ptr error = std::current_exception();
    {
      std::lock_guard<std::mutex> lock(error_mutex_);
      error_ = error;
    }
    const bool passed_on = InternalThreadFailed(error);
    std::lock_guard<std::mutex> lock(error_mutex_);
    error_was_read_ = error_was_read_ || passed_on;
  }
  Interruption::Current() = nullptr;
}

std::exception_ptr InternalThread::TakeError() {
  std::lock_guard<std::mutex> lock(error_mutex_);
  if (error_ != nullptr) error_was_read_ = true;
  return error_;
}

void InternalThread::RethrowInternalThreadError() {
  const std::exception_ptr error = TakeError();
  if (error != nullptr) std::rethrow_exception(error);
}

void InternalThread::StopInternalThread() {
  if (!is_started()) return;
  interruption_.Request();
  thread_->join();
  thread_.reset();
  const bool was_read = error_was_read_;
  const std::exception_ptr error = TakeError();
  if (error == nullptr || was_read) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    LOG(ERROR) << "a thread had ended with an error: " << e.what();
  } catch (...) {
    LOG(ERROR) << "a thread had ended with an error of unknown kind";
  }
}

}  // namespace caffe
