// Checks throw and say what failed; log lines have glog's form and go to the sink.
#include <gtest/gtest.h>

#include <regex>
#include <string>
#include <vector>

#include "caffe/common.hpp"

namespace caffe {
namespace {

template <typename Action>
Error Thrown(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  return Error("nothing was thrown");
}

TEST(CheckTest, AFailedCheckThrowsItsConditionAndMessage) {
  const Error error = Thrown([] {
    CHECK(1 > 2) << "layer '"
                 << "conv"
                 << "' " << 7;
  });
  EXPECT_EQ(error.message(), "Check failed: 1 > 2 layer 'conv' 7");
  EXPECT_EQ(error.kind(), Error::kGeneric);
  EXPECT_EQ(error.file().substr(error.file().rfind('/') + 1), "test_logging.cpp");
  EXPECT_GT(error.line(), 10);
  const string text = error.what();
  EXPECT_NE(text.find("test_logging.cpp:" + std::to_string(error.line())), string::npos)
      << text;
}

TEST(CheckTest, AComparisonShowsBothValues) {
  const int three = 3;
  const Error error = Thrown([&] { CHECK_EQ(three, 4) << "tops"; });
  EXPECT_EQ(error.message(), "Check failed: three == 4 (3 vs. 4) tops");
  EXPECT_NE(Thrown([] { CHECK_NE(5, 5); }).message().find("(5 vs. 5)"), string::npos);
  EXPECT_NE(Thrown([] { CHECK_LT(2, 2); }).message().find("2 < 2"), string::npos);
  EXPECT_NE(Thrown([] { CHECK_LE(3, 2); }).message().find("3 <= 2"), string::npos);
  EXPECT_NE(Thrown([] { CHECK_GT(2, 2); }).message().find("2 > 2"), string::npos);
  EXPECT_NE(Thrown([] { CHECK_GE(1, 2); }).message().find("1 >= 2"), string::npos);
}

TEST(CheckTest, HoldingChecksThrowNothingAndEvaluateOnce) {
  int evaluated = 0;
  CHECK(++evaluated) << "not printed";
  CHECK_EQ(++evaluated, 2);
  CHECK_NE(1, 2);
  CHECK_LT(1, 2u);  // int against unsigned, as in layer code
  CHECK_LE(2, 2);
  CHECK_GT(2, 1);
  CHECK_GE(2, 2);
  CHECK_NEAR(1.0, 1.05, 0.1);
  CHECK_STREQ("a", std::string("a"));
  EXPECT_EQ(evaluated, 2);
}

TEST(CheckTest, ChecksHangOnToAnElseWithoutBraces) {
  bool reached_else = false;
  if (true)
    CHECK_EQ(1, 1) << "fits in an if";
  else
    reached_else = true;
  EXPECT_FALSE(reached_else);
}

TEST(CheckTest, NotNullGivesThePointerBack) {
  int value = 5;
  int* nothing = nullptr;
  EXPECT_EQ(*CHECK_NOTNULL(&value), 5);
  EXPECT_EQ(Thrown([&] { (void)CHECK_NOTNULL(nothing); }).message(),
            "'nothing' must be non NULL");
}

TEST(CheckTest, FatalAndNotImplementedThrow) {
  EXPECT_EQ(Thrown([] { LOG(FATAL) << "no " << 1; }).message(), "no 1");
  EXPECT_NE(Thrown([] { NOT_IMPLEMENTED; }).message().find("Not Implemented"),
            string::npos);
}

TEST(CheckTest, KindsTellPythonWhichClassItIs) {
  EXPECT_EQ(Thrown([] { CAFFE_THROW(kFileNotFound) << "x: no such file"; }).kind(),
            Error::kFileNotFound);
  EXPECT_EQ(Thrown([] { CHECK_VALUE(false) << "bad"; }).kind(), Error::kValue);
  EXPECT_THROW(CAFFE_THROW(kMemory) << "m", std::runtime_error);
}

TEST(CheckTest, ContextIsAppendedAndTheMessageStays) {
  Error error = Thrown([] { CHECK(false) << "kernel larger than the input"; });
  error.AddContext("layer 'conv1' (Convolution), bottom 'data' 1 3 8 8 (192)");
  error.AddContext("net 'n'");
  const string text = error.what();
  EXPECT_EQ(error.message(), "Check failed: false kernel larger than the input");
  EXPECT_LT(text.find("kernel larger"), text.find("layer 'conv1'"));
  EXPECT_LT(text.find("layer 'conv1'"), text.find("net 'n'"));
}

struct Line {
  LogSeverity severity;
  string text;
};
std::vector<Line>* g_lines = nullptr;

class LogTest : public ::testing::Test {
 protected:
  LogTest() : level_(MinLogLevel()) {
    g_lines = &lines_;
    SetLogSink([](LogSeverity severity, const char*, int, const string& text) {
      g_lines->push_back({severity, text});
    });
  }
  ~LogTest() override {
    SetLogSink(nullptr);
    SetMinLogLevel(level_);
  }
  std::vector<Line> lines_;

 private:
  int level_;
};

TEST_F(LogTest, LinesBelowTheLevelAreNotWrittenNorEvaluated) {
  SetMinLogLevel(LOG_WARNING);
  int evaluated = 0;
  LOG(INFO) << "information " << ++evaluated;
  LOG(WARNING) << "warning " << ++evaluated;
  LOG(ERROR) << "error " << ++evaluated;
  ASSERT_EQ(lines_.size(), 2u);
  EXPECT_EQ(lines_[0].text, "warning 1");
  EXPECT_EQ(lines_[0].severity, LOG_WARNING);
  EXPECT_EQ(lines_[1].severity, LOG_ERROR);
  EXPECT_EQ(evaluated, 2);
}

TEST_F(LogTest, ConditionalAndCountedLines) {
  SetMinLogLevel(LOG_INFO);
  for (int i = 0; i < 5; ++i) {
    LOG_IF(INFO, i == 3) << "if " << i;
    LOG_EVERY_N(INFO, 2) << "every " << i;
    LOG_FIRST_N(INFO, 1) << "first " << i;
  }
  std::vector<string> texts;
  for (const Line& line : lines_) texts.push_back(line.text);
  EXPECT_EQ(texts,
            (std::vector<string>{"every 0", "first 0", "every 2", "if 3", "every 4"}));
}

TEST_F(LogTest, ErrorsAreThrownWhateverTheLevel) {
  SetMinLogLevel(LOG_FATAL + 1);
  EXPECT_THROW(LOG(FATAL) << "x", Error);
  EXPECT_TRUE(lines_.empty());
}

TEST(LogHeaderTest, ALineOnStderrHasTheColumnsThatLogScriptsCut) {
  const int level = MinLogLevel();
  SetMinLogLevel(LOG_INFO);
  ::testing::internal::CaptureStderr();
  LOG(INFO) << "Iteration 7, lr = 0.01";
  const string line = ::testing::internal::GetCapturedStderr();
  SetMinLogLevel(level);
  EXPECT_TRUE(std::regex_match(
      line, std::regex("I\\d{4} \\d\\d:\\d\\d:\\d\\d\\.\\d{6} +\\d+ "
                       "test_logging\\.cpp:\\d+\\] Iteration 7, lr = 0\\.01\n")))
      << line;
}

}  // namespace
}  // namespace caffe
