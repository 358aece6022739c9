// Layers without GPU code are named in the log, once a type.
#ifndef CAFFE_DEVICE_HOST_FALLBACK_HPP_
#define CAFFE_DEVICE_HOST_FALLBACK_HPP_

namespace caffe {

/// A layer of this type works on the host in GPU mode; its blobs are copied there and
/// back.
void note_host_fallback(const char* layer_type);

}  // namespace caffe

#endif  // CAFFE_DEVICE_HOST_FALLBACK_HPP_
