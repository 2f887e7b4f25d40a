// Drafting by the multi-token-prediction layer (DeepSeek-V3, arXiv 2412.19437, section 2.2): the state of a position and
// the token that follows it go through one more layer, whose state foretells the token after that.
#include "forward.h"

namespace axk1 {

template <class E> void Forward<E>::draft(const axk1_batch &batch, const int32_t *rows, int32_t *out) {
    Places places(batch, spec.block_size);
    join(places, rows);
    turn(places);
    divide(places);
    attention(layers[size_t(spec.layers)], spec.layers, places);
    feed_forward(layers.back(), spec.layers, places.tokens());
    leave(batch, mtp.final_norm, normed_.reserve(batch.n_wanted * int64_t(spec.hidden)));
    int64_t n = batch.n_wanted, vocabulary = spec.vocab;
    if (!n) return;
    float *scores = draft_scores_.reserve(n * vocabulary);
    products<E>(pool, {{&spec.head, &rows_, scores, vocabulary}});
    pool.each(n, [&](int64_t i) {
        const float *row = scores + i * vocabulary;
        int64_t best = 0;
        for (int64_t v = 1; v < vocabulary; v++)
            if (row[v] > row[best]) best = v;
        out[i] = int32_t(best);
    });
}

// x_: the states of the pass before, each beside the embedding of what follows it, brought together.
template <class E> void Forward<E>::join(const Places &places, const int32_t *rows) {
    const Kernels &k = kernels();
    int64_t n = places.tokens(), d = spec.hidden;
    float *joined = joined_.reserve(n * 2 * d);
    E *narrowed = joined_e_.reserve(n * 2 * d);
    rows_.resize(n);
    pool.each(n, [&](int64_t t) {
        float *embedded = joined + t * 2 * d, *state = embedded + d;
        look_up(spec.embedding, places.batch.tokens[t], embedded);
        k.rms_norm(embedded, mtp.embedding_norm, d, spec.norm_eps, embedded);
        k.rms_norm(x_.get() + rows[t] * d, last_norm_, d, spec.norm_eps, state);
        k.rms_norm(state, mtp.state_norm, d, spec.norm_eps, state);
        rows_.set(k, t, embedded, 2 * d, narrowed + t * 2 * d);
    });
    products<E>(pool, {{&mtp.join, &rows_, x_.reserve(n * d), d}});
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
