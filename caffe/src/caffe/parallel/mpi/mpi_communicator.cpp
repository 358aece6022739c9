// The processes of `mpirun -n N`, by MPI.
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "caffe/common.hpp"
#include "caffe/parallel/communicator.hpp"

namespace caffe {

namespace {

using std::chrono::microseconds;

void Check(int result) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(result, text, &length);
  CAFFE_THROW(kGeneric) << "MPI: " << std::string(text, length);
}

/// One thread makes all calls of MPI, in the order in which they were asked for: MPI
/// makes headway only while somebody is inside it, and so a sum runs while the caller
/// computes.
class MpiCommunicator : public Communicator {
 public:
  MpiCommunicator() : worker_([this] { Work(); }) {
    try {
      Run([this] { Connect(); });
    } catch (...) {
      StopWorker();
      throw;
    }
  }
  ~MpiCommunicator() override { StopWorker(); }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void StartSum(float* data, std::size_t count) override {
    Start(data, count, MPI_FLOAT);
  }
  void StartSum(double* data, std::size_t count) override {
    Start(data, count, MPI_DOUBLE);
  }

  void Wait() override {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return tasks_.empty(); });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

  void Broadcast(void* data, std::size_t bytes) override {
    Run([=] {
      InPieces(static_cast<char*>(data), bytes, [this](char* piece, int count) {
        MPI_Request request;
        Check(MPI_Ibcast(piece, count, MPI_BYTE, 0, processes_, &request));
        Finish(&request);
      });
    });
  }

  std::vector<std::string> Gather(const std::string& text) override {
    std::vector<std::string> texts;
    Run([&] { texts = GatherTexts(text); });
    return texts;
  }

  void Barrier() override {
    Run([this] {
      MPI_Request request;
      Check(MPI_Ibarrier(processes_, &request));
      Finish(&request);
    });
  }

  [[noreturn]] void Abort(int status) override {
    std::fflush(nullptr);
    abort_status_ = status;  // the worker may be waiting for processes that do not come
    Post([] {});
    std::this_thread::sleep_for(std::chrono::seconds(5));
    std::_Exit(status);  // mpirun ends the others for it
  }

  void Leave() override {
    Run([this] {
      Check(MPI_Comm_free(&processes_));
      if (started_here_) Check(MPI_Finalize());
    });
  }

 private:
  void Connect() {
    int is_started = 0;
    Check(MPI_Initialized(&is_started));
    if (!is_started) {
      int level = 0;
      Check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &level));
      started_here_ = true;
    } else {  // by another library of this process, whose calls ours must not meet
      int level = 0;
      Check(MPI_Query_thread(&level));
      CHECK_EQ(level, MPI_THREAD_MULTIPLE)
          << "MPI was started before with less than MPI_THREAD_MULTIPLE";
    }
    Check(MPI_Comm_dup(MPI_COMM_WORLD, &processes_));
    Check(MPI_Comm_set_errhandler(processes_, MPI_ERRORS_RETURN));
    Check(MPI_Comm_rank(processes_, &rank_));
    Check(MPI_Comm_size(processes_, &size_));
  }

  template <typename Dtype>
  void Start(Dtype* data, std::size_t count, MPI_Datatype type) {
    Post([=] {
      InPieces(data, count, [=](Dtype* piece, int length) {
        MPI_Request request;
        Check(MPI_Iallreduce(MPI_IN_PLACE, piece, length, type, MPI_SUM, processes_,
                             &request));
        Finish(&request);
      });
    });
  }

  std::vector<std::string> GatherTexts(const std::string& text) const {
    const bool is_root = rank_ == 0;
    const int mine = static_cast<int>(text.size());
    std::vector<int> lengths(is_root ? size_ : 0), starts(lengths.size());
    MPI_Request request;
    Check(MPI_Igather(&mine, 1, MPI_INT, lengths.data(), 1, MPI_INT, 0, processes_,
                      &request));
    Finish(&request);
    int total = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      starts[i] = total;
      total += lengths[i];
    }
    std::string all(total, '\0');
    Check(MPI_Igatherv(text.data(), mine, MPI_BYTE, &all[0], lengths.data(),
                       starts.data(), MPI_BYTE, 0, processes_, &request));
    Finish(&request);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      texts.push_back(all.substr(starts[i], lengths[i]));
    }
    return texts;
  }

  /// MPI counts in int.
  template <typename T, typename Function>
  static void InPieces(T* data, std::size_t count, Function&& function) {
    constexpr std::size_t kMost = std::size_t{1} << 28;
    for (std::size_t start = 0; start < count; start += kMost) {
      function(data + start, static_cast<int>(std::min(kMost, count - start)));
    }
  }

  /// Waits, at first eagerly, then without taking a core from those who compute (rank 0
  /// may be testing for minutes).
  void Finish(MPI_Request* request) const {
    const auto begun = std::chrono::steady_clock::now();
    for (int done = 0;;) {
      Check(MPI_Test(request, &done, MPI_STATUS_IGNORE));
      if (done) return;
      AbortIfAsked();
      const auto waited = std::chrono::steady_clock::now() - begun;
      if (waited < microseconds(2000)) {
        std::this_thread::yield();
      } else {
        std::this_thread::sleep_for(
            microseconds(waited < microseconds(200000) ? 50 : 500));
      }
    }
  }

  void AbortIfAsked() const {
    if (abort_status_ < 0) return;
    MPI_Abort(MPI_COMM_WORLD, abort_status_);
    std::_Exit(abort_status_);
  }

  void Post(std::function<void()> task) {
    std::lock_guard<std::mutex> lock(mutex_);
    tasks_.push_back(std::move(task));
    changed_.notify_all();
  }

  void Run(std::function<void()> task) {
    Post(std::move(task));
    Wait();
  }

  void Work() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return !tasks_.empty() || stopping_; });
      if (tasks_.empty()) return;
      const std::function<void()> task = tasks_.front();
      const bool skip = error_ != nullptr;  // what follows a failure could not be right
      lock.unlock();
      std::exception_ptr error;
      try {
        AbortIfAsked();
        if (!skip) task();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error) error_ = error;
      tasks_.pop_front();
      changed_.notify_all();
    }
  }

  void StopWorker() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    worker_.join();
  }

  int rank_ = 0, size_ = 1;
  MPI_Comm processes_ = MPI_COMM_NULL;
  bool started_here_ = false, stopping_ = false;
  std::atomic<int> abort_status_{-1};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  ///< the first one is being done
  std::exception_ptr error_;
  std::thread worker_;  ///< last: it uses the others
};

}  // namespace

std::unique_ptr<Communicator> connect_processes() {
  return std::make_unique<MpiCommunicator>();
}

}  // namespace caffe
