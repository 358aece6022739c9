// CAFFE_SIMD_CLONES: compiles a function for several instruction sets, chosen at load
// time.
//
// The engine is built for the plain processor of its family; a hot loop in a free
// function (no template, no OpenMP parallel region inside) that carries this attribute
// still uses AVX2 or AVX-512 where they are. What it calls must be CAFFE_ALWAYS_INLINE: a
// call would leave the clone's instruction set.
#ifndef CAFFE_UTIL_SIMD_HPP_
#define CAFFE_UTIL_SIMD_HPP_

// With AVX2 switched on for the whole build there is nothing left to choose.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12 && \
    !defined(__AVX2__) && !defined(__SANITIZE_ADDRESS__)
#define CAFFE_SIMD_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CAFFE_SIMD_CLONES
#endif

#if defined(__GNUC__)
#define CAFFE_ALWAYS_INLINE inline __attribute__((always_inline))
#else
#define CAFFE_ALWAYS_INLINE inline
#endif

#endif  // CAFFE_UTIL_SIMD_HPP_
