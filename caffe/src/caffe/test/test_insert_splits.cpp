// Split layers: names, order of readers, loss weights.
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "caffe/util/insert_splits.hpp"
#include "caffe/util/text_format.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

NetParameter Net(const std::string& text) {
  NetParameter net;
  ParseTextFormat(text, "test", &net);
  return net;
}

void ExpectSplits(const std::string& from, const std::string& to) {
  NetParameter split;
  InsertSplits(Net(from), &split);
  EXPECT_EQ(split.DebugString(), Net(to).DebugString());
  NetParameter again;  // a net with its splits (out of a snapshot) stays as it is
  InsertSplits(split, &again);
  EXPECT_EQ(again.DebugString(), split.DebugString());
}

TEST(InsertSplitsTest, NetsWithoutSharedBlobsStayAsTheyAre) {
  const std::string text =
      "name: 'n' force_backward: true layer { name: 'a' top: 'x' }"
      "layer { name: 'b' bottom: 'x' top: 'x' } layer { name: 'c' bottom: 'x' top: 'z' }";
  ExpectSplits(text, text);
}

TEST(InsertSplitsTest, ReadersGetOutputsInTheirOrder) {
  ExpectSplits(
      "layer { name: 'A' top: 'u' top: 'x' } layer { name: 'B' bottom: 'x' bottom: 'x' "
      "top: 'y' }"
      "layer { name: 'C' bottom: 'y' bottom: 'x' bottom: 'u' }",
      "layer { name: 'A' top: 'u' top: 'x' }"
      "layer { name: 'x_A_1_split' type: 'Split' bottom: 'x' top: 'x_A_1_split_0'"
      " top: 'x_A_1_split_1' top: 'x_A_1_split_2' }"
      "layer { name: 'B' bottom: 'x_A_1_split_0' bottom: 'x_A_1_split_1' top: 'y' }"
      "layer { name: 'C' bottom: 'y' bottom: 'x_A_1_split_2' bottom: 'u' }");
}

TEST(InsertSplitsTest, ABottomReadsTheMostRecentTopOfItsName) {
  ExpectSplits(
      "layer { name: 'A' top: 'x' } layer { name: 'R' bottom: 'x' top: 'x' }"
      "layer { name: 'B' bottom: 'x' } layer { name: 'C' bottom: 'x' }",
      "layer { name: 'A' top: 'x' } layer { name: 'R' bottom: 'x' top: 'x' }"
      "layer { name: 'x_R_0_split' type: 'Split' bottom: 'x' top: 'x_R_0_split_0'"
      " top: 'x_R_0_split_1' }"
      "layer { name: 'B' bottom: 'x_R_0_split_0' } layer { name: 'C' bottom: "
      "'x_R_0_split_1' }");
}

TEST(InsertSplitsTest, SeveralSharedTopsGiveSplitsInTopOrder) {
  ExpectSplits(
      "layer { name: 'A' top: 'x' top: 'y' } layer { name: 'B' bottom: 'y' bottom: 'x' }"
      "layer { name: 'C' bottom: 'y' bottom: 'x' }",
      "layer { name: 'A' top: 'x' top: 'y' }"
      "layer { name: 'x_A_0_split' type: 'Split' bottom: 'x' top: 'x_A_0_split_0'"
      " top: 'x_A_0_split_1' }"
      "layer { name: 'y_A_1_split' type: 'Split' bottom: 'y' top: 'y_A_1_split_0'"
      " top: 'y_A_1_split_1' }"
      "layer { name: 'B' bottom: 'y_A_1_split_0' bottom: 'x_A_0_split_0' }"
      "layer { name: 'C' bottom: 'y_A_1_split_1' bottom: 'x_A_0_split_1' }");
}

TEST(InsertSplitsTest, ALossWeightMovesToTheFirstOutput) {
  ExpectSplits(
      "layer { name: 'A' top: 'x' loss_weight: 2 } layer { name: 'B' bottom: 'x' top: "
      "'y' }"
      "layer { name: 'C' bottom: 'y' bottom: 'x' }",
      "layer { name: 'A' top: 'x' }"
      "layer { name: 'x_A_0_split' type: 'Split' bottom: 'x' loss_weight: 2 loss_weight: "
      "0"
      " loss_weight: 0 top: 'x_A_0_split_0' top: 'x_A_0_split_1' top: 'x_A_0_split_2' }"
      "layer { name: 'B' bottom: 'x_A_0_split_1' top: 'y' }"
      "layer { name: 'C' bottom: 'y' bottom: 'x_A_0_split_2' }");
}

TEST(InsertSplitsTest, WeightsOfOtherTopsStay) {
  ExpectSplits(
      "layer { name: 'A' top: 'x' top: 'y' loss_weight: 2 loss_weight: 3 }"
      "layer { name: 'B' bottom: 'x' }",
      "layer { name: 'A' top: 'x' top: 'y' loss_weight: 0 loss_weight: 3 }"
      "layer { name: 'x_A_0_split' type: 'Split' bottom: 'x' loss_weight: 2 loss_weight: "
      "0"
      " top: 'x_A_0_split_0' top: 'x_A_0_split_1' }"
      "layer { name: 'B' bottom: 'x_A_0_split_1' }");
}

TEST(InsertSplitsTest, ALossThatIsReadCountsOnce) {
  const std::string split =
      "layer { name: 'x_A_0_split' type: 'Split' bottom: 'x' loss_weight: 1 loss_weight: "
      "0"
      " top: 'x_A_0_split_0' top: 'x_A_0_split_1' } layer { name: 'B' bottom: "
      "'x_A_0_split_1' }";
  const std::string after =
      "layer { name: 'A' type: 'L1Loss' top: 'x' loss_weight: 0 }" + split;
  // By its explicit weight, and by the default weight of its type.
  ExpectSplits(
      "layer { name: 'A' type: 'L1Loss' top: 'x' loss_weight: 1 }"
      "layer { name: 'B' bottom: 'x' }",
      after);
  ExpectSplits(
      "layer { name: 'A' type: 'L1Loss' top: 'x' } layer { name: 'B' bottom: 'x' }",
      after);
}

TEST(InsertSplitsTest, TheCallerCanSayWhatALossTypeIs) {
  NetParameter split;
  InsertSplits(
      Net("layer { name: 'A' type: 'Mine' top: 'x' } layer { name: 'B' bottom: 'x' }"),
      &split, [](const std::string& type) { return type == "Mine"; });
  ASSERT_EQ(split.layer_size(), 3);
  EXPECT_EQ(split.layer(1).loss_weight(0), 1.f);
  EXPECT_EQ(split.layer(0).loss_weight(0), 0.f);
}

TEST(InsertSplitsTest, UnknownBottomsAreExplained) {
  NetParameter split;
  const std::string error = ErrorOf([&] {
    InsertSplits(Net("layer { name: 'B' bottom: 'x' } layer { name: 'A' top: 'x' }"),
                 &split);
  });
  EXPECT_NE(error.find("'x' (layer 'B', bottom index 0)"), std::string::npos) << error;
  EXPECT_NE(error.find("'A', which makes it, comes later"), std::string::npos) << error;
}

TEST(InsertSplitsTest, NamesFollowTheirPattern) {
  EXPECT_EQ(SplitLayerName("conv1", "x", 2), "x_conv1_2_split");
  EXPECT_EQ(SplitBlobName("conv1", "x", 2, 5), "x_conv1_2_split_5");
}

}  // namespace
}  // namespace caffe
