/* Grouped matrix products for the experts in bfloat16: rows of expert e times its own matrix, all experts in one call.
 *
 * One product per expert and call leaves two threads waiting for each other at every small product. Here the work is cut
 * into tasks of one expert and a strip of its output, which a thread packs and computes by itself; a thread that the
 * system takes away delays its own task only. Tasks write disjoint outputs, so who computes what does not change results.
 *
 * The instruction is vdpbf16ps: 16 sums of products of bf16 pairs. So the reduction runs over pairs, B lies packed as
 * [pairs][strip of 32 columns][2], and A is read as 32-bit pairs. */
#include "rows.h"

#ifndef __AVX512BF16__
int axk1_has_grouped_gemm(void) { return 0; }
void axk1_grouped_gemm(const void *a, const void *b, void *out, const int64_t *counts, int64_t experts, int64_t depth, int64_t width, int transposed) {
    (void)a, (void)b, (void)out, (void)counts, (void)experts, (void)depth, (void)width, (void)transposed;
}
void axk1_grouped_weight_gradient(const void *g, const void *x, void *out, const int64_t *counts, int64_t experts, int64_t height, int64_t width) {
    (void)g, (void)x, (void)out, (void)counts, (void)experts, (void)height, (void)width;
}
#else
#include <immintrin.h>
#include <stdlib.h>

/* 12 rows x 2 vectors of sums fill 24 of the 32 registers; a BAND of rows of a weight gradient shares the packed x. */
enum { STRIP = 32, BAND = 256 };

int axk1_has_grouped_gemm(void) { return 1; }

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

typedef struct { int64_t expert, first_row, rows, column; } task;

/* One task per expert and `step` columns. Returns how many. */
static int64_t plan(const int64_t *counts, int64_t experts, int64_t width, int64_t step, task *tasks) {
    int64_t n = 0, row = 0;
    for (int64_t e = 0; e < experts; row += counts[e++])
        for (int64_t c = 0; c < width; c += step) tasks[n++] = (task){e, row, counts[e], c};
    return n;
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* out_[M,width] = rows of a_[M,depth] times b[e]; b_[E,depth,width], or b_[E,width,depth] when `transposed`. depth is even. */
void axk1_grouped_gemm(const void *a, const void *b, void *out, const int64_t *counts, int64_t experts, int64_t depth, int64_t width, int transposed) {
    int64_t pairs = depth / 2;
    task tasks[experts * ((width + STRIP - 1) / STRIP)];
    int64_t n = plan(counts, experts, width, STRIP, tasks);
#pragma omp parallel
    {
        uint32_t packed[pairs * STRIP] __attribute__((aligned(64)));
#pragma omp for schedule(dynamic, 2)
        for (int64_t i = 0; i < n; i++) {
            task t = tasks[i];
            int64_t columns = least(STRIP, width - t.column);
            const uint16_t *matrix = (const uint16_t *)b + t.expert * depth * width;
            if (transposed) pack_columns(matrix + t.column * depth, depth, columns, packed);
            else pack_rows(matrix + t.column, width, depth, columns, packed);
            const uint32_t *rows = (const uint32_t *)((const uint16_t *)a + t.first_row * depth);
            strip(rows, pairs, 1, packed, pairs, (uint16_t *)out + t.first_row * width + t.column, width, t.rows, columns);
        }
    }
}

/* out_[E,height,width]: for each expert the sum over its rows of g_[row,height] x_[row,width]; zero without rows. */
void axk1_grouped_weight_gradient(const void *g, const void *x, void *out, const int64_t *counts, int64_t experts, int64_t height, int64_t width) {
    int64_t deepest = 0;
    for (int64_t e = 0; e < experts; e++) deepest = counts[e] > deepest ? counts[e] : deepest;
    int64_t panel = (deepest + 1) / 2 * STRIP; /* a packed strip */
    task tasks[experts * ((height + BAND - 1) / BAND)];
    int64_t n = plan(counts, experts, height, BAND, tasks);
#pragma omp parallel
    {
        /* g is the A side here: its packed strips are read column by column, where x is packed as B, strip by strip. */
        uint32_t *left = aligned_alloc(64, (size_t)(panel + STRIP) * (BAND / STRIP + 1) * 4), *right = left + panel * (BAND / STRIP);
#pragma omp for schedule(dynamic, 1)
        for (int64_t i = 0; i < n; i++) {
            task t = tasks[i];
            int64_t high = least(BAND, height - t.column), pairs = (t.rows + 1) / 2;
            const uint16_t *rows_g = (const uint16_t *)g + t.first_row * height + t.column, *rows_x = (const uint16_t *)x + t.first_row * width;
            uint16_t *to = (uint16_t *)out + (t.expert * height + t.column) * width;
            for (int64_t r = 0; r < high; r += STRIP) pack_rows(rows_g + r, height, t.rows, least(STRIP, high - r), left + r / STRIP * panel);
            for (int64_t c = 0; c < width; c += STRIP) {
                int64_t columns = least(STRIP, width - c);
                pack_rows(rows_x + c, width, t.rows, columns, right);
                for (int64_t r = 0; r < high; r += STRIP)
                    strip(left + r / STRIP * panel, 1, STRIP, right, pairs, to + r * width + c, width, least(STRIP, high - r), columns);
            }
        }
        free(left);
    }
}
#endif
