// Parsing the text form of messages, with errors that a person can act on.
#ifndef CAFFE_UTIL_TEXT_FORMAT_HPP_
#define CAFFE_UTIL_TEXT_FORMAT_HPP_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace caffe {

/// Parses `text` into `message` (cleared before); `source` names the text in errors.
/// A byte order mark at the start is skipped; a singular field given twice is an error.
/// Errors (kValue): `net.prototxt:12:3: unknown field "kernal_size" in
/// ConvolutionParameter; did you mean "kernel_size"?`
void ParseTextFormat(const std::string& text, const std::string& source,
                     google::protobuf::Message* message);

/// Edits (insert, delete, replace, swap of neighbours) that lead from a to b; case counts
/// half.
double EditDistance(const std::string& a, const std::string& b);
/// The candidate nearest to `name`, or "" where none is near enough to be meant.
std::string NearestName(const std::string& name,
                        const std::vector<std::string>& candidates);

}  // namespace caffe

#endif  // CAFFE_UTIL_TEXT_FORMAT_HPP_
