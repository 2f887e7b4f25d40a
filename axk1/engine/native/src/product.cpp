#include <stdexcept>

#include "model.h"

namespace axk1 {

template <class W> static const W *row(const axk1_matrix &w, int64_t n) { return static_cast<const W *>(w.data) + n * w.in; }

void product(const Kernels &k, const axk1_matrix &w, const float *const *x, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step) {
    int64_t n = last - first;
    if (w.format == AXK1_F32) k.dots_f32(x, m, row<float>(w, first), w.in, n, w.in, out + first, out_step);
    else if (w.format == AXK1_F16) k.dots_f16(x, m, row<f16>(w, first), w.in, n, w.in, out + first, out_step);
    else k.dots_f32_bf16(x, m, row<bf16>(w, first), w.in, n, w.in, out + first, out_step);
}

void product(const Kernels &k, const axk1_matrix &w, const bf16 *const *x, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step) {
    k.dots_bf16(x, m, row<bf16>(w, first), w.in, last - first, w.in, out + first, out_step);
}

// Rows of a piece: some 64 KiB of weights, so that a piece is worth a thread's while and there are enough of them.
static int64_t piece_rows(const axk1_matrix &w) {
    int64_t rows = 65536 / (int64_t(w.in) * 2) / 8 * 8;
    return rows < 8 ? 8 : rows > 64 ? 64 : rows;
}

template <class E> void products(Pool &pool, const std::vector<Product<E>> &list) {
    const Kernels &k = kernels();
    int64_t pieces = 0;
    for (auto &one : list) pieces += (one.weight->out + piece_rows(*one.weight) - 1) / piece_rows(*one.weight);
    pool.each(pieces, [&](int64_t i) {
        for (auto &one : list) {
            int64_t rows = piece_rows(*one.weight), own = (one.weight->out + rows - 1) / rows;
            if (i < own) {
                int64_t last = (i + 1) * rows < one.weight->out ? (i + 1) * rows : one.weight->out;
                product(k, *one.weight, one.x->data(), one.x->size(), i * rows, last, one.out, one.out_step);
                return;
            }
            i -= own;
        }
    });
}
template void products<float>(Pool &, const std::vector<Product<float>> &);
template void products<bf16>(Pool &, const std::vector<Product<bf16>> &);

} // namespace axk1
