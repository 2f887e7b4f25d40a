// The panel kernels by AVX-512 BF16 and VNNI.
#if defined(__x86_64__)
#include <algorithm>

#include "kernels.h"
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni,fma,f16c,bmi2")
#include <immintrin.h>

#include "vnni.h"

namespace axk1 {
namespace {

// 16 rows of 16 words, turned.
inline void transpose(__m512i *r) {
    __m512i a[16], b[16];
    #pragma GCC unroll 16
    for (int i = 0; i < 8; i++) a[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]), a[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    #pragma GCC unroll 16
    for (int i = 0; i < 4; i++) { // b[4 i + c]: column c (mod 4) of rows 4 i .. 4 i + 3, in each 128-bit lane
        b[4 * i] = _mm512_unpacklo_epi64(a[4 * i], a[4 * i + 2]), b[4 * i + 1] = _mm512_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm512_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]), b[4 * i + 3] = _mm512_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
    #pragma GCC unroll 16
    for (int c = 0; c < 4; c++) {
        __m512i low = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88), high = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xdd);
        __m512i low2 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88), high2 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xdd);
        r[c] = _mm512_shuffle_i32x4(low, low2, 0x88), r[8 + c] = _mm512_shuffle_i32x4(low, low2, 0xdd);
        r[4 + c] = _mm512_shuffle_i32x4(high, high2, 0x88), r[12 + c] = _mm512_shuffle_i32x4(high, high2, 0xdd);
    }
}

template <bool SPLIT> void turn_words(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int64_t words, uint32_t *out) {
    const int64_t own = SPLIT ? words / 2 : words;
    for (int64_t j = 0; j < PANEL; j += 16)
        for (int64_t word = 0; word < own; word += 16) {
            int64_t left = std::max<int64_t>(row_bytes - word * 4, 0);
            __mmask64 there = left >= 64 ? ~0ull : (1ull << left) - 1;
            __m512i r[16];
            #pragma GCC unroll 16
            for (int i = 0; i < 16; i++) r[i] = _mm512_maskz_loadu_epi8(j + i < n ? there : 0, rows + (j + i) * row_step + word * 4);
            transpose(r);
            int count = int(std::min<int64_t>(16, own - word));
            for (int i = 0; i < count; i++) {
                if (SPLIT) {
                    const __m512i nibble = _mm512_set1_epi8(15);
                    uint32_t *to = out + (word + i) * 2 * PANEL + j;
                    _mm512_storeu_si512(to, _mm512_and_si512(r[i], nibble));
                    _mm512_storeu_si512(to + PANEL, _mm512_and_si512(_mm512_srli_epi16(r[i], 4), nibble));
                } else
                    _mm512_storeu_si512(out + (word + i) * PANEL + j, r[i]);
            }
        }
}

void turn(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int bits, int64_t words, uint32_t *out) {
    if (bits == 4) turn_words<true>(rows, row_step, row_bytes, n, words, out);
    else turn_words<false>(rows, row_step, row_bytes, n, words, out);
}

inline __mmask16 kept(int64_t n, int j) {
    int64_t left = n - 16 * j;
    return left >= 16 ? 0xffff : left > 0 ? (__mmask16)((1u << left) - 1) : 0;
}

template <int M> void tile_bf16(const uint16_t *const *x, const uint32_t *panel, int64_t first, int64_t words, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    constexpr int N = PANEL / 16;
    __m512 sum[M][N];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = _mm512_setzero_ps();
    Ahead next = ahead;
    for (int64_t t = 0; t < words; t++) {
        next.fetch();
        __m512bh column[N];
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) column[j] = (__m512bh)_mm512_loadu_si512(panel + t * PANEL + 16 * j);
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            int32_t two;
            __builtin_memcpy(&two, x[i] + 2 * (first + t), 4);
            __m512bh both = (__m512bh)_mm512_set1_epi32(two);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], both, column[j]);
        }
    }
    ahead = next;
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            float *to = out + i * out_step + 16 * j;
            if (add) sum[i][j] = _mm512_add_ps(sum[i][j], _mm512_maskz_loadu_ps(kept(n, j), to));
            _mm512_mask_storeu_ps(to, kept(n, j), sum[i][j]);
        }
}

template <int M> void tile_int(const PanelRow *x, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    constexpr int N = PANEL / 16;
    const int64_t count = scales.columns / 4;
    Ahead next = ahead;
    alignas(64) float total[M][PANEL];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) _mm512_store_ps(total[i] + 16 * j, _mm512_maskz_loadu_ps(add ? kept(n, j) : 0, out + i * out_step + 16 * j));
    for (int64_t step = 0; step < steps; step++) {
        __m512i sum[M][N];
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++)
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = _mm512_setzero_si512();
        const uint32_t *words = panel + step * count * PANEL;
        for (int64_t t = 0; t < count; t++) {
            next.fetch();
            __m512i column[N];
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) column[j] = _mm512_loadu_si512(words + t * PANEL + 16 * j);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                int32_t four;
                __builtin_memcpy(&four, x[i].value + (first + step) * scales.columns + 4 * t, 4);
                __m512i both = _mm512_set1_epi32(four);
                #pragma GCC unroll 16
                for (int j = 0; j < N; j++) add_products(sum[i][j], column[j], both);
            }
        }
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            __m512 scale = _mm512_loadu_ps(scales.scale + step * scales.next + 16 * j), zero = _mm512_loadu_ps(scales.zero + step * scales.next + 16 * j);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                __m512 so_far = _mm512_fnmadd_ps(zero, _mm512_set1_ps(x[i].offset[first + step]), _mm512_load_ps(total[i] + 16 * j));
                __m512 own = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[i][j]), _mm512_set1_ps(x[i].scale[first + step]));
                _mm512_store_ps(total[i] + 16 * j, _mm512_fmadd_ps(own, scale, so_far));
            }
        }
    }
    ahead = next;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) _mm512_mask_storeu_ps(out + i * out_step + 16 * j, kept(n, j), _mm512_load_ps(total[i] + 16 * j));
}

// tile(first row, Size<rows>) over the rows, six at a time and then what is left.
template <int M> struct Size { static constexpr int rows = M; };
template <class Tile> void by_rows(int64_t m, Tile tile) {
    int64_t i = 0;
    for (; i + 6 <= m && m - i != 8; i += 6) tile(i, Size<6>());
    for (; i + 4 <= m; i += 4) tile(i, Size<4>());
    for (; i + 2 <= m; i += 2) tile(i, Size<2>());
    for (; i < m; i++) tile(i, Size<1>());
}

void dots_bf16(const uint16_t *const *x, int64_t m, const uint32_t *panel, int64_t first, int64_t words, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    by_rows(m, [&](int64_t i, auto size) { tile_bf16<size.rows>(x + i, panel, first, words, n, add, out + i * out_step, out_step, ahead); });
}

void dots_int(const PanelRow *x, int64_t m, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    by_rows(m, [&](int64_t i, auto size) { tile_int<size.rows>(x + i, panel, scales, first, steps, n, add, out + i * out_step, out_step, ahead); });
}

void quantise(const float *x, int64_t columns, int bits, int64_t step, int8_t *value, float *scale, float *offset) {
    // of 8 columns the even ones, then the odd ones
    const __m128i apart = _mm_setr_epi8(0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15);
    for (int64_t start = 0, s = 0; start < columns; start += step, s++) {
        __m512 most = _mm512_setzero_ps();
        for (int64_t i = start; i < start + step; i += 16) most = _mm512_max_ps(most, _mm512_abs_ps(_mm512_maskz_loadu_ps(kept(columns - i, 0), x + i)));
        float largest = _mm512_reduce_max_ps(most);
        __m512 inverse = _mm512_set1_ps(largest > 0 ? 127.0f / largest : 0);
        __m512i sum = _mm512_setzero_si512();
        for (int64_t i = start; i < start + step; i += 16) {
            __m512i code = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_maskz_loadu_ps(kept(columns - i, 0), x + i), inverse));
            sum = _mm512_add_epi32(sum, code);
            __m128i narrow = _mm512_cvtepi32_epi8(code);
            _mm_storeu_si128((__m128i *)(value + i), bits == 4 ? _mm_shuffle_epi8(narrow, apart) : narrow);
        }
        scale[s] = largest / 127.0f;
        offset[s] = largest / 127.0f * float(_mm512_reduce_add_epi32(sum));
    }
}

} // namespace

extern const PanelKernels avx512_panel_kernels;
const PanelKernels avx512_panel_kernels = {turn, dots_bf16, dots_int, dots_int, quantise};

} // namespace axk1
#endif
