// One forward pass over a batch, and drafts behind it, in the element type E of activations.
#pragma once
#include <algorithm>

#include "latent_cache.h"
#include "model.h"

namespace axk1 {

// Where the tokens of a batch belong. Token t is number t - starts[s] of sequence s and stands at position[t].
struct Places {
    explicit Places(const axk1_batch &batch, int32_t block_size);
    const axk1_batch &batch;
    int32_t block_size;
    std::vector<int32_t> sequence, position;
    int64_t tokens() const { return int64_t(sequence.size()); }
    // The cache slot of a position of a sequence.
    int64_t slot(int32_t s, int64_t p) const { return int64_t(batch.blocks[int64_t(s) * batch.table + p / block_size]) * block_size + p % block_size; }
};

// A row of the embedding, as floats.
void look_up(const axk1_matrix &w, int64_t row, float *out);

template <class E> class Forward : public Model {
  public:
    explicit Forward(const axk1_model_spec &spec);
    void forward(const axk1_batch &batch, bool logits, float *out) override;
    void draft(const axk1_batch &batch, const int32_t *rows, int32_t *out) override;
    int64_t bytes() const override;

  private:
    void embed(const Places &places);
    void join(const Places &places, const int32_t *rows);
    // The states of the wanted tokens behind a norm, as the head takes them.
    void leave(const axk1_batch &batch, const float *norm, float *states);
    void attention(const axk1_layer &layer, int index, const Places &places);
    void queries(const axk1_layer &layer, const Places &places);
    void remember(const axk1_layer &layer, int index, const Places &places);
    void divide(const Places &places);
    void absorb(const axk1_layer &layer, const Places &places);
    void absorb_head(const axk1_matrix &kv_b, int64_t head, const float *q, int64_t count, float *out) const;
    void attend(int index, const Places &places);
    void look(int index, const Places &places, int32_t s, int64_t head, int64_t heads);
    void raise(const axk1_layer &layer, const Places &places);
    void expand(const axk1_layer &layer, int index, const Places &places, int32_t s, int64_t positions);
    void read_prompt(const axk1_layer &layer, int index, const Places &places, int32_t s);
    void collect(int64_t n);
    void feed_forward(const axk1_layer &layer, int index, int64_t n);
    void route(const axk1_layer &layer, int64_t n);
    void choose(const float *bias, int64_t token);
    void rank(const float *bias, float *score, int64_t count);
    void notice(int index);
    void group(int64_t n);
    void by_waves(const axk1_layer &layer, int index, int64_t n);
    void look_ahead(int index, int64_t n);
    void wave(const axk1_layer &layer, const std::vector<Held> &experts, bool shared, int64_t n);
    void inner(const axk1_layer &layer, int64_t tokens);
    void outer();
    void combine(const axk1_layer &layer, int64_t n);
    // Normed rows of x, in E, and as floats in normed_.
    void normed(const float *weight, int64_t n);
    void turn(const Places &places); // the cos and sin of every token
    void rotate(float *x, int64_t token) const;

    int64_t width_; // U
    LatentCache<E> cache_;
    Buffer<float> x_, normed_, latent_, q_, joint_, mixed_, values_, out_, hidden_, scores_, angles_;
    Buffer<E> normed_e_, latent_e_, q_e_, mixed_e_, hidden_e_, keys_, expanded_;
    const float *last_norm_ = nullptr; // what x_ of the last pass goes through to be its states
    Buffer<float> joined_, draft_scores_;
    Buffer<E> joined_e_;
    std::vector<int32_t> few_, prompts_; // sequences by how their attention is computed
    std::vector<std::pair<int64_t, int64_t>> runs_; // tokens of few_ that lie one after the other: first, last + 1
    std::vector<uint8_t> in_prompt_;     // of every token, whether its sequence is one of prompts_
    Rows<E> rows_, latent_rows_, head_rows_;
    Rows<float> exact_rows_;

    // Experts: pairs of a token and one of its experts lie sorted by expert, those of e from first_pair_[e] on.
    std::vector<int32_t> chosen_, first_pair_, pair_of_, pair_token_, busy_; // busy_: experts that have tokens
    std::vector<float> gate_, interest_, biased_; // interest_: of every expert, what routers think of it in this batch
    std::vector<int32_t> order_;                  // experts by score, the best first
    int64_t steps_ = 0;                           // tokens so far
    Buffer<float> guess_x_, guess_scores_;
    Rows<float> guess_rows_;

    // A wave: some of the busy experts and perhaps the shared one, which are computed together.
    struct Work {
        const axk1_matrix *three; // gate, up, down
        bool shared;
        int64_t start, count; // rows of the wave's hidden values: pairs, then tokens
        int64_t pair;         // where its rows begin in out_
    };
    std::vector<Work> work_;
    std::vector<int32_t> wave_token_;
    Rows<E> wave_rows_, routed_, shared_; // inputs of the wave's pairs; hidden values of its pairs, and of every token
};

} // namespace axk1
