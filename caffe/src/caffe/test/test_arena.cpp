// Host memory: alignment, zeros, refusal of what is not there; the arena of keep nets.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "caffe/util/arena.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

bool IsAligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % 64 == 0;
}

bool IsZero(const void* pointer, size_t bytes) {
  const char* data = static_cast<const char*>(pointer);
  return std::all_of(data, data + bytes, [](char c) { return c == 0; });
}

TEST(HostMemoryTest, IsAlignedAndZeroedOnBothSidesOfTheMapThreshold) {
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{65}, (size_t{1} << 20) - 1,
                             size_t{1} << 20, (size_t{5} << 20) + 3}) {
    for (int again = 0; again < 2; ++again) {  // the second time out of used memory
      void* memory = allocate_host(bytes);
      EXPECT_TRUE(IsAligned(memory)) << bytes;
      EXPECT_TRUE(IsZero(memory, bytes)) << bytes;
      std::memset(memory, 0x5a, bytes);
      free_host(memory, bytes);
    }
  }
  free_host(nullptr, 5);
}

TEST(HostMemoryTest, MoreThanTheMachineHasIsRefusedByName) {
  const size_t terabytes = size_t{50} << 40;
  EXPECT_TRUE(ThrowsKind([=] { allocate_host(terabytes); }, Error::kMemory));
  const std::string error = ErrorOf([=] { allocate_host(terabytes); });
  EXPECT_NE(error.find("52428800.0 MB asked for"), std::string::npos) << error;
  EXPECT_NE(error.find("available"), std::string::npos) << error;
}

TEST(ArenaTest, ReleasedMemoryIsGivenOutAgain) {
  Arena arena;
  void* a = arena.Allocate(1000);
  void* b = arena.Allocate(5000);
  EXPECT_TRUE(IsAligned(a));
  EXPECT_TRUE(IsAligned(b));
  const size_t reserved = arena.reserved();
  arena.Release(a);
  EXPECT_EQ(arena.Allocate(900), a);
  arena.Release(b);
  void* again = arena.Allocate(5000);
  EXPECT_LE(static_cast<char*>(again), static_cast<char*>(b));
  EXPECT_EQ(arena.reserved(), reserved);
}

TEST(ArenaTest, TheSmallestPieceThatFitsIsTaken) {
  Arena arena;
  void* large = arena.Allocate(64 * 100);
  void* wall1 = arena.Allocate(64);
  void* small = arena.Allocate(64 * 10);
  void* wall2 = arena.Allocate(64);
  arena.Release(large);
  arena.Release(small);
  EXPECT_EQ(arena.Allocate(64 * 9), small);
  EXPECT_EQ(arena.Allocate(64 * 11), large);
  (void)wall1;
  (void)wall2;
}

TEST(ArenaTest, NeighboursJoinInEveryOrderOfRelease) {
  for (const auto& order : std::vector<std::vector<int>>{
           {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
    Arena arena;
    std::vector<void*> pieces;
    for (int i = 0; i < 3; ++i) pieces.push_back(arena.Allocate(64 * 50));
    void* wall = arena.Allocate(64);
    for (const int i : order) arena.Release(pieces[i]);
    EXPECT_EQ(arena.Allocate(64 * 150), pieces[0]);
    (void)wall;
  }
}

TEST(ArenaTest, LivePiecesNeverOverlap) {
  Arena arena;
  std::mt19937 random(3);
  struct Piece {
    char* data;
    size_t bytes;
    char mark;
  };
  std::vector<Piece> live;
  for (int step = 0; step < 3000; ++step) {
    if (live.size() < 20 && random() % 3 != 0) {
      const size_t bytes = 1 + random() % 5000;
      const char mark = static_cast<char>(step);
      char* data = static_cast<char*>(arena.Allocate(bytes));
      std::memset(data, mark, bytes);
      live.push_back({data, bytes, mark});
    } else if (!live.empty()) {
      const size_t i = random() % live.size();
      const Piece piece = live[i];
      for (size_t k = 0; k < piece.bytes; ++k) {
        ASSERT_EQ(piece.data[k], piece.mark) << "step " << step;
      }
      arena.Release(piece.data);
      live.erase(live.begin() + i);
    }
  }
}

TEST(ArenaTest, AReleaseOfForeignMemoryIsAnError) {
  Arena arena;
  int mine = 0;
  arena.Allocate(100);
  EXPECT_NE(ErrorOf([&] { arena.Release(&mine); }).find("did not give"),
            std::string::npos);
  arena.Release(nullptr);
}

TEST(ArenaTest, GrowsWhereNothingFits) {
  Arena arena;
  arena.Allocate(64);
  const size_t first = arena.reserved();
  void* large = arena.Allocate(first);  // address space only: no page of it is touched
  EXPECT_GE(arena.reserved(), 2 * first);
  EXPECT_TRUE(IsAligned(large));
}

}  // namespace
}  // namespace caffe
