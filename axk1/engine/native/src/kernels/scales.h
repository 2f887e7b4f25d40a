// Scales and zero points of integer weights in the lanes of a vector; included behind the target pragma of AVX-512.
#pragma once
#include <immintrin.h>

#include "kernels.h"

namespace axk1 {

// The values of a row of groups, a lane each, for block b. `lanes` share one: 4, 8 or 16.
static inline __m512i spread(__m512i values, int64_t lanes) {
    const __m512i four = _mm512_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
    const __m512i eight = _mm512_setr_epi32(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    return _mm512_permutexvar_epi32(lanes == 4 ? four : lanes == 8 ? eight : _mm512_setzero_si512(), values);
}

template <bool WIDE> static inline __m512 scales(const IntMatrix &w, int64_t row, int64_t first, int64_t count, int64_t lanes) {
    __mmask16 own = (__mmask16)((1u << count) - 1);
    int64_t at = row * w.groups + first;
    if (WIDE) return _mm512_castsi512_ps(spread(_mm512_maskz_loadu_epi32(own, (const float *)w.scale + at), lanes));
    __m128i narrow = _mm_maskz_loadu_epi16((__mmask8)own, (const bf16 *)w.scale + at);
    return _mm512_castsi512_ps(spread(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_castsi128_si256(narrow)), 16), lanes));
}

static inline __m512i zeros(const IntMatrix &w, int64_t row, int64_t first, int64_t count, int64_t lanes) {
    __m128i narrow = _mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), w.zero + row * w.groups + first);
    return spread(_mm512_cvtepu8_epi32(narrow), lanes);
}

} // namespace axk1
