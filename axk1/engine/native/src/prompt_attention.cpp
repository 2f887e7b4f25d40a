// Attention of a prompt: many new tokens of one sequence share the keys and values of its heads, which are worth making.
// Where the kernels have panels and numbers are bf16, keys and values are kept as panels (kernels/panel.h): keys with
// positions side by side, values with columns side by side and positions in pairs.
#include <type_traits>

#include "forward.h"
#include "softmax.h"

namespace axk1 {

static constexpr int64_t EXPAND_POSITIONS = PANEL; // latents of a piece
static_assert(CHUNK_POSITIONS % PANEL == 0, "a chunk of positions is whole panels");

static int64_t up_to(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

template <class E> static bool in_panels(const Kernels &k, int64_t q_size) { return std::is_same_v<E, bf16> && k.panel && k.panel->dots_bf16 && q_size % 2 == 0; }

// Keys and values of the heads of one sequence, by head.
template <class E> struct Heads {
    E *keys, *values;
    int64_t positions, q_size, v; // positions and v of panels are whole ones

    E *key_panel(int64_t head, int64_t position) const { return keys + (head * positions + position) * q_size; }
    E *value_panel(int64_t head, int64_t column, int64_t position) const { return values + (head * v + column) * positions + position * PANEL; }
};

// Pairs of rows, interleaved: out[p][j] = row 2 p, then row 2 p + 1, of column j; what is not there is zero.
static void pair_rows(const bf16 *rows, int64_t n, int64_t columns, int64_t step, bf16 *out) {
    for (int64_t p = 0; p < PANEL / 2; p++)
        for (int64_t j = 0; j < PANEL; j++)
            for (int64_t i = 0; i < 2; i++) out[(p * PANEL + j) * 2 + i] = 2 * p + i < n && j < columns ? rows[(2 * p + i) * step + j] : bf16(0);
}

static void store_panels(const Kernels &k, const Heads<bf16> &heads, int64_t head, int64_t first, int64_t n, const bf16 *keys, const bf16 *values, int64_t v) {
    k.panel->turn(reinterpret_cast<const uint8_t *>(keys), heads.q_size * 2, heads.q_size * 2, n, 16, heads.q_size / 2, reinterpret_cast<uint32_t *>(heads.key_panel(head, first)));
    for (int64_t j = 0; j < v; j += PANEL) pair_rows(values + j, n, v - j, v, heads.value_panel(head, j, first));
}
static void store_panels(const Kernels &, const Heads<float> &, int64_t, int64_t, int64_t, const float *, const float *, int64_t) {}

// keys_ and expanded_ from the latents of sequence s in the cache: [positions, H, O + R] and [positions, H, V], or panels.
template <class E> void Forward<E>::expand(const axk1_layer &layer, int index, const Places &places, int32_t s, int64_t positions) {
    const Kernels &k = kernels();
    bool panels = in_panels<E>(k, spec.nope + spec.rope);
    int64_t q_size = spec.nope + spec.rope, v = spec.value, step = spec.nope + v, wide = spec.heads * step, l = spec.kv_rank;
    int64_t held = up_to(positions, PANEL), v_held = panels ? up_to(v, PANEL) : v;
    Heads<E> heads{keys_.reserve(held * spec.heads * q_size), expanded_.reserve(held * spec.heads * v_held), held, q_size, v_held};
    pool.each(held / EXPAND_POSITIONS, [&](int64_t piece) {
        int64_t first = piece * EXPAND_POSITIONS, n = std::min(EXPAND_POSITIONS, positions - first);
        thread_local std::vector<float> both, exact;
        thread_local std::vector<E> own, stored;
        thread_local Rows<E> latents;
        both.resize(size_t(n * wide)), exact.resize(size_t(n * l)), own.resize(size_t(n * (q_size + v))), stored.resize(size_t(cache_.room(n)));
        latents.resize(std::vector<uint8_t>(size_t(n), 1));
        for (int64_t i = 0; i < n; i++) {
            const E *row = cache_.rows(index, places.slot(s, first + i), 1, stored.data() + cache_.room(i));
            latents.at[i] = row;
            widen(row, l, exact.data() + i * l); // for a float32 up-projection beside bfloat16 activations
            latents.exact[i] = exact.data() + i * l;
        }
        if (latents.make_room(layer.kv_b))
            for (int64_t i = 0; i < n; i++) latents.quantise(k, i, layer.kv_b);
        product(k, layer.kv_b, latents, 0, n, 0, wide, both.data(), wide);
        for (int64_t h = 0; h < spec.heads; h++) {
            int64_t key_step = panels ? q_size : spec.heads * q_size, value_step = panels ? v : spec.heads * v;
            E *keys = panels ? own.data() : heads.keys + (first * spec.heads + h) * q_size;
            E *values = panels ? own.data() + n * q_size : heads.values + (first * spec.heads + h) * v;
            for (int64_t i = 0; i < n; i++) {
                const float *from = both.data() + i * wide + h * step;
                narrow(k, from, spec.nope, keys + i * key_step);
                std::copy_n(latents.at[i] + l, spec.rope, keys + i * key_step + spec.nope);
                narrow(k, from + spec.nope, v, values + i * value_step);
            }
            if (panels) store_panels(k, heads, h, first, n, keys, values, v);
        }
    });
}

// What a tile of queries of one head computes with keys and values: rows that lie one after the other.
template <class E> struct RowHead {
    const Kernels &k;
    const E *keys, *values;
    int64_t q_step, v_step, q_size, v;

    void score(const E *const *x, int64_t m, int64_t from, int64_t to, float *scores) const { dots(k, x, m, keys + from * q_step, q_step, to - from, q_size, scores, CHUNK_POSITIONS); }
    void weigh(const float *weights, int64_t m, int64_t from, int64_t to, float *out) const { mix(k, weights, CHUNK_POSITIONS, m, values + from * v_step, v_step, to - from, v, out, v); }
};

// The same by panels.
struct PanelHead {
    const Kernels &k;
    Heads<bf16> heads;
    int64_t head, v;

    void score(const bf16 *const *x, int64_t m, int64_t from, int64_t to, float *scores) const {
        Ahead nothing;
        for (int64_t p = from; p < to; p += PANEL)
            k.panel->dots_bf16(x, m, reinterpret_cast<const uint32_t *>(heads.key_panel(head, p)), 0, heads.q_size / 2, std::min<int64_t>(PANEL, to - p), false, scores + (p - from), CHUNK_POSITIONS, nothing);
    }
    void weigh(const float *weights, int64_t m, int64_t from, int64_t to, float *out) const {
        alignas(64) bf16 narrowed[TILE_ROWS][CHUNK_POSITIONS];
        const bf16 *rows[TILE_ROWS];
        for (int64_t i = 0; i < m; i++) {
            k.to_bf16(weights + i * CHUNK_POSITIONS, to - from, narrowed[i]);
            if ((to - from) % 2) narrowed[i][to - from] = 0;
            rows[i] = narrowed[i];
        }
        Ahead nothing;
        for (int64_t j = 0; j < v; j += PANEL)
            k.panel->dots_bf16(rows, m, reinterpret_cast<const uint32_t *>(heads.value_panel(head, j, from)), 0, (to - from + 1) / 2, std::min<int64_t>(PANEL, v - j), true, out + j, v, nothing);
    }
};

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
        const E *x[TILE_ROWS];
        for (int64_t r = 0; r < m; r++) x[r] = queries + (first + r) * q_step + h * q_size;
        float out[TILE_ROWS * 512];
        auto attend = [&](const auto &head) {
            online_softmax(
                k, m, v, places.position[start + first + m - 1] + 1, spec.softmax_scale, [&](int64_t r) { return int64_t(places.position[start + first + r]) + 1; },
                [&](int64_t from, int64_t to, float *scores) { head.score(x, m, from, to, scores); },
                [&](int64_t from, int64_t to, const float *weights) { head.weigh(weights, m, from, to, out); }, out);
        };
        if constexpr (std::is_same_v<E, bf16>)
            if (in_panels<E>(k, q_size)) attend(PanelHead{k, Heads<bf16>{keys_.get(), expanded_.get(), up_to(positions, PANEL), q_size, up_to(v, PANEL)}, h, v});
        if (!in_panels<E>(k, q_size)) attend(RowHead<E>{k, keys_.get() + h * q_size, expanded_.get() + h * v, q_step, v_step, q_size, v});
        for (int64_t r = 0; r < m; r++) std::copy_n(out + r * v, v, values_.get() + (start + first + r) * v_step + h * v);
    });
}

template class Forward<float>;
template class Forward<bf16>;

} // namespace axk1
