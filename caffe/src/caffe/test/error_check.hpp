// What tests of errors share: the message of the Error that a call throws.
#ifndef CAFFE_TEST_ERROR_CHECK_HPP_
#define CAFFE_TEST_ERROR_CHECK_HPP_

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "caffe/util/logging.hpp"

namespace caffe {

/// The message of the Error that `action` throws; "" where it throws none.
template <typename Action>
std::string ErrorOf(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

/// The same with its context: file and line, layer and bottoms.
template <typename Action>
std::string FullErrorOf(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

template <typename Action>
bool ThrowsKind(const Action& action, Error::Kind kind) {
  try {
    action();
  } catch (const Error& error) {
    return error.kind() == kind;
  }
  return false;
}

inline testing::AssertionResult has_words(const std::string& text,
                                          const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) {
      return testing::AssertionFailure() << "'" << word << "' is not in: " << text;
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace caffe

#endif  // CAFFE_TEST_ERROR_CHECK_HPP_
