// InternalThread: a class that runs InternalThreadEntry in a thread of its own.
#ifndef CAFFE_INTERNAL_THREAD_HPP_
#define CAFFE_INTERNAL_THREAD_HPP_

#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "caffe/common.hpp"
#include "caffe/util/interruptible_wait.hpp"

namespace caffe {

/// The thread takes over mode, device, solver count and rank, and a seed drawn from the
/// starting thread's generator. A subclass calls StopInternalThread in its own
/// destructor: when this one's runs, the subclass is gone already.
class InternalThread {
 public:
  InternalThread() = default;
  virtual ~InternalThread();

  /// Starts the thread; an error if it runs already.
  void StartInternalThread();
  /// Asks the thread to stop, wakes it where it waits in a BlockingQueue, and joins it.
  /// Never throws; an error of the thread that nobody has asked for is logged.
  void StopInternalThread();
  bool is_started() const;

  /// Throws the error with which the thread ended, if it did. To be called on the
  /// consumer's side.
  void RethrowInternalThreadError();

 protected:
  /// The thread's work. It ends by itself where must_stop() says so.
  virtual void InternalThreadEntry() {}
  /// Called in the thread when InternalThreadEntry has thrown: a consumer that waits for
  /// it must be told (BlockingQueue::fail). True: it will throw the error on its side.
  virtual bool InternalThreadFailed(std::exception_ptr) { return false; }
  /// True once StopInternalThread has been called.
  bool must_stop();

 private:
  struct Settings;
  void Entry(Settings settings);
  std::exception_ptr TakeError();

  std::unique_ptr<std::thread> thread_;
  Interruption interruption_;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  bool error_was_read_ = false;

  DISABLE_COPY_AND_ASSIGN(InternalThread);
};

}  // namespace caffe

#endif  // CAFFE_INTERNAL_THREAD_HPP_
