// Threads, the queue between them, and how a thread's error reaches the consumer.
#include <atomic>
#include <thread>

#include "caffe/internal_thread.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/blocking_queue.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {
namespace {

// Pushes 0, 1, ... as long as there are free slots; throws at `fail_at`.
class CountingThread : public InternalThread {
 public:
  explicit CountingThread(int fail_at = -1, bool pass_on = true)
      : fail_at_(fail_at), pass_on_(pass_on) {
    for (int i = 0; i < 2; ++i) free_.push(i);
  }
  ~CountingThread() override { StopInternalThread(); }

  BlockingQueue<int> free_, full_;
  unsigned int first_draw = 0;
  int rank = -1;
  std::atomic<bool> failed{false};

 protected:
  void InternalThreadEntry() override {
    first_draw = caffe_rng_rand();
    rank = Caffe::solver_rank();
    for (int i = 0; !must_stop(); ++i) {
      free_.pop();
      CHECK_NE(i, fail_at_) << "cannot count so far";
      full_.push(i);
    }
  }
  bool InternalThreadFailed(std::exception_ptr error) override {
    failed = true;
    if (pass_on_) full_.fail(error);
    return pass_on_;
  }

 private:
  int fail_at_;
  bool pass_on_;
};

TEST(BlockingQueueTest, FirstInFirstOut) {
  BlockingQueue<string> queue;
  string value;
  EXPECT_FALSE(queue.try_pop(&value));
  EXPECT_FALSE(queue.try_peek(&value));
  queue.push("a");
  queue.push("b");
  EXPECT_EQ(queue.size(), 2u);
  EXPECT_EQ(queue.peek(), "a");
  EXPECT_TRUE(queue.try_peek(&value));
  EXPECT_EQ(queue.pop(), "a");
  EXPECT_TRUE(queue.try_pop(&value));
  EXPECT_EQ(value, "b");
  EXPECT_EQ(queue.size(), 0u);
}

TEST(BlockingQueueTest, ErrorComesAfterWhatLiesInTheQueue) {
  BlockingQueue<int> queue;
  queue.push(7);
  queue.fail(std::make_exception_ptr(Error("the disk is gone")));
  EXPECT_EQ(queue.pop(), 7);
  EXPECT_THROW(queue.pop(), Error);
  EXPECT_THROW(queue.peek(), Error);
  queue.clear_failure();
  queue.push(8);
  EXPECT_EQ(queue.pop(), 8);
}

TEST(InternalThreadTest, StopWakesABlockedThread) {
  CountingThread thread;
  EXPECT_FALSE(thread.is_started());
  thread.StartInternalThread();
  EXPECT_TRUE(thread.is_started());
  EXPECT_THROW(thread.StartInternalThread(), Error);
  EXPECT_EQ(thread.full_.pop(), 0);
  EXPECT_EQ(thread.full_.pop(), 1);  // no free slot is left: the thread waits in pop
  thread.StopInternalThread();
  EXPECT_FALSE(thread.is_started());
  thread.free_.push(0);  // and can be started again
  thread.StartInternalThread();
  EXPECT_EQ(thread.full_.pop(), 0);
}

TEST(InternalThreadTest, ManyStartsAndStops) {
  CountingThread thread;
  for (int i = 0; i < 200; ++i) {
    thread.StartInternalThread();
    if (i % 2) thread.free_.push(0);
    thread.StopInternalThread();
  }
}

TEST(InternalThreadTest, SeedAndRankComeFromTheStartingThread) {
  unsigned int draws[2];
  Caffe::set_solver_rank(3);
  for (unsigned int& draw : draws) {
    Caffe::set_random_seed(42);
    CountingThread thread;
    thread.StartInternalThread();
    thread.full_.pop();
    draw = thread.first_draw;
    EXPECT_EQ(thread.rank, 3);
  }
  Caffe::set_solver_rank(0);
  EXPECT_EQ(draws[0], draws[1]);
  Caffe::set_random_seed(42);
  EXPECT_NE(draws[0], caffe_rng_rand())
      << "the thread must not repeat its parent's stream";
}

TEST(InternalThreadTest, ErrorReachesTheWaitingConsumer) {
  CountingThread thread(1);
  thread.StartInternalThread();
  EXPECT_EQ(thread.full_.pop(), 0);
  try {
    thread.full_.pop();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(string(error.what()).find("cannot count so far"), string::npos);
  }
  thread.StopInternalThread();
  EXPECT_THROW(thread.RethrowInternalThreadError(), Error);
}

string g_logged;

TEST(InternalThreadTest, UnreadErrorIsLoggedAtTheStop) {
  g_logged.clear();
  SetLogSink([](LogSeverity, const char*, int, const string& text) { g_logged += text; });
  {
    CountingThread thread(0, false);
    thread.StartInternalThread();
    while (!thread.failed) std::this_thread::yield();
  }
  SetLogSink(nullptr);
  EXPECT_NE(g_logged.find("cannot count so far"), string::npos) << g_logged;
}

}  // namespace
}  // namespace caffe
