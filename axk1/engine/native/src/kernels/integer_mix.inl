// Sums of rows of integer weights, each weighed by a float, in plain loops that the compiler turns into the vectors of the file
// that includes this: the key up-projection of a query. A row of out is computed by itself, so neighbours do not matter.

constexpr int64_t MIX_UNIT = 32, MIX_COLUMNS = 256; // columns that share a scale; whose sums are in the nearest cache at a time

// to[c] += weight * (code - zero) for the n codes of a unit: of int4 the even columns first, then the odd ones.
template <int BITS> __attribute__((always_inline)) inline void mix_unit(const uint8_t *codes, int64_t n, float weight, int32_t zero, float *to) {
    if (BITS == 8) {
        for (int64_t c = 0; c < n; c++) to[c] += weight * float(int32_t(codes[c]) - zero);
    } else {
        for (int64_t c = 0; c < n / 2; c++) to[c] += weight * float(int32_t(codes[c] & 15) - zero);
        for (int64_t c = 0; c < n / 2; c++) to[MIX_UNIT / 2 + c] += weight * float(int32_t(codes[c] >> 4) - zero);
    }
}

template <int BITS> void mix_columns(const float *p, const IntMatrix &w, int64_t row, int64_t s, int64_t first, int64_t n, float *out) {
    alignas(64) float sum[MIX_COLUMNS] = {0};
    int64_t whole = n / MIX_UNIT, rest = n % MIX_UNIT;
    for (int64_t t = 0; t < s; t++) {
        const uint8_t *codes = w.codes + (row + t) * w.row_bytes + first * BITS / 8;
        for (int64_t u = 0; u * MIX_UNIT < n; u++) {
            int64_t at = (row + t) * w.groups + (first + u * MIX_UNIT) / w.group;
            float weight = p[t] * scale_at(w, at);
            int32_t zero = zero_at(w, at, BITS);
            const uint8_t *from = codes + u * MIX_UNIT * BITS / 8;
            if (u < whole) mix_unit<BITS>(from, MIX_UNIT, weight, zero, sum + u * MIX_UNIT);
            else mix_unit<BITS>(from, (rest + 1) / 2 * 2, weight, zero, sum + u * MIX_UNIT); // rows are padded
        }
    }
    for (int64_t c = 0; c < n; c++) {
        int64_t within = c % MIX_UNIT;
        out[c] += sum[BITS == 8 ? c : c - within + within / 2 + within % 2 * (MIX_UNIT / 2)];
    }
}

template <int BITS> void int_mix(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    for (int64_t first = 0; first < w.columns; first += MIX_COLUMNS) {
        int64_t left = w.columns - first, n = left < MIX_COLUMNS ? left : MIX_COLUMNS;
        for (int64_t i = 0; i < m; i++) mix_columns<BITS>(p + i * p_step, w, row, s, first, n, out + i * out_step + first);
    }
}
