// What attention remembers: of every token and layer the normed latent [L] and the rotated key [R] that all heads share.
// In E, the type of activations, or in cells: the latent in int8 with a scale per LATENT_GROUP values, the key, whose
// few numbers decide where heads look, in bf16. Positions of a block lie one after the other.
#pragma once
#include <algorithm>

#include "model.h"

namespace axk1 {

inline void widen(const float *x, int64_t n, float *to) { std::copy_n(x, n, to); }
inline void widen(const bf16 *x, int64_t n, float *to) {
    for (int64_t i = 0; i < n; i++) to[i] = from_bf16(x[i]);
}
inline void widen(const bf16 *x, int64_t n, bf16 *to) { std::copy_n(x, n, to); }

constexpr int64_t LATENT_GROUP = 64;

// A cell: codes [L], padded to 4 bytes, scales [G] float32, key [R] bf16, padded to 4 bytes.
struct CellShape {
    int64_t rank, rope;
    int64_t groups() const { return (rank + LATENT_GROUP - 1) / LATENT_GROUP; }
    int64_t scales_at() const { return (rank + 3) / 4 * 4; }
    int64_t key_at() const { return scales_at() + 4 * groups(); }
    int64_t bytes() const { return (key_at() + 2 * rope + 3) / 4 * 4; }
};

// n cells as rows [n, L + R].
template <class E> using Widen = void (*)(const uint8_t *cell, int64_t n, CellShape shape, E *to);

template <class E> class LatentCache {
  public:
    LatentCache(int64_t layers, int64_t slots, int64_t rank, int64_t rope, bool in_cells);
    // Of a token: [L + R], from now on what the slot holds.
    void store(const Kernels &k, int64_t layer, int64_t slot, const float *latent);
    // n slots from this one on, as rows [n, L + R]: where they lie or, from cells, widened to `scratch`,
    // which has room(n) elements.
    const E *rows(int64_t layer, int64_t slot, int64_t n, E *scratch) const;
    int64_t room(int64_t n) const { return in_cells_ ? n * width_ : 0; }
    int64_t bytes() const { return plain_.bytes() + cells_.bytes(); }

  private:
    int64_t slots_, width_;
    CellShape shape_;
    bool in_cells_;
    Widen<E> widen_;
    Buffer<E> plain_;
    Buffer<uint8_t> cells_;
};

} // namespace axk1
