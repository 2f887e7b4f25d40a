/* Rows of float or bf16 as floats, and the arithmetic the kernels share. */
#ifndef AXK1_ROWS_H
#define AXK1_ROWS_H
#include "kernels.h"
#include <string.h>

static inline float bits_to_float(uint32_t bits) { float f; memcpy(&f, &bits, 4); return f; }
static inline uint32_t float_to_bits(float f) { uint32_t bits; memcpy(&bits, &f, 4); return bits; }
static inline float from_bf16(uint16_t h) { return bits_to_float((uint32_t)h << 16); }
/* Round to nearest even, as torch does. NaN stays NaN: the mantissa bit that survives the shift is set. */
static inline uint16_t to_bf16(float f) {
    uint32_t bits = float_to_bits(f);
    uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return (bits & 0x7fffffff) > 0x7f800000 ? (uint16_t)((bits >> 16) | 0x40) : (uint16_t)rounded;
}

static inline int64_t element_size(int kind) { return kind == AXK1_BF16 ? 2 : 4; }
static inline const void *row_at(const void *base, int kind, int64_t offset) { return (const char *)base + offset * element_size(kind); }
static inline void *row_at_mut(void *base, int kind, int64_t offset) { return (char *)base + offset * element_size(kind); }

/* The row as floats: the row itself where it already is, else converted into `buffer`. */
static inline const float *load_row(const void *row, int kind, float *restrict buffer, int64_t d) {
    if (kind == AXK1_F32) return (const float *)row;
    const uint16_t *restrict h = (const uint16_t *)row;
    for (int64_t i = 0; i < d; i++) buffer[i] = from_bf16(h[i]);
    return buffer;
}
static inline void store_row(void *row, int kind, const float *restrict values, int64_t d) {
    if (kind == AXK1_F32) { memcpy(row, values, (size_t)d * 4); return; }
    uint16_t *restrict h = (uint16_t *)row;
    for (int64_t i = 0; i < d; i++) h[i] = to_bf16(values[i]);
}

/* exp(x) to about 2 units in the last place: 2^n times a polynomial on [-ln2/2, ln2/2]. Vectorises, unlike libm's. */
static inline float fast_exp(float x) {
    x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
    float n = __builtin_rintf(x * 1.44269504f);
    float r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691e-4f;
    p = p * r + 1.3981999e-3f;
    p = p * r + 8.3334519e-3f;
    p = p * r + 4.1665796e-2f;
    p = p * r + 1.6666665e-1f;
    p = p * r + 5.0000001e-1f;
    p = p * r * r + r + 1.0f;
    return p * bits_to_float((uint32_t)((int32_t)n + 127) << 23);
}
#endif
