// Multi-head latent attention from the cache (DeepSeek-V2, arXiv 2405.04434, section 2.1.2). For few new tokens keys and
// values stay latents: the key up-projection is absorbed into the queries, the value up-projection applied to the result.
#include <algorithm>
#include <cmath>

#include "forward.h"
#include "softmax.h"

namespace axk1 {

// Tokens of one sequence from which on its latents are expanded to heads once (prompt_attention.cpp), instead of turning
// every query into one against latents: a query against latents costs 2 L + R, against heads O + R + V.
static constexpr int64_t PROMPT_TOKENS = 16;

// The sequences whose new tokens are few, and those that read a prompt.
template <class E> void Forward<E>::divide(const Places &places) {
    few_.clear(), runs_.clear(), prompts_.clear(), in_prompt_.clear();
    for (int32_t s = 0; s < places.batch.sequences; s++) {
        int64_t first = places.batch.starts[s], last = places.batch.starts[s + 1], count = last - first;
        bool prompt = count >= PROMPT_TOKENS;
        (prompt ? prompts_ : few_).push_back(s);
        if (!prompt && !runs_.empty() && runs_.back().second == first) runs_.back().second = last;
        else if (!prompt) runs_.emplace_back(first, last);
        in_prompt_.insert(in_prompt_.end(), size_t(count), prompt);
    }
}

template <class E> void Forward<E>::attention(const axk1_layer &layer, int index, const Places &places) {
    int64_t n = places.tokens(), d = spec.hidden;
    normed(layer.input_norm, n);
    queries(layer, places);
    remember(layer, index, places);
    values_.reserve(n * spec.heads * spec.value);
    if (!few_.empty()) {
        absorb(layer, places);
        attend(index, places);
        raise(layer, places);
    }
    for (int32_t s : prompts_) read_prompt(layer, index, places, s);
    collect(n);
    float *out = out_.reserve(n * d);
    products<E>(pool, {{&layer.o, &latent_rows_, out, d}});
    const Kernels &k = kernels();
    pool.each(n, [&](int64_t t) { k.add(x_.get() + t * d, out + t * d, d, 1.0f); });
}

// q_ [N, H, Q], its last R values rotated, and the joint latents before their norm in joint_ [N, U].
template <class E> void Forward<E>::queries(const axk1_layer &layer, const Places &places) {
    const Kernels &k = kernels();
    int64_t n = places.tokens(), q_size = spec.nope + spec.rope, wide = spec.heads * q_size;
    float *joint = joint_.reserve(n * width_), *q = q_.reserve(n * wide);
    if (layer.q_a.data) {
        int64_t rank = layer.q_a.out;
        float *latent = latent_.reserve(n * rank);
        E *narrowed = latent_e_.reserve(n * rank);
        products<E>(pool, {{&layer.q_a, &rows_, latent, rank}, {&layer.kv_a, &rows_, joint, width_}});
        latent_rows_.resize(in_prompt_);
        pool.each(n, [&](int64_t t) {
            k.rms_norm(latent + t * rank, layer.q_a_norm, rank, spec.latent_norm_eps, latent + t * rank);
            latent_rows_.set(k, t, latent + t * rank, rank, narrowed + t * rank);
        });
        products<E>(pool, {{&layer.q_b, &latent_rows_, q, wide}});
    } else {
        products<E>(pool, {{&layer.q_b, &rows_, q, wide}, {&layer.kv_a, &rows_, joint, width_}});
    }
    pool.each(n, [&](int64_t t) {
        for (int64_t h = 0; h < spec.heads; h++) rotate(q + t * wide + h * q_size + spec.nope, t);
    });
}

// The normed latent and the rotated shared key of every token go into its slot of the cache.
template <class E> void Forward<E>::remember(const axk1_layer &layer, int index, const Places &places) {
    const Kernels &k = kernels();
    pool.each(places.tokens(), [&](int64_t t) {
        float *joint = joint_.get() + t * width_;
        k.rms_norm(joint, layer.kv_a_norm, spec.kv_rank, spec.latent_norm_eps, joint);
        rotate(joint + spec.kv_rank, t);
        cache_.store(k, index, places.slot(places.sequence[t], places.position[t]), joint);
    });
}

// out: the queries of a head times its key rows, each row weighed by one value of the query.
template <class E> void Forward<E>::absorb_head(const axk1_matrix &kv_b, int64_t head, const float *q, int64_t count, float *out) const {
    const Kernels &k = kernels();
    int64_t q_step = spec.heads * int64_t(spec.nope + spec.rope), all = spec.heads * width_, l = spec.kv_rank, n = spec.nope;
    int64_t row = head * (spec.nope + spec.value);
    for (int64_t t = 0; t < count; t++) std::fill_n(out + t * all, l, 0.0f);
    if (kv_b.format == AXK1_INT4) k.ints.mix_int4(q, q_step, count, integers(kv_b), row, n, out, all);
    else if (kv_b.format == AXK1_INT8) k.ints.mix_int8(q, q_step, count, integers(kv_b), row, n, out, all);
    else if (kv_b.format == AXK1_BF16) k.mix_bf16(q, q_step, count, static_cast<const bf16 *>(kv_b.data) + row * l, l, n, l, out, all);
    else k.mix_f32(q, q_step, count, static_cast<const float *>(kv_b.data) + row * l, l, n, l, out, all);
}

// q_e_ [N, H, U]: the query against the latent, then its rotary part.
template <class E> void Forward<E>::absorb(const axk1_layer &layer, const Places &places) {
    const Kernels &k = kernels();
    int64_t n = places.tokens(), q_size = spec.nope + spec.rope, all = spec.heads * width_, l = spec.kv_rank;
    float *wide = mixed_.reserve(n * all);
    E *to = q_e_.reserve(n * all);
    pool.each(spec.heads, [&](int64_t h) {
        if (h + 1 < spec.heads) fetch_beginning(layer.kv_b, (h + 1) * (spec.nope + spec.value));
        for (auto [first, last] : runs_) {
            int64_t count = last - first;
            const float *q = q_.get() + (first * spec.heads + h) * q_size;
            float *out = wide + first * all + h * width_;
            absorb_head(layer.kv_b, h, q, count, out);
            for (int64_t t = 0; t < count; t++) {
                std::copy_n(q + t * spec.heads * q_size + spec.nope, spec.rope, out + t * all + l);
                narrow(k, out + t * all, width_, to + (first + t) * all + h * width_);
            }
        }
    });
}

// mixed_ [N, H, U]: for each token and head the latents of what it may see, weighed by the softmax of their scores.
template <class E> void Forward<E>::attend(int index, const Places &places) {
    int64_t longest = 1, share = spec.heads;
    for (int32_t s : few_) longest = std::max<int64_t>(longest, places.batch.starts[s + 1] - places.batch.starts[s]);
    if (int64_t(few_.size()) < 2 * pool.threads()) share = (spec.heads + pool.threads() - 1) / pool.threads(); // too few to go round: heads are divided
    int64_t heads = std::max<int64_t>(1, std::min(share, TILE_ROWS / longest));
    int64_t groups = (spec.heads + heads - 1) / heads;
    pool.each(int64_t(few_.size()) * groups, [&](int64_t i) {
        int64_t head = i % groups * heads;
        look(index, places, few_[i / groups], head, std::min(heads, spec.heads - head));
    });
}

// The heads [head, head + heads) of all new tokens of sequence s.
template <class E> void Forward<E>::look(int index, const Places &places, int32_t s, int64_t head, int64_t heads) {
    const Kernels &k = kernels();
    int64_t first = places.batch.starts[s], last = places.batch.starts[s + 1], m = (last - first) * heads;
    int64_t all = spec.heads * width_, l = spec.kv_rank, size = spec.block_size;
    const E *x[TILE_ROWS];
    for (int64_t i = 0; i < m; i++) x[i] = q_e_.get() + (first + i / heads) * all + (head + i % heads) * width_;
    // body(place p in the chunk, n): within a block positions lie one after the other
    auto by_block = [&](int64_t start, int64_t end, auto body) {
        for (int64_t p = start, n; p < end; p += n) {
            n = std::min(size - p % size, end - p);
            body(p - start, n);
        }
    };
    thread_local std::vector<float> out;
    thread_local std::vector<E> wide; // latents of a chunk, where the cache is not of E
    out.resize(size_t(m * l));
    wide.resize(size_t(cache_.room(CHUNK_POSITIONS)));
    const E *latents[CHUNK_POSITIONS]; // of the block that begins at this place in the chunk
    online_softmax(
        k, m, l, places.position[last - 1] + 1, spec.softmax_scale, [&](int64_t i) { return int64_t(places.position[first + i / heads]) + 1; },
        [&](int64_t start, int64_t end, float *scores) {
            by_block(start, end, [&](int64_t p, int64_t n) {
                latents[p] = cache_.rows(index, places.slot(s, start + p), n, wide.data() + cache_.room(p));
                dots(k, x, m, latents[p], width_, n, width_, scores + p, CHUNK_POSITIONS);
            });
        },
        [&](int64_t start, int64_t end, const float *weights) {
            by_block(start, end, [&](int64_t p, int64_t n) { mix(k, weights + p, CHUNK_POSITIONS, m, latents[p], width_, n, l, out.data(), l); });
        },
        out.data());
    for (int64_t i = 0; i < m; i++) std::copy_n(out.data() + i * l, l, mixed_.get() + (first + i / heads) * all + (head + i % heads) * width_);
}

// values_ [N, H, V] from the mixed latents, by the up-projection of values.
template <class E> void Forward<E>::raise(const axk1_layer &layer, const Places &places) {
    const Kernels &k = kernels();
    int64_t n = places.tokens(), all = spec.heads * width_, l = spec.kv_rank, step = spec.nope + spec.value, wide = spec.heads * int64_t(spec.value);
    E *narrowed = mixed_e_.reserve(n * all);
    head_rows_.resize(n * spec.heads); // head by head
    bool integer = head_rows_.make_room(layer.kv_b);
    pool.each(spec.heads, [&](int64_t h) {
        int64_t first = h * step + spec.nope;
        Next next{h + 1 < spec.heads ? &layer.kv_b : nullptr, first + step};
        for (auto [start, end] : runs_) {
            for (int64_t t = start; t < end; t++) {
                head_rows_.set(k, h * n + t, mixed_.get() + t * all + h * width_, l, narrowed + t * all + h * width_);
                if (integer) head_rows_.quantise(k, h * n + t, layer.kv_b);
            }
            product(k, layer.kv_b, head_rows_, h * n + start, end - start, first, (h + 1) * step, values_.get() + start * wide + h * spec.value - first, wide, next);
        }
    });
}

// latent_rows_: the values of all heads, a row a token.
template <class E> void Forward<E>::collect(int64_t n) {
    const Kernels &k = kernels();
    int64_t wide = spec.heads * int64_t(spec.value);
    E *narrowed = latent_e_.reserve(n * wide);
    latent_rows_.resize(in_prompt_);
    pool.each(n, [&](int64_t t) { latent_rows_.set(k, t, values_.get() + t * wide, wide, narrowed + t * wide); });
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
