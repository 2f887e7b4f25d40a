// AVX2 with FMA and F16C: eight floats a vector, sixteen vectors. Matrices are read as they lie; panels are in a file of their own.
#if defined(__x86_64__)
#include "kernels.h" // before the pragma: its inline functions may be the whole library's
#pragma GCC target("avx2,fma,f16c")
#include <immintrin.h>

namespace axk1 {
namespace {

#include "quantise_row.inl"
#include "rows.inl"

using Floats = __m256;
using Ints = __m256i;
constexpr int64_t WIDTH = 8;
constexpr int columns(int m) { return m >= 4 ? 2 : m == 2 ? 4 : 8; }
constexpr int integer_columns(int m) { return m == 1 ? 4 : 2; }

inline Floats zeros() { return _mm256_setzero_ps(); }
inline Floats everywhere(float x) { return _mm256_set1_ps(x); }
inline Floats load(const float *p) { return _mm256_loadu_ps(p); }
inline void store(float *p, Floats v) { _mm256_storeu_ps(p, v); }
inline Floats multiply_add(Floats sum, Floats a, Floats b) { return _mm256_fmadd_ps(a, b, sum); }
inline Floats widened(const float *p) { return load(p); }
inline Floats widened(const bf16 *p) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16)); }

inline void totals(Floats a, Floats b, Floats c, Floats d, float *to) {
    Floats all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    _mm_storeu_ps(to, _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1)));
}

inline Ints load_ints(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }

struct F32 {
    using X = float;
    using W = float;
    using Vector = Floats;
    static constexpr int STEP = 16, PARTS = 2;
    static Vector load_x(const float *p, int part) { return load(p + part * 8); }
    static Vector load_w(const float *p, int part) { return load(p + part * 8); }
    static Floats add(Floats sum, Vector x, Vector w) { return multiply_add(sum, x, w); }
};

struct F16 : F32 {
    using W = f16;
    static constexpr int STEP = 32, PARTS = 4;
    static Vector load_w(const f16 *p, int part) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + part * 8))); }
};

struct F32Bf16 : F32 {
    using W = bf16;
    static constexpr int STEP = 32, PARTS = 4;
    static Vector load_w(const bf16 *p, int part) { return widened(p + part * 8); }
};

struct Bf16 : F32 { // the even columns of sixteen are a part, the odd ones the next
    using X = bf16;
    using W = bf16;
    static constexpr int STEP = 32, PARTS = 4;
    static Vector load_x(const bf16 *p, int part) {
        Ints both = load_ints(p + part / 2 * 16);
        return _mm256_castsi256_ps(part % 2 ? _mm256_and_si256(both, _mm256_set1_epi32(int(0xffff0000))) : _mm256_slli_epi32(both, 16));
    }
    static Vector load_w(const bf16 *p, int part) { return load_x(p, part); }
};

inline Floats times(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
inline Floats halves(Floats a, Floats b) { return _mm256_blend_ps(a, b, 0xf0); }
inline Floats bf16_everywhere(const bf16 *p) { return _mm256_castsi256_ps(_mm256_and_si256(_mm256_set1_epi16(short(*p)), _mm256_set1_epi32(int(0xffff0000)))); }

struct Part { // eight lanes of a block
    static constexpr int PARTS = 2;
    static Floats sums(const int32_t *sum, int part) { return _mm256_cvtepi32_ps(load_ints(sum + part * 8)); }
    static Floats step(const float *scale, int part) { return load(scale + part * 8); }
    static Floats four_bytes(Ints two_bytes) { return _mm256_cvtepi32_ps(_mm256_madd_epi16(two_bytes, _mm256_set1_epi16(1))); }
};

struct Int4 : Part { // 4 * 15 * 127 fits in 16 bits
    static constexpr int BITS = 4, UNITS = 2, CENTRE = 0;
    Ints even, odd;
    Int4(const uint8_t *codes, int part) {
        Ints both = load_ints(codes + part * 32);
        even = _mm256_and_si256(both, _mm256_set1_epi8(15)), odd = _mm256_and_si256(_mm256_srli_epi16(both, 4), _mm256_set1_epi8(15));
    }
    Floats dot(const int8_t *x, int part) const {
        Ints low = _mm256_maddubs_epi16(even, load_ints(x + part * 32)), high = _mm256_maddubs_epi16(odd, load_ints(x + 64 + part * 32));
        return four_bytes(_mm256_add_epi16(low, high));
    }
};

struct Int8 : Part { // as |code - 128| times x with its sign: 2 * 128 * 127 fits in 16 bits, which 2 * 255 * 127 does not
    static constexpr int BITS = 8, UNITS = 1, CENTRE = 128;
    Ints code, size;
    Int8(const uint8_t *codes, int part) : code(_mm256_xor_si256(load_ints(codes + part * 32), _mm256_set1_epi8(-128))), size(_mm256_abs_epi8(code)) {}
    Floats dot(const int8_t *x, int part) const {
        return four_bytes(_mm256_maddubs_epi16(size, _mm256_sign_epi8(load_ints(x + part * 32), code)));
    }
};

#include "plain_tiles.inl"

#include "integer_tiles.inl"

template <int BITS> inline void decode_unit(const uint8_t *codes, float scale, float zero, float *to) {
    __m128i first = _mm_loadu_si128((const __m128i *)codes), second;
    if (BITS == 4) {
        const __m128i nibble = _mm_set1_epi8(15);
        __m128i even = _mm_and_si128(first, nibble), odd = _mm_and_si128(_mm_srli_epi16(first, 4), nibble);
        first = _mm_unpacklo_epi8(even, odd), second = _mm_unpackhi_epi8(even, odd);
    } else
        second = _mm_loadu_si128((const __m128i *)(codes + 16));
    const __m128i eight[4] = {first, _mm_srli_si128(first, 8), second, _mm_srli_si128(second, 8)};
    #pragma GCC unroll 4
    for (int i = 0; i < 4; i++) store(to + i * 8, times(_mm256_sub_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eight[i])), everywhere(zero)), everywhere(scale)));
}

#include "integer_mix.inl"

} // namespace

extern const PanelKernels avx2_panel_kernels; // in avx2_panel.cpp

const Kernels avx2_kernels = {
    "avx2", dots<F32>, dots<F16>, dots<F32Bf16>, dots<Bf16>, mix<float>, mix<bf16>, row_to_bf16, rms_norm, swiglu, exp_sum, largest, scale, add,
    {int_dots<Int4>, int_dots<Int8>, int_mix<4>, int_mix<8>, quantise_row}, &avx2_panel_kernels,
};

} // namespace axk1
#endif
