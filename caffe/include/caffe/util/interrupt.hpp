// A way for the host program to stop a long pass between two layers.
#ifndef CAFFE_UTIL_INTERRUPT_HPP_
#define CAFFE_UTIL_INTERRUPT_HPP_

namespace caffe {

/// Throws to stop the pass that calls it; must be quick, it is called before every layer.
using InterruptCheck = void (*)();

/// The Python module installs one that answers Ctrl-C. nullptr: none.
void SetInterruptCheck(InterruptCheck check);

/// The net calls it before each layer, or fused group of layers, that it runs.
void CheckInterrupt();

}  // namespace caffe

#endif  // CAFFE_UTIL_INTERRUPT_HPP_
