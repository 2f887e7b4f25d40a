// Integer products by the dot product instructions of ARMv8.2: sixteen products of bytes each.
#if defined(__aarch64__)
#include "kernels.h" // before the pragma: its inline functions may be the whole library's
#pragma GCC target("arch=armv8.2-a+dotprod")
#include <arm_neon.h>

namespace axk1 {
namespace {

#include "neon_vectors.inl"

struct Int4 : Int4Codes {
    using Int4Codes::Int4Codes;
    Floats dot(const int8_t *x, int part) const {
        int32x4_t sum = vdotq_s32(vdupq_n_s32(0), even, vld1q_s8(x + part * 16));
        return vcvtq_f32_s32(vdotq_s32(sum, odd, vld1q_s8(x + 64 + part * 16)));
    }
};

struct Int8 : Int8Codes {
    using Int8Codes::Int8Codes;
    Floats dot(const int8_t *x, int part) const {
        int32x4_t sum = vdotq_s32(vdupq_n_s32(0), first, vld1q_s8(x + part * 32));
        return vcvtq_f32_s32(vdotq_s32(sum, second, vld1q_s8(x + part * 32 + 16)));
    }
};

#include "plain_tiles.inl"

#include "integer_tiles.inl"

} // namespace

void neon_dot_int4(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) { int_dots<Int4>(x, m, w, row, n, out, out_step); }
void neon_dot_int8(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) { int_dots<Int8>(x, m, w, row, n, out, out_step); }

} // namespace axk1
#endif
