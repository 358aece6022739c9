// Products of a few rows with a large matrix, against the formula.
#include <algorithm>
#include <vector>

#include "caffe/backend/few_rows.hpp"
#include "caffe/layers/inner_product_layer.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/instruction_set.hpp"

namespace caffe {
namespace {

float value(std::uint32_t i) {
  return static_cast<float>(i * 2654435761u >> 16) / 65536 - 0.5f;
}

TEST(FewRowsTest, AddsTheProductToWhatIsThere) {
#if defined(__x86_64__)
  if (instruction_set() == InstructionSet::kPlain) GTEST_SKIP() << "BLAS does it";
#else
  GTEST_SKIP() << "BLAS does it";
#endif
  for (const int items : {2, 3, 6, 7, 11, 12}) {
    for (const int outputs : {129, 130, 131, 132}) {
      const int inputs = 4109;
      ASSERT_TRUE(takes_few_rows(items, outputs, inputs));
      vector<float> x(std::size_t{1} * items * inputs);
      vector<float> weights(std::size_t{1} * outputs * inputs);
      for (std::size_t i = 0; i < x.size(); ++i) x[i] = value(i);
      for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = value(i + 5);
      vector<float> y(std::size_t{1} * items * outputs, 3);
      add_few_rows(items, outputs, inputs, x.data(), weights.data(), y.data());
      for (int i = 0; i < items; ++i) {
        for (int j = 0; j < outputs; ++j) {
          double expected = 3;
          for (int k = 0; k < inputs; ++k) {
            expected += double{x[i * inputs + k]} * weights[j * inputs + k];
          }
          ASSERT_NEAR(y[i * outputs + j], expected, 1e-3)
              << items << " x " << outputs << " x " << inputs << " at " << i << ", " << j;
        }
      }
    }
  }
}

TEST(FewRowsTest, ALayerGivesTheSameItemByItem) {
  Blob<float> bottom(vector<int>{5, 1030}), top;
  for (int i = 0; i < bottom.count(); ++i) bottom.mutable_cpu_data()[i] = value(i);
  LayerParameter param;
  param.mutable_inner_product_param()->set_num_output(523);
  param.mutable_inner_product_param()->mutable_weight_filler()->set_type("xavier");
  for (const bool bias : {false, true}) {
    param.mutable_inner_product_param()->set_bias_term(bias);
    param.mutable_inner_product_param()->mutable_bias_filler()->set_value(2);
    InnerProductLayer<float> layer(param);
    layer.SetUp({&bottom}, {&top});
    layer.Forward({&bottom}, {&top});
    for (int n = 0; n < bottom.num(); ++n) {
      Blob<float> one(vector<int>{1, 1030}), result;
      std::copy_n(bottom.cpu_data() + n * 1030, 1030, one.mutable_cpu_data());
      layer.Reshape({&one}, {&result});
      layer.Forward({&one}, {&result});
      for (int j = 0; j < 523; ++j) {
        ASSERT_NEAR(top.cpu_data()[n * 523 + j], result.cpu_data()[j], 1e-4);
      }
    }
    layer.Reshape({&bottom}, {&top});
  }
}

}  // namespace
}  // namespace caffe
