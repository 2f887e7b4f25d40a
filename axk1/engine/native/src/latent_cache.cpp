// Cells of the latent cache: rounding when a token is stored, widening whenever it is read. The loops are plain, and
// compiled once more for the wider vectors that most CPUs have; all give the same bits.
#include "latent_cache.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "softmax.h"

namespace axk1 {

// codes = x / scale, halves away from zero. A group that is not finite stays so, to be found in the output.
static float to_codes(const float *x, int64_t n, int8_t *codes) {
    float most = 0;
    bool finite = true;
    for (int64_t i = 0; i < n; i++) {
        float size = std::fabs(x[i]);
        most = std::max(most, size);
        finite &= size <= std::numeric_limits<float>::max();
    }
    float inverse = finite && most > 0 ? 127.0f / most : 0.0f;
    for (int64_t i = 0; i < n; i++) {
        float code = finite ? x[i] * inverse : 0.0f;
        codes[i] = int8_t(int32_t(code + (code < 0 ? -0.5f : 0.5f)));
    }
    return finite ? most / 127.0f : std::numeric_limits<float>::quiet_NaN();
}

// bf16 rounded to nearest, halves away from zero: fewer instructions than to even. Not-a-number stays one.
static inline void put(float x, float *to) { *to = x; }
static inline void put(float x, bf16 *to) {
    union { float value; uint32_t bits; } u{x};
    *to = bf16((u.bits + 0x8000) >> 16);
}

template <class E> __attribute__((always_inline)) static inline void widen_group(const int8_t *codes, int64_t n, float scale, E *to) {
#pragma GCC ivdep // rows and cells are apart
    for (int64_t j = 0; j < n; j++) put(float(codes[j]) * scale, to + j);
}

template <class E> __attribute__((always_inline)) static inline void widen_cells(const uint8_t *cell, int64_t n, CellShape shape, E *to) {
    for (int64_t i = 0; i < n; i++, cell += shape.bytes(), to += shape.rank + shape.rope) {
        auto codes = reinterpret_cast<const int8_t *>(cell);
        auto scales = reinterpret_cast<const float *>(cell + shape.scales_at());
        int64_t whole = shape.rank / LATENT_GROUP, rest = shape.rank % LATENT_GROUP;
        for (int64_t g = 0; g < whole; g++) widen_group(codes + g * LATENT_GROUP, LATENT_GROUP, scales[g], to + g * LATENT_GROUP);
        if (rest) widen_group(codes + whole * LATENT_GROUP, rest, scales[whole], to + whole * LATENT_GROUP);
        widen(reinterpret_cast<const bf16 *>(cell + shape.key_at()), shape.rope, to + shape.rank);
    }
}

template <class E> static void widen_plainly(const uint8_t *cell, int64_t n, CellShape shape, E *to) { widen_cells(cell, n, shape, to); }

#if defined(__x86_64__)
template <class E> __attribute__((target("avx2"))) static void widen_by_avx2(const uint8_t *cell, int64_t n, CellShape shape, E *to) { widen_cells(cell, n, shape, to); }
template <class E> __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq"))) static void widen_by_avx512(const uint8_t *cell, int64_t n, CellShape shape, E *to) {
    widen_cells(cell, n, shape, to);
}
#endif

template <class E> static Widen<E> widening([[maybe_unused]] const Kernels &k) {
#if defined(__x86_64__)
    if (&k == &avx512_kernels) return widen_by_avx512<E>;
    if (&k == &avx2_kernels) return widen_by_avx2<E>;
#endif
    return widen_plainly<E>;
}

template <class E>
LatentCache<E>::LatentCache(int64_t layers, int64_t slots, int64_t rank, int64_t rope, bool in_cells)
    : slots_(slots), width_(rank + rope), shape_{rank, rope}, in_cells_(in_cells), widen_(widening<E>(kernels())) {
    if (in_cells) cells_.reserve(layers * slots * shape_.bytes());
    else plain_.reserve(layers * slots * width_);
}

template <class E> void LatentCache<E>::store(const Kernels &k, int64_t layer, int64_t slot, const float *latent) {
    int64_t at = layer * slots_ + slot, rank = shape_.rank;
    if (!in_cells_) return narrow(k, latent, width_, plain_.get() + at * width_);
    uint8_t *cell = cells_.get() + at * shape_.bytes();
    auto scales = reinterpret_cast<float *>(cell + shape_.scales_at());
    for (int64_t g = 0, first = 0; first < rank; g++, first += LATENT_GROUP)
        scales[g] = to_codes(latent + first, std::min(LATENT_GROUP, rank - first), reinterpret_cast<int8_t *>(cell) + first);
    k.to_bf16(latent + rank, shape_.rope, reinterpret_cast<bf16 *>(cell + shape_.key_at()));
}

template <class E> const E *LatentCache<E>::rows(int64_t layer, int64_t slot, int64_t n, E *scratch) const {
    int64_t at = layer * slots_ + slot;
    if (!in_cells_) return plain_.get() + at * width_;
    widen_(cells_.get() + at * shape_.bytes(), n, shape_, scratch);
    return scratch;
}

template class LatentCache<float>;
template class LatentCache<bf16>;

} // namespace axk1
