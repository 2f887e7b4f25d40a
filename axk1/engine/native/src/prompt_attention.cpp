// Attention of a prompt: many new tokens of one sequence share the keys and values of its heads, which are worth making.
#include "forward.h"
#include "softmax.h"

namespace axk1 {

static constexpr int64_t EXPAND_POSITIONS = 32; // latents of a piece

// heads_ [positions, H, O + R] keys and [positions, H, V] values, from the latents of sequence s in the cache.
template <class E> void Forward<E>::expand(const axk1_layer &layer, int index, const Places &places, int32_t s, int64_t positions) {
    const Kernels &k = kernels();
    int64_t q_size = spec.nope + spec.rope, step = spec.nope + spec.value, wide = spec.heads * step, l = spec.kv_rank;
    E *keys = keys_.reserve(positions * spec.heads * q_size), *values = expanded_.reserve(positions * spec.heads * spec.value);
    pool.each((positions + EXPAND_POSITIONS - 1) / EXPAND_POSITIONS, [&](int64_t piece) {
        int64_t first = piece * EXPAND_POSITIONS, n = std::min(EXPAND_POSITIONS, positions - first);
        thread_local std::vector<float> both, exact;
        thread_local Rows<E> latents;
        both.resize(size_t(n * wide)), exact.resize(size_t(n * l));
        latents.resize(n);
        for (int64_t i = 0; i < n; i++) {
            const E *row = cache(index) + places.slot(s, first + i) * width_;
            latents.at[i] = row;
            widen(row, l, exact.data() + i * l); // for a float32 up-projection beside bfloat16 activations
            latents.exact[i] = exact.data() + i * l;
        }
        product(k, layer.kv_b, latents, 0, n, 0, wide, both.data(), wide);
        for (int64_t i = 0; i < n; i++)
            for (int64_t h = 0; h < spec.heads; h++) {
                const float *from = both.data() + i * wide + h * step;
                E *key = keys + ((first + i) * spec.heads + h) * q_size;
                narrow(k, from, spec.nope, key);
                std::copy_n(latents.at[i] + l, spec.rope, key + spec.nope);
                narrow(k, from + spec.nope, spec.value, values + ((first + i) * spec.heads + h) * spec.value);
            }
    });
}

// values_ of the new tokens of sequence s.
template <class E> void Forward<E>::read_prompt(const axk1_layer &layer, int index, const Places &places, int32_t s) {
    const Kernels &k = kernels();
    int64_t start = places.batch.starts[s], end = places.batch.starts[s + 1], positions = places.position[end - 1] + 1;
    int64_t q_size = spec.nope + spec.rope, q_step = spec.heads * q_size, v_step = spec.heads * int64_t(spec.value), v = spec.value;
    expand(layer, index, places, s, positions);
    E *queries = q_e_.reserve((end - start) * q_step);
    pool.each(end - start, [&](int64_t t) { narrow(k, q_.get() + (start + t) * q_step, q_step, queries + t * q_step); });
    int64_t tiles = (end - start + TILE_ROWS - 1) / TILE_ROWS;
    pool.each(tiles * spec.heads, [&](int64_t i) {
        int64_t h = i % spec.heads, first = (tiles - 1 - i / spec.heads) * TILE_ROWS, m = std::min(TILE_ROWS, end - start - first); // the longest first
        const E *x[TILE_ROWS], *keys = keys_.get() + h * q_size, *values = expanded_.get() + h * v;
        for (int64_t r = 0; r < m; r++) x[r] = queries + (first + r) * q_step + h * q_size;
        float out[TILE_ROWS * 512];
        int64_t seen = places.position[start + first + m - 1] + 1;
        online_softmax(
            k, m, v, seen, spec.softmax_scale, [&](int64_t r) { return int64_t(places.position[start + first + r]) + 1; },
            [&](int64_t from, int64_t to, float *scores) { dots(k, x, m, keys + from * q_step, q_step, to - from, q_size, scores, CHUNK_POSITIONS); },
            [&](int64_t from, int64_t to, const float *weights) { mix(k, weights, CHUNK_POSITIONS, m, values + from * v_step, v_step, to - from, v, out, v); }, out);
        for (int64_t r = 0; r < m; r++) std::copy_n(out + r * v, v, values_.get() + (start + first + r) * v_step + h * v);
    });
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
