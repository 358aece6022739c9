// Which device a thread works on.
#ifndef CAFFE_DEVICE_THREAD_DEVICE_HPP_
#define CAFFE_DEVICE_THREAD_DEVICE_HPP_

namespace caffe {

/// As Caffe::SetDevice, for the calling thread alone: a helper thread takes its owner's
/// device, and those that have chosen none still get what SetDevice was told last.
void set_device_of_thread(int device_id);

}  // namespace caffe

#endif  // CAFFE_DEVICE_THREAD_DEVICE_HPP_
