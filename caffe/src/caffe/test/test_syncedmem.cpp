// SyncedMemory: heads, blocked layouts, views, versions, memory given back by keep nets.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <numeric>
#include <thread>
#include <vector>

#include "caffe/device/device.hpp"
#include "caffe/packed_contents.hpp"
#include "caffe/syncedmem.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

shared_ptr<const string> Name(const string& name) {
  return std::make_shared<const string>(name);
}

/// 0, 1, 2, ... as row-major contents.
void FillIota(SyncedMemory* memory) {
  float* data = static_cast<float*>(memory->mutable_cpu_data());
  std::iota(data, data + memory->size() / sizeof(float), 0.f);
}

const float* Floats(SyncedMemory* memory) {
  return static_cast<const float*>(memory->cpu_data());
}

/// Where element (n, c, s) lies in the blocked form, from the layout's definition.
size_t BlockedIndex(const BlockedLayout& layout, int n, int c, int s) {
  const int blocks = (layout.channels + layout.block - 1) / layout.block;
  return ((static_cast<size_t>(n) * blocks + c / layout.block) * layout.spatial + s) *
             layout.block +
         c % layout.block;
}

std::vector<BlockedLayout> AwkwardLayouts() {
  std::vector<BlockedLayout> layouts;
  for (const int block : {8, 16}) {
    for (const int channels : {1, 3, 7, 8, 15, 16, 17, 33}) {
      for (const int spatial : {1, 5, 64, 131}) {
        layouts.push_back({channels % 3 + 1, channels, spatial, block});
      }
    }
  }
  layouts.push_back({1, 17, 9001, 16});  // more than one strip of positions
  return layouts;
}

TEST(SyncedMemoryTest, StartsUninitialisedAndIsZeroOnFirstTouch) {
  SyncedMemory memory(40);
  EXPECT_EQ(memory.head(), SyncedMemory::UNINITIALIZED);
  EXPECT_EQ(memory.size(), 40u);
  EXPECT_EQ(memory.held_bytes(), 0u);  // nothing is taken before it is touched
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Floats(&memory)[i], 0.f);
  EXPECT_EQ(memory.head(), SyncedMemory::HEAD_AT_CPU);
  SyncedMemory written(40);
  const float* data = static_cast<float*>(written.mutable_cpu_data());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(data[i], 0.f);
  EXPECT_EQ(written.held_bytes(), 40u);
}

TEST(SyncedMemoryTest, AnEmptyMemoryCanBeRead) {
  SyncedMemory memory;
  EXPECT_EQ(memory.size(), 0u);
  EXPECT_NE(memory.cpu_data(), nullptr);
}

TEST(SyncedMemoryTest, ForeignMemoryIsUsedAndNotFreed) {
  std::vector<float> mine = {1, 2, 3};
  {
    SyncedMemory memory(12);
    memory.mutable_cpu_data();
    memory.set_cpu_data(mine.data());
    EXPECT_EQ(memory.cpu_data(), mine.data());
    EXPECT_EQ(memory.head(), SyncedMemory::HEAD_AT_CPU);
    static_cast<float*>(memory.mutable_cpu_data())[1] = 7;
    EXPECT_EQ(memory.held_bytes(), 0u);
  }
  EXPECT_EQ(mine, (std::vector<float>{1, 7, 3}));
  SyncedMemory memory(12);
  EXPECT_NE(ErrorOf([&] { memory.set_cpu_data(nullptr); }), "");
}

#ifdef CPU_ONLY
TEST(SyncedMemoryTest, AGpuAccessOfACpuOnlyBuildIsAnError) {
  if (device::is_built()) GTEST_SKIP() << "the simulated device is on";
  SyncedMemory memory(4);
  EXPECT_THROW(memory.gpu_data(), Error);
  EXPECT_THROW(memory.mutable_gpu_data(), Error);
  EXPECT_THROW(memory.set_gpu_data(&memory), Error);
}
#endif

TEST(BlockedMemoryTest, RowMajorContentsAreReorderedWithZeroTailLanes) {
  for (const BlockedLayout& layout : AwkwardLayouts()) {
    SyncedMemory memory(layout.count() * sizeof(float));
    FillIota(&memory);
    const float* blocked = memory.blocked_data(layout);
    std::vector<bool> is_channel(layout.padded_count());
    for (int n = 0; n < layout.num; ++n) {
      for (int c = 0; c < layout.channels; ++c) {
        for (int s = 0; s < layout.spatial; ++s) {
          const size_t at = BlockedIndex(layout, n, c, s);
          is_channel[at] = true;
          ASSERT_EQ(blocked[at],
                    static_cast<float>((n * layout.channels + c) * layout.spatial + s))
              << layout.channels << " channels in blocks of " << layout.block;
        }
      }
    }
    for (size_t i = 0; i < is_channel.size(); ++i) {
      if (!is_channel[i]) {
        ASSERT_EQ(blocked[i], 0.f) << "lane " << i;
      }
    }
  }
}

TEST(BlockedMemoryTest, ABlockedResultIsReadRowMajor) {
  for (const BlockedLayout& layout : AwkwardLayouts()) {
    SyncedMemory memory(layout.count() * sizeof(float));
    float* blocked = memory.mutable_blocked_data(layout);
    std::fill(blocked, blocked + layout.padded_count(), 0.f);
    EXPECT_TRUE(memory.head_is_blocked());
    EXPECT_EQ(memory.head(), SyncedMemory::HEAD_AT_CPU);  // what other people's code sees
    for (int n = 0; n < layout.num; ++n) {
      for (int c = 0; c < layout.channels; ++c) {
        for (int s = 0; s < layout.spatial; ++s) {
          blocked[BlockedIndex(layout, n, c, s)] = 1.f + n + 10 * c + 1000 * s;
        }
      }
    }
    const float* plain = Floats(&memory);
    EXPECT_FALSE(memory.head_is_blocked());
    EXPECT_TRUE(memory.blocked_is_current());
    for (int n = 0, i = 0; n < layout.num; ++n) {
      for (int c = 0; c < layout.channels; ++c) {
        for (int s = 0; s < layout.spatial; ++s, ++i) {
          ASSERT_EQ(plain[i], 1.f + n + 10 * c + 1000 * s);
        }
      }
    }
  }
}

TEST(BlockedMemoryTest, WhicheverFormWasWrittenLastIsTheTruth) {
  const BlockedLayout layout{1, 3, 4, 8};
  SyncedMemory memory(layout.count() * sizeof(float));
  FillIota(&memory);
  EXPECT_EQ(memory.blocked_data(layout)[BlockedIndex(layout, 0, 2, 1)], 9.f);
  static_cast<float*>(memory.mutable_cpu_data())[9] = 50.f;
  EXPECT_EQ(memory.blocked_data(layout)[BlockedIndex(layout, 0, 2, 1)], 50.f);
  memory.update_blocked_data(layout)[BlockedIndex(layout, 0, 2, 1)] = 60.f;
  EXPECT_EQ(Floats(&memory)[9], 60.f);
  EXPECT_EQ(Floats(&memory)[8], 8.f);  // update kept the rest
}

TEST(BlockedMemoryTest, AnotherLayoutOfTheSameMemoryIsReorderedToo) {
  const BlockedLayout wide{2, 6, 10, 16}, narrow{2, 6, 10, 8};
  SyncedMemory memory(wide.count() * sizeof(float));
  float* blocked = memory.mutable_blocked_data(wide);
  std::fill(blocked, blocked + wide.padded_count(), 0.f);
  blocked[BlockedIndex(wide, 1, 5, 7)] = 3.f;
  EXPECT_EQ(memory.blocked_data(narrow)[BlockedIndex(narrow, 1, 5, 7)], 3.f);
  EXPECT_EQ(memory.layout(), narrow);
  EXPECT_EQ(Floats(&memory)[(1 * 6 + 5) * 10 + 7], 3.f);
}

TEST(BlockedMemoryTest, UpdateInAnotherLayoutKeepsTheContents) {
  const BlockedLayout wide{1, 20, 3, 16}, narrow{1, 20, 3, 8};
  SyncedMemory memory(wide.count() * sizeof(float));
  FillIota(&memory);
  memory.update_blocked_data(wide)[BlockedIndex(wide, 0, 18, 2)] = -1.f;
  memory.update_blocked_data(narrow)[BlockedIndex(narrow, 0, 0, 0)] = -2.f;
  EXPECT_EQ(Floats(&memory)[18 * 3 + 2], -1.f);
  EXPECT_EQ(Floats(&memory)[0], -2.f);
  EXPECT_EQ(Floats(&memory)[4], 4.f);
}

TEST(BlockedMemoryTest, TailLanesCanBeZeroedAgain) {
  const BlockedLayout layout{2, 11, 5, 8};
  std::vector<float> blocked(layout.padded_count(), 4.f);
  zero_tail_lanes(layout, blocked.data());
  EXPECT_EQ(layout.tail_lanes(), 5);
  size_t zeros = 0;
  for (const float value : blocked) zeros += value == 0.f;
  EXPECT_EQ(zeros, 2u * 5 * 5);
  EXPECT_EQ(blocked[BlockedIndex(layout, 1, 10, 4)], 4.f);
}

TEST(BlockedMemoryTest, ManyThreadsMayReadABlockedResultAtOnce) {
  const BlockedLayout layout{1, 19, 700, 16};
  for (int round = 0; round < 20; ++round) {
    SyncedMemory memory(layout.count() * sizeof(float));
    float* blocked = memory.mutable_blocked_data(layout);
    for (size_t i = 0; i < layout.padded_count(); ++i) blocked[i] = 1.f;
    std::atomic<bool> go{false};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        while (!go) {
        }
        const float* data = Floats(&memory);
        for (size_t i = 0; i < layout.count(); ++i) wrong += data[i] != 1.f;
      });
    }
    go = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
  }
}

TEST(VersionTest, ChangesWithEveryMutableAccessAndOnlyThen) {
  const BlockedLayout layout{1, 3, 4, 8};
  SyncedMemory memory(layout.count() * sizeof(float));
  SyncedMemory other(4);
  EXPECT_NE(memory.version(), other.version());
  memory.mutable_cpu_data();
  std::uint64_t last = memory.version();
  const auto changed = [&] {
    const std::uint64_t now = memory.version();
    const bool result = now != last;
    last = now;
    return result;
  };
  memory.cpu_data();
  memory.blocked_data(layout);
  EXPECT_FALSE(changed());
  memory.mutable_cpu_data();
  EXPECT_TRUE(changed());
  memory.mutable_blocked_data(layout);
  EXPECT_TRUE(changed());
  memory.update_blocked_data(layout);
  EXPECT_TRUE(changed());
  std::vector<float> mine(layout.count());
  memory.set_cpu_data(mine.data());
  EXPECT_TRUE(changed());
  EXPECT_FALSE(changed());
}

TEST(VersionTest, SumsTellMemoriesApart) {
  // What is folded from several blobs is made anew when the sum of their versions
  // changes.
  SyncedMemory scale(4), other_scale(4), other_bias(4), bias(4);
  EXPECT_NE(scale.version() + bias.version(),
            other_scale.version() + other_bias.version());
}

TEST(ViewTest, WhileAViewIsAliveHostWritesReachReadersOfTheBlockedForm) {
  const BlockedLayout layout{1, 3, 4, 8};
  SyncedMemory memory(layout.count() * sizeof(float));
  float* view = static_cast<float*>(memory.mutable_cpu_data());
  memory.AddView();
  memory.blocked_data(layout);
  const std::uint64_t before = memory.version();
  view[5] = 9.f;  // NumPy writes without telling anybody
  EXPECT_NE(memory.version(), before);
  EXPECT_EQ(memory.blocked_data(layout)[BlockedIndex(layout, 0, 1, 1)], 9.f);
  EXPECT_FALSE(memory.blocked_is_current());
  memory.RemoveView();
  EXPECT_FALSE(memory.has_views());
  EXPECT_EQ(memory.version(), memory.version());
}

TEST(ViewTest, WhatAViewWroteAfterAReadCountsWhenTheViewIsGone) {
  const BlockedLayout layout{1, 3, 4, 8};
  const size_t at = BlockedIndex(layout, 0, 1, 1);
  for (const bool result_is_blocked : {false, true}) {
    SyncedMemory memory(layout.count() * sizeof(float));
    float* view = static_cast<float*>(memory.mutable_cpu_data());
    memory.AddView();
    if (result_is_blocked) {
      std::fill_n(memory.mutable_blocked_data(layout), layout.padded_count(), 1.f);
      memory.SyncViews();
    } else {
      memory.blocked_data(layout);
    }
    const std::uint64_t seen = memory.version();
    view[5] = 9.f;
    memory.RemoveView();
    EXPECT_NE(memory.version(), seen);
    EXPECT_EQ(memory.blocked_data(layout)[at], 9.f);
    EXPECT_EQ(Floats(&memory)[5], 9.f);
    memory.AddView();
    memory.update_blocked_data(layout)[at] = 10.f;
    memory.RemoveView();
    EXPECT_EQ(Floats(&memory)[5], 10.f);
  }
}

TEST(ViewTest, ABlockedResultIsWrittenBackForAView) {
  const BlockedLayout layout{1, 3, 4, 8};
  SyncedMemory memory(layout.count() * sizeof(float));
  const float* view = Floats(&memory);
  memory.AddView();
  float* blocked = memory.mutable_blocked_data(layout);
  std::fill(blocked, blocked + layout.padded_count(), 2.f);
  memory.SyncViews();
  EXPECT_EQ(view[11], 2.f);
  EXPECT_EQ(memory.cpu_data(), view);
  memory.RemoveView();
}

TEST(ReleaseTest, ReadingWhatWasNotKeptNamesTheBlobAndKeep) {
  const BlockedLayout layout{1, 3, 4, 8};
  SyncedMemory memory(layout.count() * sizeof(float));
  FillIota(&memory);
  memory.blocked_data(layout);
  EXPECT_GT(memory.held_bytes(), memory.size());
  memory.Release(Name("res4a"));
  EXPECT_TRUE(memory.released());
  EXPECT_EQ(memory.held_bytes(), 0u);
  for (const string& error : {ErrorOf([&] { memory.cpu_data(); }),
                              ErrorOf([&] { memory.blocked_data(layout); }),
                              ErrorOf([&] { memory.update_blocked_data(layout); })}) {
    EXPECT_NE(error.find("'res4a'"), string::npos) << error;
    EXPECT_NE(error.find("keep"), string::npos) << error;
  }
  EXPECT_TRUE(ThrowsKind([&] { memory.cpu_data(); }, Error::kKey));
}

TEST(ReleaseTest, WritingAgainMakesItReadable) {
  SyncedMemory memory(12);
  FillIota(&memory);
  memory.Release(Name("x"));
  static_cast<float*>(memory.mutable_cpu_data())[0] = 4.f;
  EXPECT_FALSE(memory.released());
  EXPECT_EQ(Floats(&memory)[0], 4.f);
  const BlockedLayout layout{1, 3, 1, 8};
  memory.Release(Name("x"));
  float* blocked = memory.mutable_blocked_data(layout);
  std::fill(blocked, blocked + 8, 5.f);
  EXPECT_EQ(Floats(&memory)[2], 5.f);
}

TEST(ReleaseTest, MemoryThatSomebodyLooksAtOrOwnsStays) {
  SyncedMemory memory(12);
  FillIota(&memory);
  memory.AddView();
  memory.Release(Name("x"));
  EXPECT_EQ(Floats(&memory)[2], 2.f);
  memory.RemoveView();
  std::vector<float> mine = {1, 2, 3};
  memory.set_cpu_data(mine.data());
  memory.Release(Name("x"));
  EXPECT_EQ(Floats(&memory)[2], 3.f);
}

TEST(ReleaseTest, AnArenaGivesTheMemoryToTheNextAndFirstTouchIsStillZero) {
  const auto arena = std::make_shared<Arena>();
  SyncedMemory first(4000), second(4000);
  first.set_arena(arena);
  second.set_arena(arena);
  FillIota(&first);
  const void* place = first.cpu_data();
  first.Release(Name("first"));
  EXPECT_EQ(second.cpu_data(), place);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(Floats(&second)[i], 0.f);
}

/// Holds numbers backwards.
class Reversed : public PackedContents {
 public:
  explicit Reversed(SyncedMemory* memory) {
    const float* data = Floats(memory);
    values_.assign(data, data + memory->size() / sizeof(float));
    std::reverse(values_.begin(), values_.end());
  }
  void Unpack(void* host) const override {
    std::reverse_copy(values_.begin(), values_.end(), static_cast<float*>(host));
  }

 private:
  std::vector<float> values_;
};

/// 0, 1, 2, ... of which only the packed form is there.
void FillPackedOnly(SyncedMemory* memory) {
  FillIota(memory);
  memory->AllowPackedOnly();
  ASSERT_TRUE(memory->KeepPackedOnly(std::make_shared<Reversed>(memory)));
  ASSERT_EQ(memory->held_bytes(), 0u);
}

TEST(PackedOnlyTest, ReadersGetTheContentsBackAndChangeNothing) {
  SyncedMemory memory(40);
  FillPackedOnly(&memory);
  const std::uint64_t version = memory.version();
  EXPECT_EQ(memory.head(), SyncedMemory::HEAD_AT_CPU);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Floats(&memory)[i], static_cast<float>(i));
  EXPECT_EQ(memory.held_bytes(), 40u);
  EXPECT_EQ(memory.version(), version);
  const BlockedLayout layout{1, 10, 1, 8};
  FillPackedOnly(&memory);
  EXPECT_EQ(memory.blocked_data(layout)[9], 9.f);
}

TEST(PackedOnlyTest, WritersChangeTheContentsThereWere) {
  SyncedMemory memory(40);
  FillPackedOnly(&memory);
  const std::uint64_t version = memory.version();
  static_cast<float*>(memory.mutable_cpu_data())[3] = 33;
  EXPECT_NE(memory.version(), version);
  EXPECT_EQ(Floats(&memory)[3], 33.f);
  EXPECT_EQ(Floats(&memory)[4], 4.f);
  std::vector<float> mine(10, 7.f);
  FillPackedOnly(&memory);
  memory.set_cpu_data(mine.data());
  EXPECT_EQ(Floats(&memory)[3], 7.f);
}

TEST(PackedOnlyTest, ABlockedResultReplacesThePackedForm) {
  SyncedMemory memory(40);
  FillPackedOnly(&memory);
  const BlockedLayout layout{1, 10, 1, 8};
  std::fill_n(memory.mutable_blocked_data(layout), layout.padded_count(), 0.f);
  EXPECT_EQ(Floats(&memory)[3], 0.f);
}

TEST(PackedOnlyTest, WhatIsViewedForeignOrNotAllowedStays) {
  SyncedMemory memory(40);
  FillIota(&memory);
  const float* data = Floats(&memory);
  EXPECT_FALSE(memory.KeepPackedOnly(std::make_shared<Reversed>(&memory)));
  EXPECT_EQ(memory.held_bytes(), 40u);
  memory.AllowPackedOnly();
  memory.AddView();
  EXPECT_FALSE(memory.KeepPackedOnly(std::make_shared<Reversed>(&memory)));
  EXPECT_EQ(memory.cpu_data(), data);
  memory.RemoveView();
  std::vector<float> mine(10, 7.f);
  memory.set_cpu_data(mine.data());
  EXPECT_FALSE(memory.KeepPackedOnly(std::make_shared<Reversed>(&memory)));
  EXPECT_EQ(memory.cpu_data(), mine.data());
}

}  // namespace
}  // namespace caffe
