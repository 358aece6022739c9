// Waking threads that wait: what lets InternalThread::Stop end a blocked
// BlockingQueue::pop.
#ifndef CAFFE_UTIL_INTERRUPTIBLE_WAIT_HPP_
#define CAFFE_UTIL_INTERRUPTIBLE_WAIT_HPP_

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

namespace caffe {

/// Thrown out of a wait in a thread that is asked to stop. Not a std::exception, so that
/// code which handles errors does not take it for one.
struct ThreadInterrupted {};

/// A mutex and the condition that is waited for under it.
struct WaitPoint {
  std::mutex mutex;
  std::condition_variable condition;
};

/// One thread's request to stop.
class Interruption {
 public:
  /// Asks the thread to stop and wakes it where it waits.
  void Request() {
    requested_ = true;
    std::shared_ptr<WaitPoint> point;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      point = waiting_at_;
    }
    if (point == nullptr) return;
    // Whoever holds this mutex has either not looked at requested() yet, or sleeps
    // already.
    { std::lock_guard<std::mutex> lock(point->mutex); }
    point->condition.notify_all();
  }
  bool requested() const { return requested_; }
  void Reset() { requested_ = false; }

  /// The calling thread's own, set by InternalThread; nullptr in other threads.
  static Interruption*& Current() {
    static thread_local Interruption* current = nullptr;
    return current;
  }

 private:
  template <typename Ready>
  friend void interruptible_wait(const std::shared_ptr<WaitPoint>& point,
                                 std::unique_lock<std::mutex>* lock, Ready ready);

  void WaitAt(std::shared_ptr<WaitPoint> point) {
    std::lock_guard<std::mutex> lock(mutex_);
    waiting_at_ = std::move(point);
  }

  std::atomic<bool> requested_{false};
  std::mutex mutex_;
  std::shared_ptr<WaitPoint> waiting_at_;
};

/// Waits, holding `lock` on point->mutex, until ready(). Throws ThreadInterrupted where
/// the calling thread is asked to stop.
template <typename Ready>
void interruptible_wait(const std::shared_ptr<WaitPoint>& point,
                        std::unique_lock<std::mutex>* lock, Ready ready) {
  Interruption* interruption = Interruption::Current();
  if (interruption == nullptr) {
    point->condition.wait(*lock, ready);
    return;
  }
  interruption->WaitAt(point);
  point->condition.wait(*lock, [&] { return interruption->requested() || ready(); });
  interruption->WaitAt(nullptr);
  if (interruption->requested()) throw ThreadInterrupted();
}

}  // namespace caffe

#endif  // CAFFE_UTIL_INTERRUPTIBLE_WAIT_HPP_
