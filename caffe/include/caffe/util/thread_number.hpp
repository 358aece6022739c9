// Threads by number.
#ifndef CAFFE_UTIL_THREAD_NUMBER_HPP_
#define CAFFE_UTIL_THREAD_NUMBER_HPP_

#include <cstdint>

namespace caffe {

/// The calling thread's, from 1 on. No later thread gets it again, as it may a
/// std::thread::id.
std::uint64_t thread_number();

}  // namespace caffe

#endif  // CAFFE_UTIL_THREAD_NUMBER_HPP_
