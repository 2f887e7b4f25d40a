// The feed-forward of a layer: one dense SwiGLU, or routed experts beside a shared one (DeepSeek-V3, arXiv 2412.19437,
// section 2.1.2). Tokens are grouped by expert; an expert's weights are read once for all of its tokens.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "forward.h"

namespace axk1 {

template <class E> void Forward<E>::feed_forward(const axk1_layer &layer, int index, int64_t n) {
    const axk1_matrix *own = layer.router ? experts[index].data() : nullptr;
    normed(layer.post_attention_norm, n);
    if (own) route(layer, n);
    for (const axk1_matrix *one : {own, own ? own + 1 : nullptr, &layer.gate, &layer.up})
        if (one) rows_.ready(pool, *one);
    group(own ? n : 0);
    inner(layer, own, n);
    outer(layer, own, n);
    combine(layer, n);
}

template <class E> void Forward<E>::route(const axk1_layer &layer, int64_t n) {
    axk1_matrix router{};
    router.data = layer.router, router.out = spec.experts, router.in = spec.hidden;
    exact_rows_.resize(n);
    exact_rows_.at = rows_.exact;
    float *scores = scores_.reserve(n * spec.experts);
    products<float>(pool, {{&router, &exact_rows_, scores, spec.experts}});
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

// Pairs of tokens and experts, sorted by expert.
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
    pair_token_.resize(size_t(pairs));
    for (int64_t i = 0; i < pairs; i++) {
        pair_of_[i] = next[chosen_[i]]++;
        pair_token_[pair_of_[i]] = int32_t(i / k);
    }
    pair_rows_.pick(rows_, pair_token_);
}

static constexpr int64_t INNER_ROWS = 64, OUTER_ROWS = 64; // rows of gate and up, and of down, that make a piece

// One piece of work on an expert, or on the shared one: its pairs (or all tokens) and a band of rows.
struct Piece {
    bool shared;
    const axk1_matrix *three; // gate, up, down
    int64_t start, count, first, last;
};

// body(piece, the one that this thread may get next) over the experts that have tokens, and over the shared one, `rows` rows
// of matrix `which` at a time.
template <class Body>
static void over(Pool &pool, const std::vector<int32_t> &busy, const std::vector<int32_t> &first_pair, const axk1_matrix *own, const axk1_matrix *shared,
                 int64_t tokens, int which, int64_t rows, Body body) {
    int64_t each = own ? (own[which].out + rows - 1) / rows : 0, common = (shared[which].out + rows - 1) / rows;
    int64_t routed = int64_t(busy.size()) * each;
    auto piece = [&](int64_t i) {
        bool is_shared = i >= routed;
        int64_t e = is_shared ? 0 : busy[i / each], at = (is_shared ? i - routed : i % each) * rows;
        const axk1_matrix *three = is_shared ? shared : own + 3 * e;
        int64_t start = is_shared ? 0 : first_pair[e], count = is_shared ? tokens : first_pair[e + 1] - start;
        return Piece{is_shared, three, start, count, at, std::min<int64_t>(at + rows, three[which].out)};
    };
    pool.each(routed + common, [&](int64_t i) { body(piece(i), piece(std::min(i + pool.threads(), routed + common - 1))); });
}

// routed_ and shared_: silu(gate x) * (up x) of every pair, and of every token.
template <class E> void Forward<E>::inner(const axk1_layer &layer, const axk1_matrix *own, int64_t n) {
    const Kernels &k = kernels();
    const axk1_matrix shared[3] = {layer.gate, layer.up, layer.down};
    int64_t pairs = pair_rows_.size(), wide = std::max<int64_t>(layer.gate.out, own ? own[0].out : 0);
    float *hidden = hidden_.reserve((pairs + n) * wide);
    E *narrow = hidden_e_.reserve((pairs + n) * wide);
    over(pool, busy_, first_pair_, own, shared, n, 0, INNER_ROWS, [&](const Piece &p, const Piece &later) {
        thread_local std::vector<float> scratch;
        scratch.resize(size_t(2 * p.count * INNER_ROWS));
        float *gate = scratch.data() - p.first, *up = gate + p.count * INNER_ROWS;
        const Rows<E> &x = p.shared ? rows_ : pair_rows_;
        product(k, p.three[0], x, p.start, p.count, p.first, p.last, gate, INNER_ROWS, {&p.three[1], p.first});
        product(k, p.three[1], x, p.start, p.count, p.first, p.last, up, INNER_ROWS, {&later.three[0], later.first});
        for (int64_t i = 0; i < p.count; i++) {
            int64_t at = ((p.shared ? pairs : 0) + p.start + i) * wide + p.first, from = i * INNER_ROWS + p.first;
            k.swiglu(gate + from, up + from, p.last - p.first, hidden + at);
        }
    });
    routed_.resize(pair_rows_.prompt);
    shared_.resize(rows_.prompt);
    pool.each(pairs + n, [&](int64_t i) {
        if (i < pairs) routed_.set(k, i, hidden + i * wide, own[0].out, narrow + i * wide);
        else shared_.set(k, i - pairs, hidden + i * wide, layer.gate.out, narrow + i * wide);
    });
    if (own) routed_.ready(pool, own[2]);
    shared_.ready(pool, layer.down);
}

// out_ [pairs, then tokens, D].
template <class E> void Forward<E>::outer(const axk1_layer &layer, const axk1_matrix *own, int64_t n) {
    const Kernels &k = kernels();
    const axk1_matrix shared[3] = {layer.gate, layer.up, layer.down};
    int64_t pairs = pair_rows_.size(), d = spec.hidden;
    float *out = out_.reserve((pairs + n) * d);
    over(pool, busy_, first_pair_, own, shared, n, 2, OUTER_ROWS, [&](const Piece &p, const Piece &later) {
        product(k, p.three[2], p.shared ? shared_ : routed_, p.start, p.count, p.first, p.last, out + ((p.shared ? pairs : 0) + p.start) * d, d,
                {&later.three[2], later.first});
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
