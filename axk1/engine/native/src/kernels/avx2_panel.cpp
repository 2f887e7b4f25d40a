// The panel kernels of integers by AVX2: codes of four bits by products of bytes, of eight by products of 16-bit numbers.
// Sixteen registers hold a tile of 8 sums, so a panel is crossed in strips of vectors. Panels of bfloat16, which has to
// become floats either way, were no faster than rows.
#if defined(__x86_64__)
#include <algorithm>

#include "kernels.h"
#pragma GCC target("avx2,fma,f16c")
#include <immintrin.h>

namespace axk1 {
namespace {

constexpr int LANES = 8, VECTORS = PANEL / LANES;

inline __m256i load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
inline void store(void *p, __m256i v) { _mm256_storeu_si256((__m256i *)p, v); }

// 8 rows of 8 words, turned.
inline void transpose(__m256i *r) {
    __m256i a[8], b[8];
    #pragma GCC unroll 8
    for (int i = 0; i < 4; i++) a[2 * i] = _mm256_unpacklo_epi32(r[2 * i], r[2 * i + 1]), a[2 * i + 1] = _mm256_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
    #pragma GCC unroll 8
    for (int i = 0; i < 2; i++) { // b[4 i + c]: column c (mod 4) of rows 4 i .. 4 i + 3, in each 128-bit lane
        b[4 * i] = _mm256_unpacklo_epi64(a[4 * i], a[4 * i + 2]), b[4 * i + 1] = _mm256_unpackhi_epi64(a[4 * i], a[4 * i + 2]);
        b[4 * i + 2] = _mm256_unpacklo_epi64(a[4 * i + 1], a[4 * i + 3]), b[4 * i + 3] = _mm256_unpackhi_epi64(a[4 * i + 1], a[4 * i + 3]);
    }
    #pragma GCC unroll 8
    for (int c = 0; c < 4; c++) r[c] = _mm256_permute2x128_si256(b[c], b[4 + c], 0x20), r[4 + c] = _mm256_permute2x128_si256(b[c], b[4 + c], 0x31);
}

// 32 bytes of a row, of which `left` are there.
inline __m256i some_bytes(const uint8_t *from, int64_t left) {
    if (left >= 32) return load(from);
    alignas(32) uint8_t copy[32] = {};
    if (left > 0) __builtin_memcpy(copy, from, uint64_t(left));
    return load(copy);
}

template <bool SPLIT> void turn_words(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int64_t words, uint32_t *out) {
    const int64_t own = SPLIT ? words / 2 : words;
    const __m256i nibble = _mm256_set1_epi8(15);
    for (int64_t j = 0; j < PANEL; j += LANES)
        for (int64_t word = 0; word < own; word += LANES) {
            __m256i r[LANES];
            for (int i = 0; i < LANES; i++) r[i] = j + i < n ? some_bytes(rows + (j + i) * row_step + word * 4, row_bytes - word * 4) : _mm256_setzero_si256();
            transpose(r);
            for (int i = 0; i < LANES && word + i < own; i++) {
                uint32_t *to = out + (word + i) * (SPLIT ? 2 : 1) * PANEL + j;
                store(to, SPLIT ? _mm256_and_si256(r[i], nibble) : r[i]);
                if (SPLIT) store(to + PANEL, _mm256_and_si256(_mm256_srli_epi16(r[i], 4), nibble));
            }
        }
}

void turn(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int bits, int64_t words, uint32_t *out) {
    if (bits == 4) turn_words<true>(rows, row_step, row_bytes, n, words, out);
    else turn_words<false>(rows, row_step, row_bytes, n, words, out);
}

// Of eight columns those that are before `n`.
inline __m256i kept(int64_t n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(int(std::clamp<int64_t>(n, 0, LANES))), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }

// Activations of a step as a product wants them: for four bits the words as they are; for eight, of each word the even
// columns as a pair of 16-bit numbers, then the odd ones.
template <int BITS, int M> struct Activations {
    alignas(32) int32_t word[M][BITS == 4 ? 1 : 2][16];

    void fill(const PanelRow *x, int64_t at, int64_t count) {
        for (int i = 0; i < M; i++)
            for (int64_t t = 0; t < count; t += LANES) {
                __m256i four = load(x[i].value + at + 4 * t);
                if (BITS == 4) store(word[i][0] + t, four);
                else store(word[i][0] + t, _mm256_srai_epi16(_mm256_slli_epi16(four, 8), 8)), store(word[i][BITS != 4] + t, _mm256_srai_epi16(four, 8));
            }
    }
};

// sum[i][j] += the products of `count` words of activations and of N vectors of the panel. A step of 32 columns at a time,
// four bits fit into 16: 8 words of 2 x 15 x 127.
template <int M, int N> __attribute__((always_inline)) inline void multiply(const Activations<4, M> &x, const uint32_t *words, int64_t count, __m256i (&sum)[M][N]) {
    for (int64_t start = 0; start < count; start += 8) {
        __m256i narrow[M][N];
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++)
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) narrow[i][j] = _mm256_setzero_si256();
        for (int64_t t = start; t < start + 8; t++) {
            __m256i column[N];
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) column[j] = load(words + t * PANEL + LANES * j);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                __m256i four = _mm256_set1_epi32(x.word[i][0][t]);
                #pragma GCC unroll 16
                for (int j = 0; j < N; j++) narrow[i][j] = _mm256_add_epi16(narrow[i][j], _mm256_maddubs_epi16(column[j], four));
            }
        }
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++)
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = _mm256_add_epi32(sum[i][j], _mm256_madd_epi16(narrow[i][j], _mm256_set1_epi16(1)));
    }
}

template <int M, int N> __attribute__((always_inline)) inline void multiply(const Activations<8, M> &x, const uint32_t *words, int64_t count, __m256i (&sum)[M][N]) {
    for (int64_t t = 0; t < count; t++) {
        __m256i even[N], odd[N];
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            __m256i word = load(words + t * PANEL + LANES * j);
            even[j] = _mm256_and_si256(word, _mm256_set1_epi16(255)), odd[j] = _mm256_srli_epi16(word, 8);
        }
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            __m256i first = _mm256_set1_epi32(x.word[i][0][t]), second = _mm256_set1_epi32(x.word[i][1][t]);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = _mm256_add_epi32(sum[i][j], _mm256_add_epi32(_mm256_madd_epi16(even[j], first), _mm256_madd_epi16(odd[j], second)));
        }
    }
}

template <int BITS, int M> void tile_int(const PanelRow *x, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    constexpr int N = M >= 4 ? 2 : 4;
    const int64_t count = scales.columns / 4;
    Ahead next = ahead;
    alignas(32) float total[M][PANEL];
    for (int i = 0; i < M; i++)
        for (int j = 0; j < VECTORS; j++)
            _mm256_store_ps(total[i] + LANES * j, add ? _mm256_maskload_ps(out + i * out_step + LANES * j, kept(n - LANES * j)) : _mm256_setzero_ps());
    for (int64_t step = 0; step < steps; step++) {
        Activations<BITS, M> row;
        row.fill(x, (first + step) * scales.columns, count);
        for (int64_t t = 0; t < count; t++) next.fetch();
        const uint32_t *words = panel + step * count * PANEL;
        const float *scale = scales.scale + step * scales.next, *zero = scales.zero + step * scales.next;
        for (int from = 0; from < PANEL && from < n; from += N * LANES) {
            __m256i sum[M][N];
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++)
                #pragma GCC unroll 16
                for (int j = 0; j < N; j++) sum[i][j] = _mm256_setzero_si256();
            multiply<M, N>(row, words + from, count, sum);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) {
                const int at = from + LANES * j;
                #pragma GCC unroll 16
                for (int i = 0; i < M; i++) {
                    __m256 so_far = _mm256_fnmadd_ps(_mm256_loadu_ps(zero + at), _mm256_set1_ps(x[i].offset[first + step]), _mm256_load_ps(total[i] + at));
                    __m256 own = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[i][j]), _mm256_set1_ps(x[i].scale[first + step]));
                    _mm256_store_ps(total[i] + at, _mm256_fmadd_ps(own, _mm256_loadu_ps(scale + at), so_far));
                }
            }
        }
    }
    ahead = next;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < VECTORS; j++) _mm256_maskstore_ps(out + i * out_step + LANES * j, kept(n - LANES * j), _mm256_load_ps(total[i] + LANES * j));
}

template <int BITS> void dots_int(const PanelRow *x, int64_t m, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &ahead) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) tile_int<BITS, 4>(x + i, panel, scales, first, steps, n, add, out + i * out_step, out_step, ahead);
    for (; i + 2 <= m; i += 2) tile_int<BITS, 2>(x + i, panel, scales, first, steps, n, add, out + i * out_step, out_step, ahead);
    for (; i < m; i++) tile_int<BITS, 1>(x + i, panel, scales, first, steps, n, add, out + i * out_step, out_step, ahead);
}

inline float across(__m256 v, bool most) {
    float lane[LANES], all;
    _mm256_storeu_ps(lane, v);
    all = lane[0];
    for (int i = 1; i < LANES; i++) all = most ? std::max(all, lane[i]) : all + lane[i];
    return all;
}

void quantise(const float *x, int64_t columns, int bits, int64_t step, int8_t *value, float *scale, float *offset) {
    // a word of codes in each of eight lanes to bytes: in order, or of eight columns the even ones, then the odd ones
    const __m256i order = bits == 4 ? _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7) : _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256 sign = _mm256_set1_ps(-0.0f);
    for (int64_t start = 0, s = 0; start < columns; start += step, s++) {
        __m256 most = _mm256_setzero_ps();
        for (int64_t i = start; i < start + step; i += LANES) most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_maskload_ps(x + i, kept(columns - i))));
        float largest = across(most, true);
        __m256 inverse = _mm256_set1_ps(largest > 0 ? 127.0f / largest : 0);
        __m256i sum = _mm256_setzero_si256();
        for (int64_t i = start; i < start + step; i += LANES) {
            __m256i code = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_maskload_ps(x + i, kept(columns - i)), inverse));
            sum = _mm256_add_epi32(sum, code);
            __m256i placed = _mm256_permutevar8x32_epi32(code, order), narrow = _mm256_packs_epi32(placed, placed); // both halves by themselves
            __m128i eight = _mm_packs_epi16(_mm_unpacklo_epi64(_mm256_castsi256_si128(narrow), _mm256_extracti128_si256(narrow, 1)), _mm_setzero_si128());
            _mm_storel_epi64((__m128i *)(value + i), eight);
        }
        scale[s] = largest / 127.0f;
        offset[s] = largest / 127.0f * across(_mm256_cvtepi32_ps(sum), false);
    }
}

} // namespace

extern const PanelKernels avx2_panel_kernels;
const PanelKernels avx2_panel_kernels = {turn, nullptr, dots_int<4>, dots_int<8>, quantise};

} // namespace axk1
#endif
