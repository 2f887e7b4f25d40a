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
    out_.reserve((int64_t(pair_token_.size()) + n) * spec.hidden);
    if (own && (store || traces)) notice(index);
    if (own && store) {
        by_waves(layer, index, n);
    } else {
        std::vector<Held> all;
        for (int32_t e : busy_) all.push_back({e, own + 3 * e});
        wave(layer, all, true, n);
    }
    combine(layer, n);
}

// What routers think of the experts: for the store to keep the right ones, and for traces.
template <class E> void Forward<E>::notice(int index) {
    for (int32_t e = 0; e < spec.experts; e++) {
        bool needed = first_pair_[e + 1] > first_pair_[e];
        float weight = needed ? float(first_pair_[e + 1] - first_pair_[e]) : interest_[e];
        if (weight <= 0) continue;
        if (store) store->use(index, e, weight, needed);
        if (traces) trace.push_back({int32_t(steps_), index, e, needed, weight});
    }
}

// First the shared expert and those in memory, then the others as they arrive from the disk.
template <class E> void Forward<E>::by_waves(const axk1_layer &layer, int index, int64_t n) {
    struct Visit {
        Store &store;
        ~Visit() { store.end(); }
    } visit{*store};
    store->begin(index, busy_);
    look_ahead(index, n);
    wave(layer, store->ready(), true, n);
    for (const std::vector<Held> *held = &store->next(); !held->empty(); held = &store->next()) wave(layer, *held, false, n);
}

// What the next layer will need: all its experts where a prompt needs about all of them, else what its router says to
// the state before this layer's experts, most of which stays in the residual stream.
template <class E> void Forward<E>::look_ahead(int index, int64_t n) {
    if (index + 1 == spec.layers || !layers[index + 1].router || !store->guesses()) return;
    const axk1_layer &next = layers[index + 1];
    int64_t d = spec.hidden, e = spec.experts, k = spec.experts_per_token;
    if (n * k > e / 2) {
        order_.resize(size_t(e));
        std::iota(order_.begin(), order_.end(), 0);
        if (int64_t(busy_.size()) > e / 2) store->ahead(index + 1, order_, true);
        return;
    }
    float *x = guess_x_.reserve(n * d), *scores = guess_scores_.reserve(n * e);
    guess_rows_.resize(n);
    for (int64_t t = 0; t < n; t++) {
        kernels().rms_norm(x_.get() + t * d, next.post_attention_norm, d, spec.norm_eps, x + t * d);
        guess_rows_.exact[t] = guess_rows_.at[t] = x + t * d;
    }
    axk1_matrix router{};
    router.data = next.router, router.out = spec.experts, router.in = spec.hidden;
    products<float>(pool, {{&router, &guess_rows_, scores, e}});
    std::vector<int32_t> guess;
    for (int64_t t = 0; t < n; t++) {
        rank(next.selection_bias, scores + t * e, k);
        for (int64_t i = 0; i < k; i++)
            if (std::find(guess.begin(), guess.end(), order_[i]) == guess.end()) guess.push_back(order_[i]);
    }
    store->ahead(index + 1, guess, false);
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
    interest_.assign(size_t(spec.experts), 0.0f);
    for (int64_t t = 0; t < n; t++) choose(layer.selection_bias, t);
}

template <class E> void Forward<E>::choose(const float *bias, int64_t token) {
    int64_t e = spec.experts, k = spec.experts_per_token;
    float *score = scores_.get() + token * e;
    bool interested = store || traces;
    rank(bias, score, interested ? std::min(2 * k, e) : k);
    float total = 1e-20f;
    for (int64_t i = 0; i < k; i++) total += score[order_[i]];
    for (int64_t i = 0; i < k; i++) {
        chosen_[token * k + i] = order_[i];
        gate_[token * k + i] = score[order_[i]] / (spec.normalise_weights ? total : 1.0f) * spec.routed_scale;
    }
    if (!interested) return;
    // a near miss: how far above the score that lies as far below the last chosen one as the first lies above it
    float last = biased_[order_[k - 1]], spread = biased_[order_[0]] - last + 1e-9f;
    for (int64_t i = k; i < std::min(2 * k, e); i++) interest_[order_[i]] += std::max(0.0f, 1.0f - (last - biased_[order_[i]]) / spread);
}

// order_: the `count` best experts by score + bias among the groups whose two best add up to most. The scores become
// gate values, which know no bias.
template <class E> void Forward<E>::rank(const float *bias, float *score, int64_t count) {
    int64_t e = spec.experts, size = e / spec.groups;
    std::vector<float> &biased = biased_;
    biased.resize(static_cast<size_t>(e));
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
    order_.resize(static_cast<size_t>(e));
    std::iota(order_.begin(), order_.end(), 0);
    std::partial_sort(order_.begin(), order_.begin() + count, order_.end(), [&](int32_t a, int32_t b) { return biased[a] > biased[b] || (biased[a] == biased[b] && a < b); });
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
}

static constexpr int64_t INNER_ROWS = 64, OUTER_ROWS = 64; // rows of gate and up, and of down, that make a piece

// Some experts for their pairs, with `shared` the shared one (or the dense layer) for all tokens. A row's numbers do not
// depend on what else is in its wave.
template <class E> void Forward<E>::wave(const axk1_layer &layer, const std::vector<Held> &held, bool shared, int64_t n) {
    const axk1_matrix common[3] = {layer.gate, layer.up, layer.down};
    work_.clear();
    wave_token_.clear();
    for (auto &one : held) {
        int64_t first = first_pair_[one.expert], count = first_pair_[one.expert + 1] - first;
        work_.push_back({one.three, false, int64_t(wave_token_.size()), count, first});
        wave_token_.insert(wave_token_.end(), pair_token_.begin() + first, pair_token_.begin() + first + count);
    }
    wave_rows_.pick(rows_, wave_token_);
    if (shared) work_.push_back({common, true, 0, n, int64_t(pair_token_.size())});
    inner(layer, shared ? n : 0);
    outer();
}

// body(work, first row, last row, what this thread may get next) over the wave, `rows` rows of matrix `which` at a time.
template <class Work, class Body> static void over(Pool &pool, const std::vector<Work> &work, int which, int64_t rows, Body body) {
    std::vector<int64_t> first{0};
    for (auto &one : work) first.push_back(first.back() + (one.three[which].out + rows - 1) / rows);
    auto place = [&](int64_t i) { // a work, and its first row
        size_t at = size_t(std::upper_bound(first.begin(), first.end(), i) - first.begin()) - 1;
        return std::pair<const Work &, int64_t>(work[at], (i - first[at]) * rows);
    };
    pool.each(first.back(), [&](int64_t i) {
        auto [one, from] = place(i);
        auto [later, row] = place(std::min(i + 1, first.back() - 1));
        body(one, from, std::min<int64_t>(from + rows, one.three[which].out), Next{&later.three[which], row});
    });
}

// routed_ and shared_: silu(gate x) * (up x) of every pair of the wave, and of every token.
template <class E> void Forward<E>::inner(const axk1_layer &layer, int64_t tokens) {
    const Kernels &k = kernels();
    int64_t pairs = wave_rows_.size(), own = pairs ? work_[0].three[0].out : 0, wide = std::max<int64_t>(layer.gate.out, own);
    float *hidden = hidden_.reserve((pairs + tokens) * wide);
    E *narrow = hidden_e_.reserve((pairs + tokens) * wide);
    over(pool, work_, 0, INNER_ROWS, [&](const Work &w, int64_t first, int64_t last, const Next &next) {
        thread_local std::vector<float> scratch;
        scratch.resize(size_t(2 * w.count * INNER_ROWS));
        float *gate = scratch.data() - first, *up = gate + w.count * INNER_ROWS;
        const Rows<E> &x = w.shared ? rows_ : wave_rows_;
        product(k, w.three[0], x, w.start, w.count, first, last, gate, INNER_ROWS, {&w.three[1], first});
        product(k, w.three[1], x, w.start, w.count, first, last, up, INNER_ROWS, next);
        for (int64_t i = 0; i < w.count; i++) {
            int64_t at = ((w.shared ? pairs : 0) + w.start + i) * wide + first, from = i * INNER_ROWS + first;
            k.swiglu(gate + from, up + from, last - first, hidden + at);
        }
    });
    routed_.resize(wave_rows_.prompt);
    shared_.resize(tokens ? rows_.prompt : std::vector<uint8_t>());
    pool.each(pairs + tokens, [&](int64_t i) {
        if (i < pairs) routed_.set(k, i, hidden + i * wide, own, narrow + i * wide);
        else shared_.set(k, i - pairs, hidden + i * wide, layer.gate.out, narrow + i * wide);
    });
    if (pairs) routed_.ready(pool, work_[0].three[2]);
    if (tokens) shared_.ready(pool, layer.down);
}

// out_ [pairs, then tokens, D].
template <class E> void Forward<E>::outer() {
    const Kernels &k = kernels();
    int64_t d = spec.hidden;
    over(pool, work_, 2, OUTER_ROWS, [&](const Work &w, int64_t first, int64_t last, const Next &next) {
        product(k, w.three[2], w.shared ? shared_ : routed_, w.start, w.count, first, last, out_.get() + w.pair * d, d, next);
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
