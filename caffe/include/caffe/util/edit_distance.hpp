// Nearest names for error messages ("did you mean ...?").
#ifndef CAFFE_UTIL_EDIT_DISTANCE_HPP_
#define CAFFE_UTIL_EDIT_DISTANCE_HPP_

#include <string>
#include <vector>

namespace caffe {

/// Levenshtein distance, case ignored.
int edit_distance(const std::string& a, const std::string& b);
/// Up to `most` candidates near `name`, nearest first; none if nothing is similar.
std::vector<std::string> nearest_names(const std::string& name,
                                       const std::vector<std::string>& candidates,
                                       int most);

}  // namespace caffe

#endif  // CAFFE_UTIL_EDIT_DISTANCE_HPP_
