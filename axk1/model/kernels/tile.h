/* Matrix products of one thread in bfloat16, the parts that gemm.c and muon.c are made of.
 *
 * The instruction is vdpbf16ps: 16 sums of products of bf16 pairs. So the reduction runs over pairs, B lies packed as
 * [pairs][strip of 32 columns][2], and A is read as 32-bit pairs. */
#ifndef AXK1_TILE_H
#define AXK1_TILE_H
#include "rows.h"
#include <immintrin.h>

enum { STRIP = 32 }; /* columns: 12 rows x 2 vectors of sums fill 24 of the 32 registers */

static inline __m512bh pair(uint32_t bits) { return (__m512bh)_mm512_set1_epi32((int)bits); }

/* sums of `rows` rows x 32 columns over `pairs` pairs. The pair k of row r lies at a[r * row_step + k * pair_step]. */
#define KERNEL(R)                                                                                                          \
    static void kernel_##R(const uint32_t *a, int64_t row_step, int64_t pair_step, const uint32_t *b, int64_t pairs,      \
                           uint16_t *out, int64_t out_step, __mmask16 left, __mmask16 right) {                             \
        __m512 sum[R][2];                                                                                                  \
        for (int r = 0; r < R; r++) sum[r][0] = sum[r][1] = _mm512_setzero_ps();                                           \
        for (int64_t k = 0; k < pairs; k++) {                                                                              \
            __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + k * STRIP), b1 = (__m512bh)_mm512_loadu_si512(b + k * STRIP + 16); \
            _Pragma("GCC unroll 12") for (int r = 0; r < R; r++) {                                                         \
                __m512bh ar = pair(a[r * row_step + k * pair_step]);                                                       \
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], ar, b0);                                                           \
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], ar, b1);                                                           \
            }                                                                                                              \
        }                                                                                                                  \
        for (int r = 0; r < R; r++) {                                                                                      \
            _mm256_mask_storeu_epi16(out + r * out_step, left, (__m256i)_mm512_cvtneps_pbh(sum[r][0]));                    \
            _mm256_mask_storeu_epi16(out + r * out_step + 16, right, (__m256i)_mm512_cvtneps_pbh(sum[r][1]));              \
        }                                                                                                                  \
    }
KERNEL(12) KERNEL(4) KERNEL(1)

/* All rows of one strip of up to 32 columns. */
static void strip(const uint32_t *a, int64_t row_step, int64_t pair_step, const uint32_t *b, int64_t pairs, uint16_t *out, int64_t out_step,
                  int64_t rows, int64_t columns) {
    __mmask16 left = columns >= 16 ? 0xffff : (__mmask16)((1u << columns) - 1);
    __mmask16 right = columns >= 32 ? 0xffff : columns > 16 ? (__mmask16)((1u << (columns - 16)) - 1) : 0;
    int64_t r = 0;
    for (; r + 12 <= rows; r += 12) kernel_12(a + r * row_step, row_step, pair_step, b, pairs, out + r * out_step, out_step, left, right);
    for (; r + 4 <= rows; r += 4) kernel_4(a + r * row_step, row_step, pair_step, b, pairs, out + r * out_step, out_step, left, right);
    for (; r < rows; r++) kernel_1(a + r * row_step, row_step, pair_step, b, pairs, out + r * out_step, out_step, left, right);
}

/* packed[k][j] = (b[2k][j], b[2k + 1][j]) for the `columns` columns from b on; a missing last row counts as zeros. */
static void pack_rows(const uint16_t *b, int64_t step, int64_t depth, int64_t columns, uint32_t *packed) {
    for (int64_t k = 0; k < (depth + 1) / 2; k++) {
        const uint16_t *low = b + 2 * k * step, *high = low + step;
        int whole = 2 * k + 1 < depth;
        uint32_t *restrict to = packed + k * STRIP;
        if (columns == STRIP && whole)
            for (int j = 0; j < STRIP; j++) to[j] = low[j] | (uint32_t)high[j] << 16;
        else
            for (int64_t j = 0; j < STRIP; j++)
                to[j] = j < columns ? low[j] | (whole ? (uint32_t)high[j] << 16 : 0) : 0;
    }
}

/* A square of 16 x 16 pairs, rows `step` pairs apart, transposed to rows STRIP apart. */
static void transpose(const uint32_t *from, int64_t step, uint32_t *to) {
    __m512i r[16], t[16];
    for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + i * step);
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++)
        for (int half = 0; half < 16; half += 8) {
            t[half + i] = _mm512_shuffle_i32x4(r[half + i], r[half + i + 4], 0x88);
            t[half + i + 4] = _mm512_shuffle_i32x4(r[half + i], r[half + i + 4], 0xdd);
        }
    for (int i = 0; i < 8; i++) {
        _mm512_storeu_si512(to + i * STRIP, _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88));
        _mm512_storeu_si512(to + (i + 8) * STRIP, _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd));
    }
}

/* packed[k][j] = the pair k of row j: b holds the strip's columns as rows of `depth` numbers. */
static void pack_columns(const uint16_t *b, int64_t depth, int64_t columns, uint32_t *packed) {
    const uint32_t *rows = (const uint32_t *)b;
    int64_t pairs = depth / 2, squares = columns == STRIP ? pairs / 16 * 16 : 0;
    for (int64_t k = 0; k < squares; k += 16)
        for (int64_t j = 0; j < STRIP; j += 16) transpose(rows + j * pairs + k, pairs, packed + k * STRIP + j);
    for (int64_t k = squares; k < pairs; k++)
        for (int64_t j = 0; j < STRIP; j++) packed[k * STRIP + j] = j < columns ? rows[j * pairs + k] : 0;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
#endif
