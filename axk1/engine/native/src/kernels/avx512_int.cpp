// Integer products by VNNI: 64 products of unsigned codes and signed activations a instruction.
//
// sum over columns of (code - zero) * scale * x: the unsigned codes are multiplied as they lie; minus zero times the sum of
// the activations, which is known beforehand, is where each lane's sum starts from. Without zero points zero is 8 or 128.
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx512vnni,fma,f16c,bmi2")
#include <algorithm>
#include <immintrin.h>

#include "kernels.h"
#include "scales.h"
#include "vnni.h"

namespace axk1 {
namespace {

constexpr int64_t AHEAD = 4096; // bytes; see avx512.cpp

template <int BITS> struct Codes; // a block's codes as bytes in the order of the activations

template <> struct Codes<4> {
    __m512i even, odd;
    explicit Codes(__m512i bytes) : even(_mm512_and_si512(bytes, _mm512_set1_epi8(15))), odd(_mm512_and_si512(_mm512_srli_epi16(bytes, 4), _mm512_set1_epi8(15))) {}
    __m512i multiply(__m512i sum, const int8_t *x) const {
        add_products(sum, even, _mm512_loadu_si512(x));
        add_products(sum, odd, _mm512_loadu_si512(x + 64));
        return sum;
    }
};

template <> struct Codes<8> {
    __m512i bytes;
    explicit Codes(__m512i codes) : bytes(codes) {}
    __m512i multiply(__m512i sum, const int8_t *x) const {
        add_products(sum, bytes, _mm512_loadu_si512(x));
        return sum;
    }
};

template <int BITS, bool WIDE, bool ASYMMETRIC, int M, int N, bool FIRST>
inline void tile(const IntRow *x, const IntMatrix &w, int64_t row, float *out, int64_t out_step) {
    const int64_t wide = block_columns(BITS), all = blocks(w.columns, BITS), per = std::max<int64_t>(1, wide / w.group);
    const int64_t lanes = 16 / per;
    __m512 sum[M][N];
#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
#pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = _mm512_setzero_ps();
    for (int64_t b = 0; b < all; b++) {
        int64_t left = w.row_bytes - b * 64;
        __mmask64 own = left >= 64 ? ~0ull : (1ull << left) - 1;
        int64_t first = b * wide / w.group, count = std::min(per, w.groups - first);
        __m512i start[M];
        __m512 step[M];
#pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            start[i] = _mm512_loadu_si512(x[i].sum + b * 16);
            if (!ASYMMETRIC) start[i] = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_slli_epi32(start[i], BITS - 1));
            step[i] = _mm512_loadu_ps(x[i].scale + b * 16);
        }
#pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            const uint8_t *codes = w.codes + (row + j) * w.row_bytes + b * 64;
            if (FIRST) _mm_prefetch((const char *)(w.codes + row * w.row_bytes) + AHEAD + (b * N + j) * 64, _MM_HINT_T1);
            Codes<BITS> block(_mm512_maskz_loadu_epi8(own, codes));
            __m512 scale = scales<WIDE>(w, row + j, first, count, lanes);
            __m512i zero = ASYMMETRIC ? zeros(w, row + j, first, count, lanes) : _mm512_setzero_si512();
#pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                __m512i from = ASYMMETRIC ? _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_mullo_epi32(zero, start[i])) : start[i];
                __m512i dot = block.multiply(from, x[i].value + b * wide);
                sum[i][j] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), _mm512_mul_ps(scale, step[i]), sum[i][j]);
            }
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
#pragma GCC unroll 16
        for (int j = 0; j < N; j++) out[i * out_step + j] = _mm512_reduce_add_ps(sum[i][j]);
}

template <int BITS, bool WIDE, bool ASYMMETRIC, int M, bool FIRST>
void rows(const IntRow *x, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    constexpr int N = M == 4 ? 2 : 4;
    int64_t j = 0;
    for (; j + N <= n; j += N) tile<BITS, WIDE, ASYMMETRIC, M, N, FIRST>(x, w, row + j, out + j, out_step);
    for (; j < n; j++) tile<BITS, WIDE, ASYMMETRIC, M, 1, FIRST>(x, w, row + j, out + j, out_step);
}

template <int BITS, bool WIDE, bool ASYMMETRIC, bool FIRST>
int64_t some_rows(const IntRow *x, int64_t left, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    if (left >= 4) return rows<BITS, WIDE, ASYMMETRIC, 4, FIRST>(x, w, row, n, out, out_step), 4;
    if (left >= 2) return rows<BITS, WIDE, ASYMMETRIC, 2, FIRST>(x, w, row, n, out, out_step), 2;
    return rows<BITS, WIDE, ASYMMETRIC, 1, FIRST>(x, w, row, n, out, out_step), 1;
}

template <int BITS, bool WIDE, bool ASYMMETRIC>
void all_rows(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    int64_t band = m <= 4 ? n : std::max<int64_t>(4, 24576 / w.row_bytes / 4 * 4); // stays in the nearest cache
    for (int64_t j = 0; j < n; j += band) {
        int64_t part = std::min(band, n - j);
        int64_t i = some_rows<BITS, WIDE, ASYMMETRIC, true>(x, m, w, row + j, part, out + j, out_step);
        while (i < m) i += some_rows<BITS, WIDE, ASYMMETRIC, false>(x + i, m - i, w, row + j, part, out + i * out_step + j, out_step);
    }
}

template <int BITS> void dots(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    if (w.wide_scale && w.zero) all_rows<BITS, true, true>(x, m, w, row, n, out, out_step);
    else if (w.wide_scale) all_rows<BITS, true, false>(x, m, w, row, n, out, out_step);
    else if (w.zero) all_rows<BITS, false, true>(x, m, w, row, n, out, out_step);
    else all_rows<BITS, false, false>(x, m, w, row, n, out, out_step);
}

#include "quantise_row.inl"

} // namespace

void avx512_dots_int4(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) { dots<4>(x, m, w, row, n, out, out_step); }
void avx512_dots_int8(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) { dots<8>(x, m, w, row, n, out, out_step); }
void avx512_quantise_row(const float *x, int64_t columns, int bits, int8_t *value, float *scale, int32_t *sum) { quantise_row(x, columns, bits, value, scale, sum); }

} // namespace axk1
#endif
