// Sums of rows of integer weights, each weighed by a float, in float32: the key up-projection of a query.
//
// A tile is 128 columns, the scales of 8 in a lane. Codes of four bits become floats by a table: as 32-bit words, lane i holds
// columns 8 i to 8 i + 7, one for each shift. Zero points, where the table does not have them, are summed beside the codes.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni,fma,f16c,bmi2")
#include <algorithm>
#include <immintrin.h>

#include "kernels.h"
#include "scales.h"

namespace axk1 {
namespace {

constexpr int64_t COLUMNS = 128; // of a tile
constexpr int64_t AHEAD = 4096;  // bytes; see avx512.cpp

// The codes of a tile's row as floats, eight vectors of sixteen.
template <int BITS, bool ASYMMETRIC> struct Codes;

template <bool ASYMMETRIC> struct Codes<4, ASYMMETRIC> { // vector k: columns k, 8 + k, 16 + k ...
    static constexpr bool CENTRED = !ASYMMETRIC;
    __m512i words;
    Codes(const uint8_t *codes, int64_t n) : words(_mm512_maskz_loadu_epi8(n < COLUMNS ? (1ull << (n + 1) / 2) - 1 : ~0ull, codes)) {}
    __m512 vector(int k) const {
        const __m512 stored = _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        const __m512 table = CENTRED ? _mm512_sub_ps(stored, _mm512_set1_ps(8)) : stored;
        return _mm512_permutexvar_ps(_mm512_srli_epi32(words, uint32_t(4 * k)), table);
    }
    static __m512 spread(__m512 by_lane, int) { return by_lane; }
    // Four vectors from k on, in the order of the columns.
    static void write(const __m512 *sum, int k, float *to) {
        __m512 ab = _mm512_unpacklo_ps(sum[0], sum[1]), cd = _mm512_unpacklo_ps(sum[2], sum[3]);
        four(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)), to + k);
        four(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)), to + k + 8);
        ab = _mm512_unpackhi_ps(sum[0], sum[1]), cd = _mm512_unpackhi_ps(sum[2], sum[3]);
        four(_mm512_unpacklo_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)), to + k + 16);
        four(_mm512_unpackhi_pd(_mm512_castps_pd(ab), _mm512_castps_pd(cd)), to + k + 24);
    }
    static void four(__m512d values, float *to) { // a quarter each to every fourth lane's columns
        __m512 all = _mm512_castpd_ps(values);
        _mm_storeu_ps(to, _mm512_castps512_ps128(all));
        _mm_storeu_ps(to + 32, _mm512_extractf32x4_ps(all, 1));
        _mm_storeu_ps(to + 64, _mm512_extractf32x4_ps(all, 2));
        _mm_storeu_ps(to + 96, _mm512_extractf32x4_ps(all, 3));
    }
};

template <bool ASYMMETRIC> struct Codes<8, ASYMMETRIC> { // vector k: columns 16 k to 16 k + 15
    static constexpr bool CENTRED = false;
    const uint8_t *codes;
    int64_t n;
    Codes(const uint8_t *from, int64_t columns) : codes(from), n(columns) {}
    __m512 vector(int k) const {
        int64_t left = std::clamp<int64_t>(n - 16 * k, 0, 16);
        __m128i bytes = n >= COLUMNS ? _mm_loadu_si128((const __m128i *)(codes + 16 * k)) : _mm_maskz_loadu_epi8((__mmask16)((1u << left) - 1), codes + 16 * k);
        return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
    }
    static __m512 spread(__m512 by_lane, int k) { return _mm512_permutexvar_ps(_mm512_set1_epi32(k / 2 * 4), by_lane); } // 32 columns share a scale
    static void write(const __m512 *sum, int k, float *to) {
        #pragma GCC unroll 4
        for (int j = 0; j < 4; j++) _mm512_storeu_ps(to + (k + j) * 16, sum[j]);
    }
};

// to[i] = the sums of M rows of p, of the vectors [K, K + COUNT) of n columns from `first` on.
template <int BITS, bool WIDE, bool ASYMMETRIC, int M, int K, int COUNT>
inline void tile(const float *p, int64_t p_step, const IntMatrix &w, int64_t row, int64_t s, int64_t first, int64_t n, float (*to)[COLUMNS]) {
    using Tile = Codes<BITS, ASYMMETRIC>;
    const int64_t per = std::max<int64_t>(1, COLUMNS / w.group), lanes = 16 / per;
    const int64_t group = first / w.group, count = std::min(per, w.groups - group), ahead = std::max<int64_t>(1, AHEAD / w.row_bytes);
    const uint8_t *codes = w.codes + row * w.row_bytes + first * BITS / 8;
    __m512 sum[M][COUNT], zero_sum[M];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
        zero_sum[i] = _mm512_setzero_ps();
        #pragma GCC unroll 16
        for (int k = 0; k < COUNT; k++) sum[i][k] = _mm512_setzero_ps();
    }
    for (int64_t t = 0; t < s; t++, codes += w.row_bytes) {
        if (K == 0 && first == 0 && t + ahead < s)
            for (int64_t at = 0; at < w.row_bytes; at += 64) _mm_prefetch((const char *)codes + ahead * w.row_bytes + at, _MM_HINT_T0);
        Tile block(codes, n);
        __m512 scale = scales<WIDE>(w, row + t, group, count, lanes), weight[M];
        __m512 zero = ASYMMETRIC ? _mm512_cvtepi32_ps(zeros(w, row + t, group, count, lanes)) : _mm512_set1_ps(1 << (BITS - 1));
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            weight[i] = _mm512_mul_ps(scale, _mm512_set1_ps(p[i * p_step + t]));
            if (!Tile::CENTRED) zero_sum[i] = _mm512_fmadd_ps(weight[i], zero, zero_sum[i]);
        }
        #pragma GCC unroll 16
        for (int k = 0; k < COUNT; k++) {
            __m512 value = block.vector(K + k);
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) sum[i][k] = _mm512_fmadd_ps(Tile::spread(weight[i], K + k), value, sum[i][k]);
        }
    }
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
        #pragma GCC unroll 16
        for (int k = 0; k < COUNT; k++) sum[i][k] = _mm512_sub_ps(sum[i][k], Tile::spread(zero_sum[i], K + k));
        #pragma GCC unroll 2
        for (int k = 0; k < COUNT; k += 4) Tile::write(sum[i] + k, K + k, to[i]);
    }
}

template <int BITS, bool WIDE, bool ASYMMETRIC, int M>
void rows(const float *p, int64_t p_step, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    for (int64_t first = 0; first < w.columns; first += COLUMNS) {
        int64_t n = std::min(COLUMNS, w.columns - first);
        alignas(64) float made[M][COLUMNS];
        if constexpr (M <= 2) {
            tile<BITS, WIDE, ASYMMETRIC, M, 0, 8>(p, p_step, w, row, s, first, n, made);
        } else { // as many sums as there are registers
            tile<BITS, WIDE, ASYMMETRIC, M, 0, 4>(p, p_step, w, row, s, first, n, made);
            tile<BITS, WIDE, ASYMMETRIC, M, 4, 4>(p, p_step, w, row, s, first, n, made);
        }
        for (int i = 0; i < M; i++)
            for (int64_t j = 0; j < n; j++) out[i * out_step + first + j] += made[i][j];
    }
}

template <int BITS, bool WIDE, bool ASYMMETRIC>
void all_rows(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    int64_t i = 0;
    for (; m - i >= 4; i += 4) rows<BITS, WIDE, ASYMMETRIC, 4>(p + i * p_step, p_step, w, row, s, out + i * out_step, out_step);
    for (; m - i >= 2; i += 2) rows<BITS, WIDE, ASYMMETRIC, 2>(p + i * p_step, p_step, w, row, s, out + i * out_step, out_step);
    if (i < m) rows<BITS, WIDE, ASYMMETRIC, 1>(p + i * p_step, p_step, w, row, s, out + i * out_step, out_step);
}

template <int BITS> void mix(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    if (w.wide_scale && w.zero) all_rows<BITS, true, true>(p, p_step, m, w, row, s, out, out_step);
    else if (w.wide_scale) all_rows<BITS, true, false>(p, p_step, m, w, row, s, out, out_step);
    else if (w.zero) all_rows<BITS, false, true>(p, p_step, m, w, row, s, out, out_step);
    else all_rows<BITS, false, false>(p, p_step, m, w, row, s, out, out_step);
}

} // namespace

void avx512_mix_int4(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) { mix<4>(p, p_step, m, w, row, s, out, out_step); }
void avx512_mix_int8(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) { mix<8>(p, p_step, m, w, row, s, out, out_step); }

} // namespace axk1
#endif
