// The feed-forward of a layer: one dense SwiGLU, or routed experts beside a shared one (DeepSeek-V3, arXiv 2412.19437,
// section 2.1.2). Tokens are grouped by expert; an expert's weights are read once for all of its tokens.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "forward.h"

namespace axk1 {

template <class E> void Forward<E>::feed_forward(const axk1_layer &layer, int index, int64_t n) {
    normed(layer.post_attention_norm, n);
    if (layer.router) route(layer, n);
    group(layer.router ? n : 0);
    inner(layer, index);
    outer(layer, index);
    combine(layer, n);
}

template <class E> void Forward<E>::route(const axk1_layer &layer, int64_t n) {
    axk1_matrix router{layer.router, AXK1_F32, spec.experts, spec.hidden, 0};
    Rows<float> exact;
    for (int64_t t = 0; t < n; t++) exact.at.push_back(normed_.get() + t * spec.hidden);
    float *scores = scores_.reserve(n * spec.experts);
    products<float>(pool, {{&router, &exact, scores, spec.experts}});
    chosen_.resize(size_t(n * spec.experts_per_token));
    gate_.resize(chosen_.size());
    for (int64_t t = 0; t < n; t++) choose(layer.selection_bias, t);
}

// The best experts by score + bias among the groups whose two best add up to most; the gate value knows no bias.
template <class E> void Forward<E>::choose(const float *bias, int64_t token) {
    int64_t e = spec.experts, k = spec.experts_per_token, size = e / spec.groups;
    float *score = scores_.get() + token * e;
    std::vector<float> biased(static_cast<size_t>(e));
    for (int64_t i = 0; i < e; i++) {
        score[i] = 1.0f / (1.0f + std::exp(-score[i]));
        biased[i] = score[i] + (bias ? bias[i] : 0.0f);
    }
    if (spec.groups_kept < spec.groups) {
        std::vector<std::pair<float, int64_t>> group;
        for (int64_t g = 0; g < spec.groups; g++) {
            float best = -INFINITY, second = -INFINITY;
            for (int64_t i = g * size; i < (g + 1) * size; i++)
                if (biased[i] > best) second = best, best = biased[i];
                else second = std::max(second, biased[i]);
            group.push_back({best + second, g});
        }
        std::partial_sort(group.begin(), group.begin() + spec.groups_kept, group.end(), [](auto &a, auto &b) { return a.first > b.first; });
        for (int64_t r = spec.groups_kept; r < spec.groups; r++)
            std::fill_n(biased.begin() + group[r].second * size, size, -std::numeric_limits<float>::infinity());
    }
    std::vector<int32_t> order(static_cast<size_t>(e));
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + k, order.end(), [&](int32_t a, int32_t b) { return biased[a] > biased[b] || (biased[a] == biased[b] && a < b); });
    float total = 1e-20f;
    for (int64_t i = 0; i < k; i++) total += score[order[i]];
    for (int64_t i = 0; i < k; i++) {
        chosen_[token * k + i] = order[i];
        gate_[token * k + i] = score[order[i]] / (spec.normalise_weights ? total : 1.0f) * spec.routed_scale;
    }
}

// Pairs of tokens and experts, sorted by expert; behind them, one pair a token for the shared (or dense) feed-forward.
template <class E> void Forward<E>::group(int64_t n) {
    int64_t k = spec.experts_per_token, pairs = n * k;
    first_pair_.assign(size_t(spec.experts) + 1, 0);
    for (int64_t i = 0; i < pairs; i++) first_pair_[chosen_[i] + 1]++;
    busy_.clear();
    for (int32_t e = 0; e < spec.experts; e++) {
        if (first_pair_[e + 1]) busy_.push_back(e);
        first_pair_[e + 1] += first_pair_[e];
    }
    std::vector<int32_t> next(first_pair_.begin(), first_pair_.end() - 1);
    pair_of_.resize(size_t(pairs));
    pair_rows_.resize(size_t(pairs) + rows_.at.size());
    for (int64_t i = 0; i < pairs; i++) {
        pair_of_[i] = next[chosen_[i]]++;
        pair_rows_[pair_of_[i]] = rows_.at[i / k];
    }
    std::copy(rows_.at.begin(), rows_.at.end(), pair_rows_.begin() + pairs);
}

static constexpr int64_t INNER_ROWS = 32, OUTER_ROWS = 64; // rows of gate and up, and of down, that make a piece

// Runs body(matrices, first pair, pairs, first row, last row) over the experts that have tokens and the shared one.
template <class Body>
static void over(Pool &pool, const std::vector<int32_t> &busy, const std::vector<int32_t> &first, const axk1_matrix *experts, const axk1_matrix *shared,
                 int64_t pairs, int64_t tokens, int which, int64_t rows, Body body) {
    int64_t own = experts ? (experts[which].out + rows - 1) / rows : 0, common = (shared[which].out + rows - 1) / rows;
    int64_t routed = int64_t(busy.size()) * own;
    pool.each(routed + common, [&](int64_t i) {
        bool is_shared = i >= routed;
        int64_t e = is_shared ? 0 : busy[i / own], at = (is_shared ? i - routed : i % own) * rows;
        const axk1_matrix *three = is_shared ? shared : experts + 3 * e;
        int64_t start = is_shared ? pairs : first[e], count = is_shared ? tokens : first[e + 1] - start;
        body(three, start, count, at, std::min<int64_t>(at + rows, three[which].out));
    });
}

// hidden_ [pairs, F of the widest]: silu(gate x) * (up x).
template <class E> void Forward<E>::inner(const axk1_layer &layer, int index) {
    const Kernels &k = kernels();
    const axk1_matrix *own = layer.router ? experts[index].data() : nullptr, shared[3] = {layer.gate, layer.up, layer.down};
    int64_t n = int64_t(rows_.at.size()), pairs = layer.router ? n * spec.experts_per_token : 0;
    int64_t wide = std::max<int64_t>(layer.gate.out, own ? own[0].out : 0);
    float *hidden = hidden_.reserve((pairs + n) * wide);
    E *narrow = hidden_e_.reserve((pairs + n) * wide);
    over(pool, busy_, first_pair_, own, shared, pairs, n, 0, INNER_ROWS, [&](const axk1_matrix *three, int64_t start, int64_t count, int64_t first, int64_t last) {
        thread_local std::vector<float> scratch;
        scratch.resize(size_t(2 * count * INNER_ROWS));
        float *gate = scratch.data() - first, *up = gate + count * INNER_ROWS;
        product(k, three[0], pair_rows_.data() + start, count, first, last, gate, INNER_ROWS);
        product(k, three[1], pair_rows_.data() + start, count, first, last, up, INNER_ROWS);
        for (int64_t i = 0; i < count; i++) {
            int64_t at = (start + i) * wide + first;
            k.swiglu(gate + i * INNER_ROWS + first, up + i * INNER_ROWS + first, last - first, hidden + at);
            converted(k, hidden + at, last - first, narrow + at);
        }
    });
    hidden_rows_.resize(size_t(pairs + n));
    for (int64_t p = 0; p < pairs + n; p++) hidden_rows_[p] = sizeof(E) == 4 ? reinterpret_cast<const E *>(hidden + p * wide) : narrow + p * wide;
}

// out_ [pairs, D].
template <class E> void Forward<E>::outer(const axk1_layer &layer, int index) {
    const Kernels &k = kernels();
    const axk1_matrix *own = layer.router ? experts[index].data() : nullptr, shared[3] = {layer.gate, layer.up, layer.down};
    int64_t n = int64_t(rows_.at.size()), pairs = layer.router ? n * spec.experts_per_token : 0, d = spec.hidden;
    float *out = out_.reserve((pairs + n) * d);
    over(pool, busy_, first_pair_, own, shared, pairs, n, 2, OUTER_ROWS, [&](const axk1_matrix *three, int64_t start, int64_t count, int64_t first, int64_t last) {
        product(k, three[2], hidden_rows_.data() + start, count, first, last, out + start * d, d);
    });
}

// The weighted sum of a token's experts and the shared one, normed in A.X K1, onto the residual stream.
template <class E> void Forward<E>::combine(const axk1_layer &layer, int64_t n) {
    const Kernels &k = kernels();
    int64_t d = spec.hidden, per = spec.experts_per_token, pairs = layer.router ? n * per : 0;
    pool.each(n, [&](int64_t t) {
        float *sum = out_.get() + (pairs + t) * d;
        for (int64_t i = 0; layer.router && i < per; i++) k.add(sum, out_.get() + int64_t(pair_of_[t * per + i]) * d, d, gate_[t * per + i]);
        if (layer.post_mlp_norm) k.rms_norm(sum, layer.post_mlp_norm, d, spec.norm_eps, sum);
        k.add(x_.get() + t * d, sum, d, 1.0f);
    });
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
