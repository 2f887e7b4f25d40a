// Multi-head latent attention from the cache: keys and values stay latents. The key up-projection is absorbed into the
// queries, the value up-projection is applied to the mixed latents (DeepSeek-V2, arXiv 2405.04434, section 2.1.2).
#include <algorithm>
#include <cmath>

#include "forward.h"

namespace axk1 {

static void narrow(const Kernels &, const float *x, int64_t n, float *to) { std::copy_n(x, n, to); }
static void narrow(const Kernels &k, const float *x, int64_t n, bf16 *to) { k.to_bf16(x, n, to); }

template <class E> void Forward<E>::attention(const axk1_layer &layer, int index, const Places &places) {
    int64_t n = places.tokens(), d = spec.hidden;
    normed(layer.input_norm, n);
    queries(layer, places);
    remember(layer, index, places);
    absorb(layer, n);
    attend(index, places);
    values(layer, n);
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
        latent_rows_.resize(n);
        pool.each(n, [&](int64_t t) {
            k.rms_norm(latent + t * rank, layer.q_a_norm, rank, spec.latent_norm_eps, latent + t * rank);
            latent_rows_.set(k, t, latent + t * rank, rank, narrowed + t * rank);
        });
        products<E>(pool, {{&layer.q_b, &latent_rows_, q, wide}});
    } else {
        products<E>(pool, {{&layer.q_b, &rows_, q, wide}, {&layer.kv_a, &rows_, joint, width_}});
    }
    pool.each(n, [&](int64_t t) {
        for (int64_t h = 0; h < spec.heads; h++) rotate(q + t * wide + h * q_size + spec.nope, places.position[t]);
    });
}

// The normed latent and the rotated shared key of every token go into its slot of the cache.
template <class E> void Forward<E>::remember(const axk1_layer &layer, int index, const Places &places) {
    const Kernels &k = kernels();
    pool.each(places.tokens(), [&](int64_t t) {
        float *joint = joint_.get() + t * width_;
        k.rms_norm(joint, layer.kv_a_norm, spec.kv_rank, spec.latent_norm_eps, joint);
        rotate(joint + spec.kv_rank, places.position[t]);
        E *slot = cache(index) + places.slot(places.sequence[t], places.position[t]) * width_;
        narrow(k, joint, width_, slot);
    });
}

// q_e_ [N, H, U]: the query against the latent, then its rotary part.
template <class E> void Forward<E>::absorb(const axk1_layer &layer, int64_t n) {
    const Kernels &k = kernels();
    int64_t q_size = spec.nope + spec.rope, h_step = spec.nope + spec.value, all = spec.heads * width_, l = spec.kv_rank;
    float *wide = mixed_.reserve(n * all);
    E *to = q_e_.reserve(n * all);
    pool.each(spec.heads, [&](int64_t h) {
        for (int64_t t = 0; t < n; t++) std::fill_n(wide + t * all + h * width_, l, 0.0f);
        const float *q = q_.get() + h * q_size;
        float *out = wide + h * width_;
        if (layer.kv_b.format == AXK1_BF16)
            k.mix_bf16(q, spec.heads * q_size, n, static_cast<const bf16 *>(layer.kv_b.data) + h * h_step * l, l, spec.nope, l, out, all);
        else
            k.mix_f32(q, spec.heads * q_size, n, static_cast<const float *>(layer.kv_b.data) + h * h_step * l, l, spec.nope, l, out, all);
        for (int64_t t = 0; t < n; t++) {
            float *row = out + t * all;
            std::copy_n(q + t * spec.heads * q_size + spec.nope, spec.rope, row + l);
            narrow(k, row, width_, to + t * all + h * width_);
        }
    });
}

static constexpr int64_t TILE_ROWS = 64;      // (token, head) rows that share one pass over the cache
static constexpr int64_t CHUNK_POSITIONS = 256; // whose scores exist at a time: they and their latents stay near

// mixed_ [N, H, U]: for each token and head the latents of what it may see, weighed by the softmax of their scores.
template <class E> void Forward<E>::attend(int index, const Places &places) {
    struct Piece {
        int32_t s;
        int64_t first, last, head, heads;
    };
    std::vector<Piece> pieces;
    for (int32_t s = 0; s < places.batch.sequences; s++) {
        int64_t start = places.batch.starts[s], end = places.batch.starts[s + 1], tokens = end - start;
        // few tokens: heads are divided among the threads, four at a time; many tokens: a tile takes all heads it can
        int64_t share = (spec.heads + pool.threads() - 1) / pool.threads();
        int64_t heads = tokens * spec.heads > TILE_ROWS * pool.threads() ? spec.heads : (share + 3) / 4 * 4;
        heads = std::min<int64_t>(heads, std::min<int64_t>(spec.heads, TILE_ROWS));
        int64_t together = std::max<int64_t>(1, TILE_ROWS / heads);
        for (int64_t first = start; first < end; first += together)
            for (int64_t head = 0; head < spec.heads; head += heads)
                pieces.push_back({s, first, std::min(first + together, end), head, std::min(heads, spec.heads - head)});
    }
    pool.each(int64_t(pieces.size()), [&](int64_t i) {
        const Piece &p = pieces[pieces.size() - 1 - i]; // the longest first
        look(index, places, p.s, p.first, p.last, p.head, p.heads);
    });
}

static void dots(const Kernels &k, const float *const *x, int64_t m, const float *w, int64_t step, int64_t n, int64_t width, float *out, int64_t out_step) {
    k.dots_f32(x, m, w, step, n, width, out, out_step);
}
static void dots(const Kernels &k, const bf16 *const *x, int64_t m, const bf16 *w, int64_t step, int64_t n, int64_t width, float *out, int64_t out_step) {
    k.dots_bf16(x, m, w, step, n, width, out, out_step);
}
static void mix(const Kernels &k, const float *p, int64_t p_step, int64_t m, const float *c, int64_t step, int64_t s, int64_t l, float *out, int64_t out_step) {
    k.mix_f32(p, p_step, m, c, step, s, l, out, out_step);
}
static void mix(const Kernels &k, const float *p, int64_t p_step, int64_t m, const bf16 *c, int64_t step, int64_t s, int64_t l, float *out, int64_t out_step) {
    k.mix_bf16(p, p_step, m, c, step, s, l, out, out_step);
}

// One tile: the tokens [first, last) and heads [head, head + heads) of sequence s, by online softmax over chunks.
template <class E>
void Forward<E>::look(int index, const Places &places, int32_t s, int64_t first, int64_t last, int64_t head, int64_t heads) {
    const Kernels &k = kernels();
    int64_t all = spec.heads * width_, m = (last - first) * heads, l = spec.kv_rank, size = spec.block_size;
    const E *x[TILE_ROWS];
    float top[TILE_ROWS], sum[TILE_ROWS];
    float scores[TILE_ROWS * CHUNK_POSITIONS];
    for (int64_t i = 0; i < m; i++) {
        int64_t at = (first + i / heads) * all + (head + i % heads) * width_;
        x[i] = q_e_.get() + at;
        top[i] = -INFINITY, sum[i] = 0;
    }
    // rows of one tile lie side by side only within a token: gathered in a scratch of their own
    std::vector<float> gathered(size_t(m * l), 0.0f);
    int64_t seen = places.position[last - 1] + 1;
    for (int64_t start = 0; start < seen; start += CHUNK_POSITIONS) {
        int64_t end = std::min(start + CHUNK_POSITIONS, seen), count = end - start;
        for (int64_t p = start; p < end;) { // within a block positions lie one after the other
            int64_t n = std::min(size - p % size, end - p);
            dots(k, x, m, cache(index) + places.slot(s, p) * width_, width_, n, width_, scores + (p - start), CHUNK_POSITIONS);
            p += n;
        }
        for (int64_t i = 0; i < m; i++) {
            float *row = scores + i * CHUNK_POSITIONS;
            int64_t visible = std::max<int64_t>(0, std::min<int64_t>(count, places.position[first + i / heads] + 1 - start));
            std::fill(row + visible, row + count, 0.0f);
            if (!visible) continue;
            k.scale(row, visible, spec.softmax_scale);
            float best = std::max(top[i], k.largest(row, visible));
            float shrink = top[i] == best ? 1.0f : std::exp(top[i] - best);
            if (shrink != 1.0f) k.scale(gathered.data() + i * l, l, shrink);
            sum[i] = sum[i] * shrink + k.exp_sum(row, visible, best);
            top[i] = best;
        }
        for (int64_t p = start; p < end;) {
            int64_t n = std::min(size - p % size, end - p);
            mix(k, scores + (p - start), CHUNK_POSITIONS, m, cache(index) + places.slot(s, p) * width_, width_, n, l, gathered.data(), l);
            p += n;
        }
    }
    for (int64_t i = 0; i < m; i++) {
        float *row = gathered.data() + i * l;
        k.scale(row, l, 1.0f / sum[i]);
        std::copy_n(row, l, mixed_.get() + (first + i / heads) * all + (head + i % heads) * width_);
    }
}

// latent_rows_: [N] rows of all heads' values, H * V, from the mixed latents.
template <class E> void Forward<E>::values(const axk1_layer &layer, int64_t n) {
    const Kernels &k = kernels();
    int64_t all = spec.heads * width_, l = spec.kv_rank, h_step = spec.nope + spec.value, wide = spec.heads * int64_t(spec.value);
    float *out = latent_.reserve(n * wide);
    E *mixed = mixed_e_.reserve(n * all), *narrow_out = latent_e_.reserve(n * wide);
    head_rows_.resize(n * spec.heads); // head by head
    pool.each(spec.heads, [&](int64_t h) {
        for (int64_t t = 0; t < n; t++) head_rows_.set(k, h * n + t, mixed_.get() + t * all + h * width_, l, mixed + t * all + h * width_);
        int64_t first = h * h_step + spec.nope;
        product(k, layer.kv_b, head_rows_, h * n, n, first, (h + 1) * h_step, out + h * spec.value - first, wide);
    });
    latent_rows_.resize(n);
    pool.each(n, [&](int64_t t) { latent_rows_.set(k, t, out + t * wide, wide, narrow_out + t * wide); });
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
