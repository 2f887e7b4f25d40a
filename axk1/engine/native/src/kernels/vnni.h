// What the two files of VNNI kernels share; included behind their target pragma.
#pragma once
#include <immintrin.h>

namespace axk1 {

// sum += 64 products of unsigned and signed bytes. gcc 12 copies the sums of its own intrinsic from register to register.
static inline void add_products(__m512i &sum, __m512i codes, __m512i x) { asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(codes), "v"(x)); }

} // namespace axk1
