// Softmax attention of a tile of rows over positions that come in chunks, in one pass (online softmax, Milakov and
// Gimelshein 2018): the running maximum and sum of each row, and its weighed values so far.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/kernels.h"

namespace axk1 {

constexpr int64_t TILE_ROWS = 64;        // rows that share one pass over the positions
constexpr int64_t CHUNK_POSITIONS = 256; // whose scores exist at a time: they and what they weigh stay near

// The element types' kernels by one name.
inline void dots(const Kernels &k, const float *const *x, int64_t m, const float *w, int64_t step, int64_t n, int64_t width, float *out, int64_t out_step) {
    k.dots_f32(x, m, w, step, n, width, out, out_step);
}
inline void dots(const Kernels &k, const bf16 *const *x, int64_t m, const bf16 *w, int64_t step, int64_t n, int64_t width, float *out, int64_t out_step) {
    k.dots_bf16(x, m, w, step, n, width, out, out_step);
}
inline void mix(const Kernels &k, const float *p, int64_t p_step, int64_t m, const float *c, int64_t step, int64_t s, int64_t l, float *out, int64_t out_step) {
    k.mix_f32(p, p_step, m, c, step, s, l, out, out_step);
}
inline void mix(const Kernels &k, const float *p, int64_t p_step, int64_t m, const bf16 *c, int64_t step, int64_t s, int64_t l, float *out, int64_t out_step) {
    k.mix_bf16(p, p_step, m, c, step, s, l, out, out_step);
}
inline void narrow(const Kernels &, const float *x, int64_t n, float *to) { std::copy_n(x, n, to); }
inline void narrow(const Kernels &k, const float *x, int64_t n, bf16 *to) { k.to_bf16(x, n, to); }

// out[m, l] = softmax over the first visible(i) of `positions` of the scores, times the values.
// score(start, end, scores): fills scores[i * CHUNK_POSITIONS + p - start]; weigh(start, end, weights): adds weights * values to out.
template <class Visible, class Score, class Weigh>
void online_softmax(const Kernels &k, int64_t m, int64_t l, int64_t positions, float scale, Visible visible, Score score, Weigh weigh, float *out) {
    float top[TILE_ROWS], sum[TILE_ROWS], scores[TILE_ROWS * CHUNK_POSITIONS];
    std::fill_n(top, m, -INFINITY);
    std::fill_n(sum, m, 0.0f);
    std::fill_n(out, m * l, 0.0f);
    for (int64_t start = 0; start < positions; start += CHUNK_POSITIONS) {
        int64_t end = std::min(start + CHUNK_POSITIONS, positions);
        score(start, end, scores);
        for (int64_t i = 0; i < m; i++) {
            float *row = scores + i * CHUNK_POSITIONS;
            int64_t seen = std::clamp<int64_t>(visible(i) - start, 0, end - start);
            std::fill(row + seen, row + (end - start), 0.0f);
            if (!seen) continue;
            k.scale(row, seen, scale);
            float best = std::max(top[i], k.largest(row, seen));
            float shrink = top[i] == best ? 1.0f : std::exp(top[i] - best);
            if (shrink != 1.0f) k.scale(out + i * l, l, shrink);
            sum[i] = sum[i] * shrink + k.exp_sum(row, seen, best);
            top[i] = best;
        }
        weigh(start, end, scores);
    }
    for (int64_t i = 0; i < m; i++) k.scale(out + i * l, l, 1.0f / sum[i]);
}

} // namespace axk1
