#include "forward.h"

#include <cmath>
#include <cstring>

namespace axk1 {

Places::Places(const axk1_batch &batch_, int32_t block_size_) : batch(batch_), block_size(block_size_) {
    for (int32_t s = 0; s < batch.sequences; s++)
        for (int32_t t = batch.starts[s]; t < batch.starts[s + 1]; t++) {
            sequence.push_back(s);
            position.push_back(batch.cached[s] + t - batch.starts[s]);
        }
}

static float decoded(const axk1_matrix &w, int64_t row, int64_t column) {
    const IntMatrix m = integers(w);
    int64_t at = row * m.groups + (m.groups == 1 ? 0 : column / m.group);
    const uint8_t *codes = m.codes + row * m.row_bytes;
    int code = bits_of(w) == 8 ? codes[column] : codes[column / 2] >> (column % 2 * 4) & 15;
    return float(code - zero_at(m, at, bits_of(w))) * scale_at(m, at);
}

void look_up(const axk1_matrix &w, int64_t row, float *out) {
    for (int64_t i = 0, at = row * w.in; i < w.in; i++, at++)
        out[i] = is_integer(w)           ? decoded(w, row, i)
                 : w.format == AXK1_F32 ? static_cast<const float *>(w.data)[at]
                 : w.format == AXK1_F16 ? from_f16(static_cast<const f16 *>(w.data)[at])
                                        : from_bf16(static_cast<const bf16 *>(w.data)[at]);
}

template <class E>
Forward<E>::Forward(const axk1_model_spec &s)
    : Model(s), width_(s.kv_rank + s.rope), cache_(int64_t(layers.size()), int64_t(s.blocks) * s.block_size, s.kv_rank, s.rope, s.cache_format == AXK1_INT8) {}

template <class E> int64_t Forward<E>::bytes() const {
    int64_t floats = 0, elements = 0;
    for (auto *one : {&x_, &normed_, &latent_, &q_, &joint_, &mixed_, &values_, &out_, &hidden_, &scores_, &angles_, &joined_, &draft_scores_, &guess_x_, &guess_scores_})
        floats += one->bytes();
    for (auto *one : {&normed_e_, &latent_e_, &q_e_, &mixed_e_, &hidden_e_, &keys_, &expanded_, &joined_e_}) elements += one->bytes();
    return floats + elements + cache_.bytes() + (store ? store->bytes() : 0);
}

template <class E> void Forward<E>::forward(const axk1_batch &batch, bool logits, float *out) {
    Places places(batch, spec.block_size);
    if (store) store->pass(places.tokens());
    steps_ += places.tokens();
    embed(places);
    turn(places);
    divide(places);
    for (int index = 0; index < spec.layers; index++) {
        attention(layers[index], index, places);
        feed_forward(layers[index], index, places.tokens());
    }
    leave(batch, spec.final_norm, logits ? normed_.reserve(batch.n_wanted * int64_t(spec.hidden)) : out);
    if (logits) products<E>(pool, {{&spec.head, &rows_, out, spec.vocab}});
}

template <class E> void Forward<E>::leave(const axk1_batch &batch, const float *norm, float *states) {
    const Kernels &k = kernels();
    int64_t d = spec.hidden;
    E *rows = normed_e_.reserve(batch.n_wanted * d);
    rows_.resize(batch.n_wanted);
    for (int64_t i = 0; i < batch.n_wanted; i++) {
        k.rms_norm(x_.get() + batch.wanted[i] * d, norm, d, spec.norm_eps, states + i * d);
        rows_.set(k, i, states + i * d, d, rows + i * d);
    }
    last_norm_ = norm;
}

template <class E> void Forward<E>::embed(const Places &places) {
    int64_t d = spec.hidden;
    float *x = x_.reserve(places.tokens() * d);
    for (int64_t t = 0; t < places.tokens(); t++) {
        int32_t token = places.batch.tokens[t];
        if (!store || is_integer(spec.embedding)) {
            look_up(spec.embedding, token, x + t * d);
            continue;
        }
        axk1_matrix row = spec.embedding; // read: the map would bring in the neighbours too
        std::vector<uint8_t> read(size_t(d * (row.format == AXK1_F32 ? 4 : 2)));
        store->disk().copy(static_cast<const uint8_t *>(row.data) + token * int64_t(read.size()), int64_t(read.size()), read.data());
        row.data = read.data();
        look_up(row, 0, x + t * d);
    }
}

template <class E> void Forward<E>::normed(const float *weight, int64_t n) {
    const Kernels &k = kernels();
    int64_t d = spec.hidden;
    float *to = normed_.reserve(n * d);
    E *narrow = normed_e_.reserve(n * d);
    rows_.resize(in_prompt_);
    pool.each(n, [&](int64_t t) {
        k.rms_norm(x_.get() + t * d, weight, d, spec.norm_eps, to + t * d);
        rows_.set(k, t, to + t * d, d, narrow + t * d);
    });
}

template <class E> void Forward<E>::turn(const Places &places) {
    int64_t pairs = spec.rope / 2;
    float *angles = angles_.reserve(places.tokens() * 2 * pairs);
    pool.each(places.tokens(), [&](int64_t t) {
        for (int64_t p = 0; p < pairs; p++) {
            float angle = float(places.position[t]) * frequencies[p];
            angles[t * 2 * pairs + p] = std::cos(angle) * spec.rope_factor;
            angles[t * 2 * pairs + pairs + p] = std::sin(angle) * spec.rope_factor;
        }
    });
}

template <class E> void Forward<E>::rotate(float *x, int64_t token) const {
    int64_t pairs = spec.rope / 2;
    const float *c = angles_.get() + token * 2 * pairs, *s = c + pairs;
    for (int64_t p = 0; p < pairs; p++) {
        float even = x[2 * p], odd = x[2 * p + 1];
        x[2 * p] = even * c[p] - odd * s[p];
        x[2 * p + 1] = odd * c[p] + even * s[p];
    }
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
