#include <algorithm>

#include "model.h"

namespace axk1 {

static const float *narrowed(const Kernels &, const float *x, int64_t, float *) { return x; }
static const bf16 *narrowed(const Kernels &k, const float *x, int64_t n, bf16 *to) {
    k.to_bf16(x, n, to);
    return to;
}

template <class E> void Rows<E>::resize(const std::vector<uint8_t> &which) {
    prompt = which;
    exact.assign(prompt.size(), nullptr), at.assign(prompt.size(), nullptr);
    for (auto &list : lanes) list.clear();
    for (auto &list : steps) list.clear();
}

template <class E> void Rows<E>::set(const Kernels &k, int64_t i, const float *row, int64_t columns, E *narrow) {
    exact[i] = row;
    at[i] = narrowed(k, row, columns, narrow);
}

template <class E> void Rows<E>::pick(const Rows &from, const std::vector<int32_t> &which) {
    auto chosen = [&](auto &to, const auto &list) {
        to.resize(list.empty() ? 0 : which.size());
        for (size_t i = 0; i < to.size(); i++) to[i] = list[which[i]];
    };
    chosen(exact, from.exact), chosen(at, from.at), chosen(prompt, from.prompt);
    for (int f = 0; f < 4; f++) chosen(lanes[f], from.lanes[f]), chosen(steps[f], from.steps[f]);
}

template <class E> void Rows<E>::ready(Pool &pool, const axk1_matrix &w) {
    if (!make_room(w)) return;
    const Kernels &k = kernels();
    pool.each(size(), [&](int64_t i) { quantise(k, i, w); });
}

// What a row in int8 takes, by lanes and by steps.
struct RowSizes {
    explicit RowSizes(const axk1_matrix &w) : bits(bits_of(w)), step(step_of(form(w))), steps((w.in + step - 1) / step), lanes(blocks(w.in, bits) * 16), values(blocks(w.in, bits) * block_columns(bits)) {}
    int bits;
    int64_t step, steps, lanes, values;
};

template <class E> bool Rows<E>::make_room(const axk1_matrix &w) {
    if (!is_integer(w) || !lanes[form(w)].empty()) return false;
    int f = form(w);
    RowSizes row(w);
    values_[f].reserve(size() * row.values), panel_values_[f].reserve(size() * row.steps * row.step);
    scales_[f].reserve(size() * row.lanes), panel_scales_[f].reserve(size() * row.steps * 2);
    sums_[f].reserve(size() * row.lanes);
    lanes[f].resize(exact.size()), steps[f].resize(exact.size());
    return true;
}

template <class E> void Rows<E>::quantise(const Kernels &k, int64_t i, const axk1_matrix &w) {
    int f = form(w);
    RowSizes row(w);
    if (prompt[i] && k.panel) {
        int8_t *value = panel_values_[f].get() + i * row.steps * row.step;
        float *scale = panel_scales_[f].get() + i * row.steps * 2, *offset = scale + row.steps;
        steps[f][i] = {value, scale, offset};
        k.panel->quantise(exact[i], w.in, row.bits, row.step, value, scale, offset);
    } else {
        int8_t *value = values_[f].get() + i * row.values;
        float *scale = scales_[f].get() + i * row.lanes;
        int32_t *sum = sums_[f].get() + i * row.lanes;
        lanes[f][i] = {value, scale, sum};
        k.ints.quantise_row(exact[i], w.in, row.bits, value, scale, sum);
    }
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

template <class E>
static void row_product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step) {
    if (w.format == AXK1_INT4) k.ints.dots_int4(x.lanes[form(w)].data() + start, m, integers(w), first, last - first, out + first, out_step);
    else if (w.format == AXK1_INT8) k.ints.dots_int8(x.lanes[form(w)].data() + start, m, integers(w), first, last - first, out + first, out_step);
    else plain(k, w, x.at.data() + start, m, first, last - first, out + first, out_step);
}

void fetch_beginning(const axk1_matrix &w, int64_t row) {
    constexpr int64_t BYTES = 8192;
    int64_t step = bytes_of_row(w);
    const uint8_t *from = static_cast<const uint8_t *>(w.data) + row * step;
    for (int64_t at = 0; at < std::min(BYTES, (w.out - row) * step); at += 64) __builtin_prefetch(from + at, 0, 2);
}

template <class E>
void product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step, const Next &next) {
    bool panels = turns<E>(k, w), some = false;
    if (next.weight && (next.weight != &w || next.row != last) && !(panels && x.prompt[start])) fetch_beginning(*next.weight, next.row);
    for (int64_t i = 0, count; i < m; i += count) {
        count = x.alike(start + i, start + m);
        if (panels && x.prompt[start + i]) some = true;
        else row_product(k, w, x, start + i, count, first, last, out + i * out_step, out_step);
    }
    if (some) panel_product(k, w, x, start, m, first, last, out, out_step, next);
}

// Rows of a piece: a panel for prompts, else some 64 KiB of weights, so that a piece is worth a thread's while and there are enough of them.
static int64_t piece_rows(const axk1_matrix &w, bool prompt) {
    if (prompt) return PANEL;
    int64_t rows = 65536 / std::max<int64_t>(bytes_of_row(w), 1) / 8 * 8;
    return std::clamp<int64_t>(rows, 8, 128);
}

template <class E> void products(Pool &pool, const std::vector<Product<E>> &list) {
    const Kernels &k = kernels();
    std::vector<int64_t> rows, ends; // of a piece, and how many pieces there are up to this product's last
    for (auto &one : list) {
        if (one.x->size() == 0) return; // nobody's output is wanted
        one.x->ready(pool, *one.weight);
        bool prompt = std::find(one.x->prompt.begin(), one.x->prompt.end(), 1) != one.x->prompt.end();
        rows.push_back(piece_rows(*one.weight, prompt && turns<E>(k, *one.weight)));
        ends.push_back((ends.empty() ? 0 : ends.back()) + (one.weight->out + rows.back() - 1) / rows.back());
    }
    auto place = [&](int64_t i) { // which product, and its first row
        size_t which = size_t(std::upper_bound(ends.begin(), ends.end(), i) - ends.begin());
        return std::pair<size_t, int64_t>(which, which < list.size() ? (i - (which ? ends[which - 1] : 0)) * rows[which] : 0);
    };
    pool.each(ends.back(), [&](int64_t i) {
        auto [which, first] = place(i);
        auto [later, row] = place(i + 1);
        const Product<E> &one = list[which];
        int64_t last = std::min<int64_t>(first + rows[which], one.weight->out);
        product(k, *one.weight, *one.x, 0, one.x->size(), first, last, one.out, one.out_step, later < list.size() ? Next{list[later].weight, row} : Next());
    });
}

template class Rows<float>;
template class Rows<bf16>;
template void products<float>(Pool &, const std::vector<Product<float>> &);
template void products<bf16>(Pool &, const std::vector<Product<bf16>> &);
template void product<float>(const Kernels &, const axk1_matrix &, const Rows<float> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t, const Next &);
template void product<bf16>(const Kernels &, const axk1_matrix &, const Rows<bf16> &, int64_t, int64_t, int64_t, int64_t, float *, int64_t, const Next &);

} // namespace axk1
