// What tests of log lines share: the lines that were logged.
#ifndef CAFFE_TEST_LOG_CHECK_HPP_
#define CAFFE_TEST_LOG_CHECK_HPP_

#include <algorithm>
#include <string>
#include <vector>

#include "caffe/util/logging.hpp"

namespace caffe {

/// Collects log lines at INFO while it lives.
class CapturedLog {
 public:
  CapturedLog() : level_(MinLogLevel()) {
    lines().clear();
    SetMinLogLevel(LOG_INFO);
    SetLogSink([](LogSeverity, const char*, int, const std::string& text) {
      lines().push_back(text);
    });
  }
  ~CapturedLog() {
    SetLogSink(nullptr);
    SetMinLogLevel(level_);
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> all;
    return all;
  }
  /// All in one text.
  static std::string text() {
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  /// Those that begin with one of the words (after blanks).
  static std::vector<std::string> beginning(const std::vector<std::string>& starts) {
    std::vector<std::string> found;
    for (const std::string& line : lines()) {
      const size_t first = std::min(line.find_first_not_of(' '), line.size());
      for (const std::string& start : starts) {
        if (line.compare(first, start.size(), start) == 0) {
          found.push_back(line);
          break;
        }
      }
    }
    return found;
  }

 private:
  int level_;
};

}  // namespace caffe

#endif  // CAFFE_TEST_LOG_CHECK_HPP_
