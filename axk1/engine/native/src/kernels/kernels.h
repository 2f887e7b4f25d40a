// The arithmetic of one CPU kind. Everything above this table is the same on every machine.
//
// Letters: m rows of activations, n rows of a matrix, k their length, s cached positions, l latent or value columns.
#pragma once
#include <cstdint>

#include "panel.h"
#include "quantised.h"

namespace axk1 {

using bf16 = uint16_t;
using f16 = uint16_t;

// out[i * out_step + j] = sum over k of x[i][k] * w[j * w_step + k], for 1 <= m, i < m, j < n. The sum of one (i, j) does
// not depend on m and n, so a token's numbers do not depend on its neighbours in the batch.
template <class X, class W> using Dots = void (*)(const X *const *x, int64_t m, const W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step);

// out[i * out_step + j] += sum over s of p[i * p_step + s] * c[s * c_step + j], for i < m, j < l.
template <class C> using Mix = void (*)(const float *p, int64_t p_step, int64_t m, const C *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step);

// out[i * out_step + j] = row i of x times row (row + j) of w, for i < m, j < n.
using IntDots = void (*)(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step);

// out[i * out_step + j] += sum over t of p[i * p_step + t] * w[row + t][j], for i < m, t < s, and all columns j of w. The sum
// of one (i, j) does not depend on m.
using IntMix = void (*)(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step);

struct IntKernels {
    IntDots dots_int4, dots_int8;
    IntMix mix_int4, mix_int8;
    // Fills blocks(columns, bits) blocks: 128 or 64 values, 16 scales and 16 sums each.
    void (*quantise_row)(const float *x, int64_t columns, int bits, int8_t *value, float *scale, int32_t *sum);
};

struct Kernels {
    const char *name;
    Dots<float, float> dots_f32;
    Dots<float, f16> dots_f16;
    Dots<float, bf16> dots_f32_bf16;
    Dots<bf16, bf16> dots_bf16;
    Mix<float> mix_f32;
    Mix<bf16> mix_bf16;
    void (*to_bf16)(const float *x, int64_t n, bf16 *out); // round to nearest even
    // out = x / sqrt(mean(x^2) + eps) * weight
    void (*rms_norm)(const float *x, const float *weight, int64_t n, float eps, float *out);
    // out = gate / (1 + exp(-gate)) * up
    void (*swiglu)(const float *gate, const float *up, int64_t n, float *out);
    // x = exp(x - top), returns the sum
    float (*exp_sum)(float *x, int64_t n, float top);
    float (*largest)(const float *x, int64_t n);
    void (*scale)(float *x, int64_t n, float factor);
    void (*add)(float *x, const float *y, int64_t n, float factor); // x += factor * y
    IntKernels ints;
    const PanelKernels *panel; // nullptr: prompts are multiplied like everything else
};

extern const Kernels scalar_kernels;
#if defined(__x86_64__)
extern const Kernels avx512_kernels; // AVX-512 F, BW, VL, DQ, BF16 and VNNI
extern const Kernels avx2_kernels;   // AVX2, FMA and F16C
#elif defined(__aarch64__)
extern const Kernels neon_kernels;      // what every such CPU has
extern const Kernels neon_dot_kernels;  // the dot product instructions of ARMv8.2
extern const Kernels neon_bf16_kernels; // those, and the ones of bfloat16
#endif

const Kernels &kernels();           // the fastest that this CPU runs, or the one that was forced
bool force_kernels(const char *name); // false: unknown here, or this CPU cannot

static inline float from_bf16(bf16 x) {
    union { uint32_t bits; float value; } u{uint32_t(x) << 16};
    return u.value;
}

static inline bf16 to_bf16(float x) {
    union { float value; uint32_t bits; } u{x};
    if ((u.bits & 0x7fffffff) > 0x7f800000) return bf16(u.bits >> 16 | 0x40); // NaN stays NaN
    return bf16((u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16);
}

static inline float from_f16(f16 x) {
    uint32_t sign = uint32_t(x & 0x8000) << 16, exponent = x >> 10 & 31, fraction = x & 0x3ff;
    union { uint32_t bits; float value; } u{0};
    if (exponent == 31) u.bits = sign | 0x7f800000 | fraction << 13;
    else if (exponent) u.bits = sign | (exponent + 112) << 23 | fraction << 13;
    else { // zero and subnormal: fraction * 2^-24
        u.value = float(fraction) * 5.9604644775390625e-8f;
        u.bits |= sign;
    }
    return u.value;
}

// The scale and the zero point at a place of their tables.
static inline float scale_at(const IntMatrix &w, int64_t at) { return w.wide_scale ? static_cast<const float *>(w.scale)[at] : from_bf16(static_cast<const bf16 *>(w.scale)[at]); }
static inline int32_t zero_at(const IntMatrix &w, int64_t at, int bits) { return w.zero ? w.zero[at] : 1 << (bits - 1); }

} // namespace axk1
