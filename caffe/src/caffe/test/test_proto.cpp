// The schema: its private numbers, its defaults, and (where the table is at hand) every
// field.
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "caffe/proto/caffe.pb.h"
#include "test_files.hpp"

namespace caffe {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

int NumberOf(const char* field) {
  return LayerParameter::descriptor()->FindFieldByName(field)->number();
}

TEST(ProtoTest, WinnersOfClashesKeepTheirNumbersAndLosersArePrivate) {
  EXPECT_EQ(NumberOf("clip_param"), 148);
  EXPECT_EQ(NumberOf("lpq_loss_param"), 158);
  EXPECT_EQ(NumberOf("flow_warp_param"), 159);
  for (const char* loser :
       {"coeff_schedule_param", "expmax_param", "negsquare_param", "bn_param",
        "interp_param", "soft_iou_loss_param", "warp_param"}) {
    EXPECT_GE(NumberOf(loser), 10000) << loser;
  }
}

TEST(ProtoTest, NoFieldIsRequired) {
  const auto* file = LayerParameter::descriptor()->file();
  for (int i = 0; i < file->message_type_count(); ++i) {
    const Descriptor* message = file->message_type(i);
    for (int j = 0; j < message->field_count(); ++j) {
      EXPECT_FALSE(message->field(j)->is_required()) << message->field(j)->full_name();
    }
  }
}

TEST(ProtoTest, EnumDefaultsAreThePublishedOnes) {
  EXPECT_EQ(NetState().phase(), TEST);
  EXPECT_EQ(SolverParameter().solver_mode(), SolverParameter::GPU);
  EXPECT_EQ(DataParameter().backend(), DataParameter::LEVELDB);
  EXPECT_EQ(EltwiseParameter().operation(), EltwiseParameter::SUM);
  EXPECT_EQ(LossParameter().normalization(), LossParameter::VALID);
  EXPECT_EQ(ResampleParameter().type(), ResampleParameter::LINEAR);
  EXPECT_EQ(HingeLossParameter().norm(), HingeLossParameter::L1);
  EXPECT_EQ(FlowWarpParameter().fill_value(), FlowWarpParameter::ZERO);
}

TEST(ProtoTest, NumericDefaultsAreSinglePrecision) {
  EXPECT_EQ(BatchNormParameter().eps(), 1e-5f);
  EXPECT_EQ(SolverParameter().rms_decay(), 0.99f);
  EXPECT_EQ(L1LossParameter().epsilon(), 0.01f);
  EXPECT_EQ(L1LossParameter().power(), 0.5f);
  EXPECT_EQ(SoftIoULossParameter().smooth(), 10.f);
  EXPECT_EQ(SolverParameter().weight_average(), 0.f);
}

/// Cells of one line; commas inside double quotes belong to the cell.
std::vector<std::string> SplitCsv(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

const std::map<std::string, int>& MovedNumbers() {
  static const std::map<std::string, int> moved = {
      {"LayerParameter.coeff_schedule_param", 10148},
      {"LayerParameter.expmax_param", 10158},
      {"LayerParameter.negsquare_param", 10159}};
  return moved;
}

void CheckField(const std::vector<std::string>& row) {
  const auto* pool = LayerParameter::descriptor()->file()->pool();
  const Descriptor* message = pool->FindMessageTypeByName("caffe." + row[0]);
  ASSERT_NE(message, nullptr) << row[0];
  if (row[1] == "(no fields)") return;
  const FieldDescriptor* field = message->FindFieldByName(row[1]);
  ASSERT_NE(field, nullptr) << row[0] << "." << row[1];
  const auto moved = MovedNumbers().find(row[0] + "." + row[1]);
  EXPECT_EQ(field->number(),
            moved == MovedNumbers().end() ? std::stoi(row[2]) : moved->second)
      << field->full_name();
  EXPECT_EQ(field->is_repeated(), row[3] == "repeated") << field->full_name();
  EXPECT_EQ(field->is_packed(), row[6] == "true") << field->full_name();
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_FLOAT && !row[5].empty()) {
    EXPECT_EQ(field->default_value_float(), std::stof(row[5])) << field->full_name();
  }
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM && !row[5].empty()) {
    EXPECT_EQ(field->default_value_enum()->name(), row[5]) << field->full_name();
  }
}

TEST(ProtoTest, HoldsEveryFieldOfTheTable) {
  CAFFE_NEED_SHARED(path, "facts/proto_fields.csv");
  const auto* pool = LayerParameter::descriptor()->file()->pool();
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  int rows = 0;
  while (std::getline(file, line)) {
    const std::vector<std::string> row = SplitCsv(line);
    ASSERT_GE(row.size(), 7u) << line;
    ++rows;
    if (row[3] != "enum") {
      CheckField(row);
      continue;
    }
    const auto* type = pool->FindEnumTypeByName("caffe." + row[0]);
    ASSERT_NE(type, nullptr) << row[0];
    const auto* value = type->FindValueByName(row[1]);
    ASSERT_NE(value, nullptr) << line;
    EXPECT_EQ(value->number(), std::stoi(row[2])) << line;
  }
  EXPECT_EQ(rows, 739);
}

}  // namespace
}  // namespace caffe
