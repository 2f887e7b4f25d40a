// Sums of rows of integer weights, each weighed by a float: the key up-projection of a query. Some rows at a time become floats,
// and all rows of x then meet them in plain_tiles.inl, whose sums do not depend on m. Beside what integer_tiles.inl asks for,
// the including file says how codes become floats:
//
//   decode_unit<BITS>(codes, scale, zero, to)    to[c] = (code - zero) * scale of 32 columns

constexpr int64_t MIX_UNIT = 32, MIX_COLUMNS = 256, MIX_ROWS = 16; // columns that share a scale; what is decoded at a time: 16 KB

// to[c] = columns [first, first + n) of a row; what follows up to a whole unit is written too.
template <int BITS> void decode(const IntMatrix &w, const Groups &groups, int64_t row, int64_t first, int64_t n, float *to) {
    const uint8_t *codes = w.codes + row * w.row_bytes + first * BITS / 8;
    for (int64_t c = 0; c < n; c += MIX_UNIT) {
        int64_t at = row * w.groups + groups.of((first + c) / MIX_UNIT);
        uint8_t some[MIX_UNIT];
        const uint8_t *from = codes + c * BITS / 8;
        if (n - c < MIX_UNIT) __builtin_memcpy(some, from, uint64_t((n - c) * BITS + 7) / 8), from = some;
        decode_unit<BITS>(from, scale_at(w, at), float(zero_at(w, at, BITS)), to + c);
    }
}

template <int BITS> void int_mix(const float *p, int64_t p_step, int64_t m, const IntMatrix &w, int64_t row, int64_t s, float *out, int64_t out_step) {
    const Groups groups(w);
    alignas(64) float decoded[MIX_ROWS * MIX_COLUMNS];
    for (int64_t first = 0; first < w.columns; first += MIX_COLUMNS)
        for (int64_t t = 0; t < s; t += MIX_ROWS) {
            int64_t n = w.columns - first < MIX_COLUMNS ? w.columns - first : MIX_COLUMNS, some = s - t < MIX_ROWS ? s - t : MIX_ROWS;
            for (int64_t r = 0; r < some; r++) decode<BITS>(w, groups, row + t + r, first, n, decoded + r * MIX_COLUMNS);
            mix<float>(p + t, p_step, m, decoded, MIX_COLUMNS, some, n, out + first, out_step);
        }
}
