#include <algorithm>

#include "model.h"

namespace axk1 {

static const float *narrowed(const Kernels &, const float *x, int64_t, float *) { return x; }
static const bf16 *narrowed(const Kernels &k, const float *x, int64_t n, bf16 *to) {
    k.to_bf16(x, n, to);
    return to;
}

template <class E> void Rows<E>::set(const Kernels &k, int64_t i, const float *row, int64_t columns, E *narrow) {
    exact[i] = row;
    at[i] = narrowed(k, row, columns, narrow);
}

template <class E> void Rows<E>::pick(const Rows &from, const std::vector<int32_t> &which) {
    resize(int64_t(which.size()));
    if (!from.four.empty()) four.resize(which.size());
    if (!from.eight.empty()) eight.resize(which.size());
    for (size_t i = 0; i < which.size(); i++) {
        exact[i] = from.exact[which[i]], at[i] = from.at[which[i]];
        if (!four.empty()) four[i] = from.four[which[i]];
        if (!eight.empty()) eight[i] = from.eight[which[i]];
    }
}

template <class E> void Rows<E>::ready(Pool &pool, const axk1_matrix &w) {
    if (w.format == AXK1_INT4 && four.empty()) quantise(pool, w.in, 4, four);
    if (w.format == AXK1_INT8 && eight.empty()) quantise(pool, w.in, 8, eight);
}

template <class E> void Rows<E>::quantise(Pool &pool, int64_t columns, int bits, std::vector<IntRow> &rows) {
    const Kernels &k = kernels();
    int which = bits == 4 ? 0 : 1;
    int64_t n = blocks(columns, bits), wide = n * block_columns(bits);
    int8_t *values = values_[which].reserve(size() * wide);
    float *scales = scales_[which].reserve(size() * n * 16);
    int32_t *sums = sums_[which].reserve(size() * n * 16);
    rows.resize(exact.size());
    pool.each(size(), [&](int64_t i) {
        rows[i] = {values + i * wide, scales + i * n * 16, sums + i * n * 16};
        k.ints.quantise_row(exact[i], columns, bits, values + i * wide, scales + i * n * 16, sums + i * n * 16);
    });
}

template <class W> static const W *row(const axk1_matrix &w, int64_t n) { return static_cast<const W *>(w.data) + n * w.in; }

static void plain(const Kernels &k, const axk1_matrix &w, const float *const *x, int64_t m, int64_t first, int64_t n, float *out, int64_t out_step) {
    if (w.format == AXK1_F32) k.dots_f32(x, m, row<float>(w, first), w.in, n, w.in, out, out_step);
    else if (w.format == AXK1_F16) k.dots_f16(x, m, row<f16>(w, first), w.in, n, w.in, out, out_step);
    else k.dots_f32_bf16(x, m, row<bf16>(w, first), w.in, n, w.in, out, out_step);
}

static void plain(const Kernels &k, const axk1_matrix &w, const bf16 *const *x, int64_t m, int64_t first, int64_t n, float *out, int64_t out_step) {
    k.dots_bf16(x, m, row<bf16>(w, first), w.in, n, w.in, out, out_step);
}

static IntMatrix integers(const axk1_matrix &w) {
    int bits = w.format == AXK1_INT4 ? 4 : 8;
    bool whole = w.group >= w.in; // one scale a row: never another one, however long the padding
    int64_t group = whole ? int64_t(1) << 40 : w.group;
    return {static_cast<const uint8_t *>(w.data), w.scale, w.zero, (int64_t(w.in) * bits + 31) / 32 * 4, w.in, group, whole ? 1 : w.in / w.group, w.scale_format == AXK1_F32};
}

template <class E>
void product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step) {
    if (m == 0) return; // kernels take at least one row
    if (w.format == AXK1_INT4) k.ints.dots_int4(x.four.data() + start, m, integers(w), first, last - first, out + first, out_step);
    else if (w.format == AXK1_INT8) k.ints.dots_int8(x.eight.data() + start, m, integers(w), first, last - first, out + first, out_step);
    else plain(k, w, x.at.data() + start, m, first, last - first, out + first, out_step);
}

static int64_t row_bytes(const axk1_matrix &w) {
    static const int64_t bits[] = {32, 16, 16, 4, 8};
    return int64_t(w.in) * bits[w.format] / 8 + 1;
}

// Rows of a piece: some 64 KiB of weights, so that a piece is worth a thread's while and there are enough of them.
static int64_t piece_rows(const axk1_matrix &w) {
    int64_t rows = 65536 / row_bytes(w) / 8 * 8;
    return std::clamp<int64_t>(rows, 8, 128);
}

template <class E> void products(Pool &pool, const std::vector<Product<E>> &list) {
    const Kernels &k = kernels();
    int64_t pieces = 0;
    for (auto &one : list) {
        if (one.x->size() == 0) return; // nobody's output is wanted
        one.x->ready(pool, *one.weight);
        pieces += (one.weight->out + piece_rows(*one.weight) - 1) / piece_rows(*one.weight);
    }
    pool.each(pieces, [&](int64_t i) {
        for (auto &one : list) {
            int64_t rows = piece_rows(*one.weight), own = (one.weight->out + rows - 1) / rows;
            if (i < own) {
                int64_t last = std::min<int64_t>((i + 1) * rows, one.weight->out);
                product(k, *one.weight, *one.x, 0, one.x->size(), i * rows, last, one.out, one.out_step);
                return;
            }
            i -= own;
        }
    });
}

template class Rows<float>;
template class Rows<bf16>;
template void products<float>(Pool &, const std::vector<Product<float>> &);
template void products<bf16>(Pool &, const std::vector<Product<bf16>> &);
template void product<float>(const Kernels &, const axk1_matrix &, const Rows<float> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t);
template void product<bf16>(const Kernels &, const axk1_matrix &, const Rows<bf16> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t);

} // namespace axk1
