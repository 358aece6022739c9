// The instruction sets that hot loops are written for, beside the plain one.
#ifndef CAFFE_UTIL_INSTRUCTION_SET_HPP_
#define CAFFE_UTIL_INSTRUCTION_SET_HPP_

namespace caffe {

/// kAvx2 means FMA, too; kAvx512 its F, BW, VL and DQ parts.
enum class InstructionSet { kPlain, kAvx2, kAvx512 };

/// The best that this processor has and oneDNN's variable ONEDNN_MAX_CPU_ISA (SSE41, AVX,
/// AVX2, ...), which serves to test the others, allows.
InstructionSet instruction_set();

}  // namespace caffe

#endif  // CAFFE_UTIL_INSTRUCTION_SET_HPP_
