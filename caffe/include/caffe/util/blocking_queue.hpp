// BlockingQueue: hands values from thread to thread, and the error of a failed producer.
#ifndef CAFFE_UTIL_BLOCKING_QUEUE_HPP_
#define CAFFE_UTIL_BLOCKING_QUEUE_HPP_

#include <exception>
#include <memory>
#include <mutex>
#include <queue>
#include <string>

#include "caffe/common.hpp"
#include "caffe/util/interruptible_wait.hpp"

namespace caffe {

/// First in, first out. Waiting in it is an interruption point of InternalThread.
/// differs: header-only, so any T works.
template <typename T>
class BlockingQueue {
 public:
  BlockingQueue() : sync_(std::make_shared<WaitPoint>()) {}

  void push(const T& value) {
    {
      std::lock_guard<std::mutex> lock(sync_->mutex);
      queue_.push(value);
    }
    sync_->condition.notify_one();
  }

  /// The producer has ended with `error`: what lies in the queue is still handed out,
  /// then pop and peek throw it instead of waiting for ever.
  void fail(std::exception_ptr error) {
    {
      std::lock_guard<std::mutex> lock(sync_->mutex);
      error_ = std::move(error);
    }
    sync_->condition.notify_all();
  }
  /// Forgets the error: a new producer starts.
  void clear_failure() {
    std::lock_guard<std::mutex> lock(sync_->mutex);
    error_ = nullptr;
  }

  /// False where the queue is empty.
  bool try_pop(T* value) {
    std::lock_guard<std::mutex> lock(sync_->mutex);
    if (queue_.empty()) return false;
    *value = queue_.front();
    queue_.pop();
    return true;
  }
  bool try_peek(T* value) const {
    std::lock_guard<std::mutex> lock(sync_->mutex);
    if (queue_.empty()) return false;
    *value = queue_.front();
    return true;
  }

  /// Waits for a value. `log_on_wait` is logged, now and then, where it has to wait.
  T pop(const string& log_on_wait = "") {
    std::unique_lock<std::mutex> lock(sync_->mutex);
    WaitForValue(&lock, log_on_wait);
    T value = queue_.front();
    queue_.pop();
    return value;
  }
  /// The same without taking the value out.
  T peek() {
    std::unique_lock<std::mutex> lock(sync_->mutex);
    WaitForValue(&lock, "");
    return queue_.front();
  }

  size_t size() const {
    std::lock_guard<std::mutex> lock(sync_->mutex);
    return queue_.size();
  }

 private:
  void WaitForValue(std::unique_lock<std::mutex>* lock, const string& log_on_wait) {
    if (queue_.empty() && error_ == nullptr && !log_on_wait.empty()) {
      LOG_EVERY_N(INFO, 1000) << log_on_wait;
    }
    interruptible_wait(sync_, lock,
                       [this] { return !queue_.empty() || error_ != nullptr; });
    if (queue_.empty()) std::rethrow_exception(error_);
  }

  std::queue<T> queue_;
  std::exception_ptr error_;
  std::shared_ptr<WaitPoint> sync_;

  DISABLE_COPY_AND_ASSIGN(BlockingQueue);
};

}  // namespace caffe

#endif  // CAFFE_UTIL_BLOCKING_QUEUE_HPP_
