// Loops over threads: each index once, exceptions carried out, nesting.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "caffe/common.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {
namespace {

class ParallelForTest : public ::testing::Test {
 protected:
#ifdef _OPENMP
  ParallelForTest() : threads_(omp_get_max_threads()) { omp_set_num_threads(4); }
  ~ParallelForTest() override { omp_set_num_threads(threads_); }

 private:
  int threads_;
#endif
};

TEST_F(ParallelForTest, VisitsEachIndexOnce) {
  for (const int n : {0, 1, 2, 3, 4, 5, 97}) {
    std::vector<std::atomic<int>> visits(n + 1);
    parallel_for(n, [&](std::int64_t i) { ++visits[i]; });
    for (int i = 0; i < n; ++i) EXPECT_EQ(visits[i], 1) << i << " of " << n;
    EXPECT_EQ(visits[n], 0);
  }
}

TEST_F(ParallelForTest, RangesCoverTheWholeInPiecesOfAtLeastTheGrain) {
  for (const int n : {0, 1, 7, 64, 1000}) {
    for (const int grain : {1, 10, 300}) {
      std::vector<std::atomic<int>> visits(n + 1);
      std::atomic<int> pieces{0}, short_pieces{0};
      parallel_ranges(n, grain, [&](std::int64_t begin, std::int64_t end) {
        ++pieces;
        short_pieces += end - begin < grain ? 1 : 0;
        for (std::int64_t i = begin; i < end; ++i) ++visits[i];
      });
      for (int i = 0; i < n; ++i) EXPECT_EQ(visits[i], 1);
      if (pieces > 1) {
        EXPECT_EQ(short_pieces, 0) << n << " by " << grain;
      }
    }
  }
}

TEST_F(ParallelForTest, AnElementwiseLoopReachesEachElement) {
  const int n = (1 << 14) * 3 + 5;  // more than one piece
  std::vector<float> data(n);
  float* out = data.data();
  for_each_index(n, [=](std::int64_t i) { out[i] += static_cast<float>(i % 1000); });
  for (int i = 0; i < n; ++i) ASSERT_EQ(data[i], static_cast<float>(i % 1000));
}

TEST_F(ParallelForTest, AnErrorInTheBodyComesOutAsItself) {
  for (const int n : {1, 100}) {
    try {
      parallel_for(n, [&](std::int64_t i) {
        if (i == n / 2) CAFFE_THROW(kIndex) << "row " << i;
      });
      ADD_FAILURE() << "nothing came out";
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), "row " + std::to_string(n / 2));
      EXPECT_EQ(error.kind(), Error::kIndex);
    }
  }
  EXPECT_THROW(
      parallel_ranges(
          100, 1, [](std::int64_t, std::int64_t) { throw std::out_of_range("mine"); }),
      std::out_of_range);
  std::vector<float> data(1 << 16);
  EXPECT_NO_THROW(
      for_each_index(1 << 16, [out = data.data()](std::int64_t i) { out[i] = 1; }));
}

TEST_F(ParallelForTest, AfterAnErrorTheNextLoopWorks) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(parallel_for(50, [](std::int64_t) { CHECK(false); }), Error);
    std::atomic<int> sum{0};
    parallel_for(50, [&](std::int64_t i) { sum += static_cast<int>(i); });
    EXPECT_EQ(sum, 50 * 49 / 2);
  }
}

TEST_F(ParallelForTest, ALoopInsideALoopRunsWhole) {
  std::vector<std::atomic<int>> visits(6 * 7);
  parallel_for(6, [&](std::int64_t i) {
    parallel_for(7, [&](std::int64_t j) { ++visits[i * 7 + j]; });
  });
  for (const auto& count : visits) EXPECT_EQ(count, 1);
  EXPECT_THROW(parallel_for(6,
                            [](std::int64_t i) {
                              parallel_for(7, [=](std::int64_t j) {
                                CHECK(i * 7 + j != 40) << "inner";
                              });
                            }),
               Error);
}

#ifdef _OPENMP
TEST_F(ParallelForTest, LongLoopsUseTheThreadsThereAre) {
  std::vector<std::atomic<int>> seen(4);
  parallel_ranges(400, 1,
                  [&](std::int64_t, std::int64_t) { ++seen[omp_get_thread_num()]; });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}
#endif

}  // namespace
}  // namespace caffe
