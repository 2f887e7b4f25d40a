// AVX-512 with BF16: 32 pairs of bf16 a instruction. Matrices are read as they lie, row by row; nothing is packed.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma,f16c,bmi2")
#include "kernels.h"

#include <algorithm>
#include <immintrin.h>

namespace axk1 {
namespace {

#define ROW_TO_BF16 // there is an instruction for it
#include "rows.inl"

// The four sums of four vectors, in order.
inline __m128 sums(__m512 a, __m512 b, __m512 c, __m512 d) {
    __m512 ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
    __m512 cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
    __m512 all = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd))),
                               _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd))));
    __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_extractf32x8_ps(all, 1));
    return _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
}

struct Bf16 { // 32 products a step
    using X = bf16;
    using W = bf16;
    using Vector = __m512bh;
    static constexpr int STEP = 32;
    static Vector load(const bf16 *p) { return (__m512bh)_mm512_loadu_si512(p); }
    static Vector load_some(const bf16 *p, int64_t n) { return (__m512bh)_mm512_maskz_loadu_epi16((1u << n) - 1, p); }
    static Vector load_x(const bf16 *p) { return load(p); }
    static Vector load_some_x(const bf16 *p, int64_t n) { return load_some(p, n); }
    static __m512 multiply(__m512 sum, Vector x, Vector w) { return _mm512_dpbf16_ps(sum, x, w); }
};

struct F32 {
    using X = float;
    using W = float;
    using Vector = __m512;
    static constexpr int STEP = 16;
    static Vector load(const float *p) { return _mm512_loadu_ps(p); }
    static Vector load_some(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((1u << n) - 1, p); }
    static Vector load_x(const float *p) { return load(p); }
    static Vector load_some_x(const float *p, int64_t n) { return load_some(p, n); }
    static __m512 multiply(__m512 sum, Vector x, Vector w) { return _mm512_fmadd_ps(x, w, sum); }
};

struct F16 : F32 {
    using W = f16;
    static Vector load(const f16 *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
    static Vector load_some(const f16 *p, int64_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16((1u << n) - 1, p)); }
};

struct F32Bf16 : F32 {
    using W = bf16;
    static Vector widened(__m256i bits) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16)); }
    static Vector load(const bf16 *p) { return widened(_mm256_loadu_si256((const __m256i *)p)); }
    static Vector load_some(const bf16 *p, int64_t n) { return widened(_mm256_maskz_loadu_epi16((1u << n) - 1, p)); }
};

constexpr int64_t AHEAD = 24576; // bytes: far enough to hide the memory, near enough to stay within a thread's piece

// M rows of x times N rows of w; the sums are written to out[i * out_step + j]. With FIRST, w comes from memory: what
// lies AHEAD is fetched in the order of its addresses, which the memory likes better than the order of its use.
template <class T, int M, int N, bool FIRST>
inline void tile(const typename T::X *const *x, const typename T::W *w, int64_t w_step, int64_t k, float *out, int64_t out_step) {
    __m512 sum[M][N];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = _mm512_setzero_ps();
    int64_t t = 0;
    for (; t + T::STEP <= k; t += T::STEP) {
        typename T::Vector row[M];
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) row[i] = T::load_x(x[i] + t);
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            if (FIRST) _mm_prefetch((const char *)w + AHEAD + (t / T::STEP * N + j) * 64, _MM_HINT_T1);
            typename T::Vector column = T::load(w + j * w_step + t);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) sum[i][j] = T::multiply(sum[i][j], row[i], column);
        }
    }
    if (t < k)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            typename T::Vector column = T::load_some(w + j * w_step + t, k - t);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) sum[i][j] = T::multiply(sum[i][j], T::load_some_x(x[i] + t, k - t), column);
        }
    const __m512 none = _mm512_setzero_ps();
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j += 4) {
            __m128 four = sums(sum[i][j], j + 1 < N ? sum[i][j + 1] : none, j + 2 < N ? sum[i][j + 2] : none, j + 3 < N ? sum[i][j + 3] : none);
            _mm_mask_storeu_ps(out + i * out_step + j, N - j >= 4 ? 15 : (1 << (N - j)) - 1, four);
        }
}

template <class T, int M, bool FIRST>
inline void rows(const typename T::X *const *x, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    constexpr int N = M > 2 ? 4 : 8;
    int64_t j = 0;
    for (; j + N <= n; j += N) tile<T, M, N, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
    for (; j + 4 <= n; j += 4) tile<T, M, 4, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
    for (; j < n; j++) tile<T, M, 1, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
}

// The rows of x from i on, six at a time and then what is left.
template <class T, bool FIRST>
inline int64_t some_rows(const typename T::X *const *x, int64_t i, int64_t m, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    int64_t left = m - i;
    x += i, out += i * out_step;
    if (left >= 6) return rows<T, 6, FIRST>(x, w, w_step, n, k, out, out_step), 6;
    if (left >= 4) return rows<T, 4, FIRST>(x, w, w_step, n, k, out, out_step), 4;
    if (left >= 2) return rows<T, 2, FIRST>(x, w, w_step, n, k, out, out_step), 2;
    return rows<T, 1, FIRST>(x, w, w_step, n, k, out, out_step), 1;
}

template <class T>
void dots(const typename T::X *const *x, int64_t m, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    // rows of w that stay in the nearest cache while all of x passes; all of them where x passes once
    int64_t band = m <= 6 ? n : std::max<int64_t>(8, 24576 / (k * int64_t(sizeof(*w))) / 8 * 8);
    for (int64_t j = 0; j < n; j += band) {
        int64_t part = std::min(band, n - j);
        int64_t i = some_rows<T, true>(x, 0, m, w + j * w_step, w_step, part, k, out + j, out_step);
        while (i < m) i += some_rows<T, false>(x, i, m, w + j * w_step, w_step, part, k, out + j, out_step);
    }
}

// 16 * N columns of M rows. Two positions are one step: their rows are interleaved, so that one instruction adds both.
// `pairs` has the weights of two positions in 32 bits, `step` of them a row.
template <int M, int N>
inline void mix_tile(const int32_t *pairs, int64_t step, const bf16 *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    __mmask32 own[N / 2];
    __m512 sum[M][N];
    #pragma GCC unroll 16
    for (int j = 0; j < N / 2; j++) own[j] = l >= 32 * (j + 1) ? ~0u : l > 32 * j ? (1u << (l - 32 * j)) - 1 : 0;
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = _mm512_setzero_ps();
    for (int64_t t = 0; t < s; t += 2) {
        const bf16 *row = c + t * c_step;
        bool whole = t + 1 < s;
        __m512bh pair[N];
        #pragma GCC unroll 16
        for (int j = 0; j < N / 2; j++) {
            __m512i even = _mm512_maskz_loadu_epi16(own[j], row + 32 * j), odd = _mm512_maskz_loadu_epi16(whole ? own[j] : 0, row + c_step + 32 * j);
            pair[2 * j] = (__m512bh)_mm512_unpacklo_epi16(even, odd), pair[2 * j + 1] = (__m512bh)_mm512_unpackhi_epi16(even, odd);
        }
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            __m512bh both = (__m512bh)_mm512_set1_epi32(pairs[i * step + t / 2]);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = _mm512_dpbf16_ps(sum[i][j], both, pair[j]);
        }
    }
    // unpack took columns 0-3, 8-11, ... into the first vector and 4-7, 12-15, ... into the second
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i high = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            int64_t left = l - 16 * j;
            if (left <= 0) break;
            __mmask16 kept = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
            __m512 ordered = _mm512_permutex2var_ps(sum[i][j & 2], j & 1 ? high : low, sum[i][(j & 2) + 1]);
            float *to = out + i * out_step + 16 * j;
            _mm512_mask_storeu_ps(to, kept, _mm512_add_ps(_mm512_maskz_loadu_ps(kept, to), ordered));
        }
}

constexpr int64_t MIX_POSITIONS = 512; // whose weights are narrowed at a time

void row_to_bf16(const float *x, int64_t n, bf16 *out) {
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) _mm256_storeu_si256((__m256i *)(out + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
    if (i < n) {
        __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
        _mm256_mask_storeu_epi16(out + i, rest, (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(rest, x + i)));
    }
}

template <int M, int N>
void mix_rows(const float *p, int64_t p_step, const bf16 *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    alignas(64) int32_t pairs[M][MIX_POSITIONS / 2];
    for (int i = 0; i < M; i++) {
        pairs[i][(s - 1) / 2] = 0; // an odd number of positions: the last pair has a half
        row_to_bf16(p + i * p_step, s, (bf16 *)pairs[i]);
    }
    for (int64_t j = 0; j < l; j += 16 * N) mix_tile<M, N>(pairs[0], MIX_POSITIONS / 2, c + j, c_step, s, l - j, out + j, out_step);
}

void mix_bf16(const float *p, int64_t p_step, int64_t m, const bf16 *c, int64_t c_step, int64_t all, int64_t l, float *out, int64_t out_step) {
    for (int64_t start = 0; start < all; start += MIX_POSITIONS) {
        int64_t s = std::min(MIX_POSITIONS, all - start), i = 0;
        const float *from = p + start;
        const bf16 *rows = c + start * c_step;
        auto next = [&](auto tile, int64_t count) {
            tile(from + i * p_step, p_step, rows, c_step, s, l, out + i * out_step, out_step);
            i += count;
        };
        while (m - i >= 6 && m - i != 8) next(mix_rows<6, 4>, 6);
        while (m - i >= 4) next(mix_rows<4, 4>, 4);
        if (m - i >= 2) next(mix_rows<2, 4>, 2);
        if (m > i) next(mix_rows<1, 4>, 1);
    }
}

template <int M>
inline void mix_tile(const float *p, int64_t p_step, const float *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    for (int64_t j = 0; j < 4 && 16 * j < l; j++) {
        int64_t left = l - 16 * j;
        __mmask16 kept = left >= 16 ? 0xffff : (__mmask16)((1u << left) - 1);
        __m512 sum[M];
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) sum[i] = _mm512_maskz_loadu_ps(kept, out + i * out_step + 16 * j);
        for (int64_t t = 0; t < s; t++) {
            __m512 row = _mm512_maskz_loadu_ps(kept, c + t * c_step + 16 * j);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) sum[i] = _mm512_fmadd_ps(_mm512_set1_ps(p[i * p_step + t]), row, sum[i]);
        }
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) _mm512_mask_storeu_ps(out + i * out_step + 16 * j, kept, sum[i]);
    }
}

void mix_f32(const float *p, int64_t p_step, int64_t m, const float *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    for (int64_t j = 0; j < l; j += 64) {
        int64_t i = 0;
        for (; i + 4 <= m; i += 4) mix_tile<4>(p + i * p_step, p_step, c + j, c_step, s, l - j, out + i * out_step + j, out_step);
        for (; i < m; i++) mix_tile<1>(p + i * p_step, p_step, c + j, c_step, s, l - j, out + i * out_step + j, out_step);
    }
}

} // namespace

// in avx512_int.cpp and avx512_int_mix.cpp
void avx512_dots_int4(const IntRow *, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void avx512_dots_int8(const IntRow *, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void avx512_mix_int4(const float *, int64_t, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void avx512_mix_int8(const float *, int64_t, int64_t, const IntMatrix &, int64_t, int64_t, float *, int64_t);
void avx512_quantise_row(const float *, int64_t, int, int8_t *, float *, int32_t *);
extern const PanelKernels avx512_panel_kernels; // in avx512_panel.cpp

const Kernels avx512_kernels = {
    "avx512", dots<F32>, dots<F16>, dots<F32Bf16>, dots<Bf16>, mix_f32, mix_bf16, row_to_bf16, rms_norm, swiglu, exp_sum, largest, scale, add,
    {avx512_dots_int4, avx512_dots_int8, avx512_mix_int4, avx512_mix_int8, avx512_quantise_row}, &avx512_panel_kernels,
};

} // namespace axk1
#endif
