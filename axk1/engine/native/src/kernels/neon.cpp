// NEON as every 64-bit ARM CPU has it, and the tables of those that have more. Matrices are read as they lie.
#if defined(__aarch64__)
#include "kernels.h"

#include <arm_neon.h>

namespace axk1 {
namespace {

#include "quantise_row.inl"
#include "rows.inl"

#include "neon_vectors.inl"

struct F32 {
    using X = float;
    using W = float;
    using Vector = Floats;
    static constexpr int STEP = 16, PARTS = 4;
    static Vector load_x(const float *p, int part) { return load(p + part * 4); }
    static Vector load_w(const float *p, int part) { return load(p + part * 4); }
    static Floats add(Floats sum, Vector x, Vector w) { return multiply_add(sum, x, w); }
};

struct F16 : F32 {
    using W = f16;
    static constexpr int STEP = 32, PARTS = 8;
    static Vector load_w(const f16 *p, int part) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + part * 4))); }
};

struct F32Bf16 : F32 {
    using W = bf16;
    static constexpr int STEP = 32, PARTS = 8;
    static Vector load_w(const bf16 *p, int part) { return widened(p + part * 4); }
};

struct Bf16 : F32Bf16 {
    using X = bf16;
    static Vector load_x(const bf16 *p, int part) { return widened(p + part * 4); }
};

struct Int4 : Int4Codes { // 4 * 8 * 127 fits in 16 bits
    using Int4Codes::Int4Codes;
    Floats dot(const int8_t *x, int part) const {
        int8x16_t x_even = vld1q_s8(x + part * 16), x_odd = vld1q_s8(x + 64 + part * 16);
        int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(even), vget_low_s8(x_even)), vget_low_s8(odd), vget_low_s8(x_odd));
        int16x8_t high = vmlal_high_s8(vmull_high_s8(even, x_even), odd, x_odd);
        return vcvtq_f32_s32(vpaddlq_s16(vpaddq_s16(low, high)));
    }
};

struct Int8 : Int8Codes { // 2 * 128 * 127 fits in 16 bits
    using Int8Codes::Int8Codes;
    static int16x8_t pairs(int8x16_t a, int8x16_t b) { return vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)); }
    Floats dot(const int8_t *x, int part) const {
        int32x4_t sum = vpaddlq_s16(pairs(first, vld1q_s8(x + part * 32)));
        return vcvtq_f32_s32(vpadalq_s16(sum, pairs(second, vld1q_s8(x + part * 32 + 16))));
    }
};

#include "plain_tiles.inl"

#include "integer_tiles.inl"

template <int BITS> inline void decode_unit(const uint8_t *codes, float scale, float zero, float *to) {
    uint8x16_t first = vld1q_u8(codes), second;
    if (BITS == 4) {
        uint8x16_t even = vandq_u8(first, vdupq_n_u8(15)), odd = vshrq_n_u8(first, 4);
        first = vzip1q_u8(even, odd), second = vzip2q_u8(even, odd);
    } else
        second = vld1q_u8(codes + 16);
    const uint16x8_t eight[4] = {vmovl_u8(vget_low_u8(first)), vmovl_high_u8(first), vmovl_u8(vget_low_u8(second)), vmovl_high_u8(second)};
    #pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        store(to + i * 8, times(vsubq_f32(vcvtq_f32_u32(vmovl_u16(vget_low_u16(eight[i]))), everywhere(zero)), everywhere(scale)));
        store(to + i * 8 + 4, times(vsubq_f32(vcvtq_f32_u32(vmovl_high_u16(eight[i])), everywhere(zero)), everywhere(scale)));
    }
}

#include "integer_mix.inl"

} // namespace

// in neon_dot.cpp and neon_bf16.cpp
void neon_dot_int4(const IntRow *, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void neon_dot_int8(const IntRow *, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void neon_bf16_dots(const bf16 *const *, int64_t, const bf16 *, int64_t, int64_t, int64_t, float *, int64_t);

static constexpr IntKernels PLAIN_INTS = {int_dots<Int4>, int_dots<Int8>, int_mix<4>, int_mix<8>, quantise_row}, DOT_INTS = {neon_dot_int4, neon_dot_int8, int_mix<4>, int_mix<8>, quantise_row};

static constexpr Kernels table(const char *name, Dots<bf16, bf16> dots_bf16, const IntKernels &ints) {
    return {name, dots<F32>, dots<F16>, dots<F32Bf16>, dots_bf16, mix<float>, mix<bf16>, row_to_bf16, rms_norm, swiglu, exp_sum, largest, scale, add, ints, nullptr};
}

const Kernels neon_kernels = table("neon", dots<Bf16>, PLAIN_INTS);
const Kernels neon_dot_kernels = table("neon-dot", dots<Bf16>, DOT_INTS);
const Kernels neon_bf16_kernels = table("neon-bf16", neon_bf16_dots, DOT_INTS);

} // namespace axk1
#endif
