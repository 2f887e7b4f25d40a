// Products of integer weights in tiles, for the kind of vectors that the including file describes, beside what
// plain_tiles.inl asks for:
//
//   bf16_everywhere(p)       the value at p in every lane, as floats
//   halves(a, b)             the low half of a's lanes, then the high half of b's; where a part has two UNITS
//   times(a, b)
//   integer_columns(m)       how many rows of w make a tile with m rows of x: as the registers allow
//   Int4, Int8               what a part of a block of codes (quantised.h) is in the registers: PARTS of them a block, each of
//                            UNITS times 32 columns; its codes are those of the file minus CENTRE;
//       T(codes, part)           from the block's 64 bytes
//       dot(x, part)             the products with the block's activations x, some columns a lane, as floats
//       sums(sum, part), step(scale, part): of those columns of the activations, a lane each, as floats
//
// sum over columns of (code - zero) * scale * x: minus zero times the sum of the activations, which is known beforehand, is
// added to each lane's dot; both are whole numbers that floats hold. As with plain floats no sum depends on the tile that it
// is computed in.

constexpr int64_t INTEGER_AHEAD = 8192; // bytes; see plain_tiles.inl

// The group of a unit of 32 columns; the padding of the last block belongs to the last group.
class Groups {
  public:
    explicit Groups(const IntMatrix &w) : shift_(__builtin_ctzll(uint64_t(w.group) / 32)), last_(w.groups - 1) {}
    int64_t of(int64_t unit) const { return unit >> shift_ < last_ ? unit >> shift_ : last_; }

  private:
    int shift_;
    int64_t last_;
};

template <bool WIDE> inline Floats scale_everywhere(const IntMatrix &w, int64_t at) {
    return WIDE ? everywhere(static_cast<const float *>(w.scale)[at]) : bf16_everywhere(static_cast<const bf16 *>(w.scale) + at);
}

// The scales of a part whose first and second 32 columns are of these groups; with SPLIT they may be two.
template <bool WIDE, bool SPLIT> inline Floats scales(const IntMatrix &w, int64_t row, int64_t first, int64_t second) {
    Floats one = scale_everywhere<WIDE>(w, row * w.groups + first);
    if constexpr (!SPLIT) return one;
    else return halves(one, scale_everywhere<WIDE>(w, row * w.groups + second));
}

inline Floats minus_zero(const IntMatrix &w, int64_t at, int32_t centre) { return everywhere(float(centre - int32_t(w.zero[at]))); }

template <class T, bool SPLIT> inline Floats minus_zeros(const IntMatrix &w, int64_t row, int64_t first, int64_t second) {
    Floats one = minus_zero(w, row * w.groups + first, T::CENTRE);
    if constexpr (!SPLIT) return one;
    else return halves(one, minus_zero(w, row * w.groups + second, T::CENTRE));
}

// sum[i][j] += block b of x[i] times the block of codes of row + j.
template <class T, bool WIDE, bool ASYMMETRIC, bool SPLIT, int M, int N>
__attribute__((always_inline)) inline void multiply(const IntRow *x, const IntMatrix &w, int64_t row, int64_t b, const uint8_t *codes, int64_t codes_step, const Groups &groups, Floats (&sum)[M][N]) {
    constexpr int32_t MIDDLE = 1 << (T::BITS - 1);
    constexpr bool SHIFTED = ASYMMETRIC || T::CENTRE != MIDDLE;
    #pragma GCC unroll 16
    for (int part = 0; part < T::PARTS; part++) {
        int64_t unit = (b * T::PARTS + part) * T::UNITS, first = groups.of(unit), second = SPLIT ? groups.of(unit + 1) : first;
        Floats total[M];
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) total[i] = SHIFTED ? T::sums(x[i].sum + b * 16, part) : zeros();
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) {
            T block(codes + j * codes_step, part);
            Floats scale = scales<WIDE, SPLIT>(w, row + j, first, second);
            Floats zero = ASYMMETRIC ? minus_zeros<T, SPLIT>(w, row + j, first, second) : everywhere(float(T::CENTRE - MIDDLE));
            #pragma GCC unroll 16
            for (int i = 0; i < M; i++) {
                Floats dot = block.dot(x[i].value + b * block_columns(T::BITS), part);
                if (SHIFTED) dot = multiply_add(dot, total[i], zero);
                sum[i][j] = multiply_add(sum[i][j], dot, times(scale, T::step(x[i].scale + b * 16, part)));
            }
            asm volatile("" ::: "memory"); // see plain_tiles.inl
        }
    }
}

template <class T, bool WIDE, bool ASYMMETRIC, bool SPLIT, int M, int N, bool FIRST>
void tile(const IntRow *x_, const IntMatrix &w_, int64_t row, float *out, int64_t out_step) {
    const IntMatrix w = w_; // copies, which the compiler keeps in registers
    IntRow x[M];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++) x[i] = x_[i];
    const uint8_t *codes = w.codes + row * w.row_bytes;
    const Groups groups(w);
    Floats sum[M][N];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = zeros();
    int64_t whole = w.row_bytes / 64, rest = w.row_bytes % 64;
    for (int64_t b = 0; b < whole; b++) {
        if (FIRST)
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) __builtin_prefetch(codes + INTEGER_AHEAD + (b * N + j) * 64, 0, 2);
        multiply<T, WIDE, ASYMMETRIC, SPLIT, M, N>(x, w, row, b, codes + b * 64, w.row_bytes, groups, sum);
    }
    if (rest) { // the same on copies; the activations beyond are zeros
        uint8_t some[N][64] = {};
        for (int j = 0; j < N; j++) __builtin_memcpy(some[j], codes + j * w.row_bytes + whole * 64, uint64_t(rest));
        multiply<T, WIDE, ASYMMETRIC, SPLIT, M, N>(x, w, row, whole, some[0], 64, groups, sum);
    }
    write<M, N>(sum, out, out_step);
}

template <class T, bool WIDE, bool ASYMMETRIC, bool SPLIT, int M, bool FIRST>
void rows(const IntRow *x, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    constexpr int N = integer_columns(M);
    int64_t j = 0;
    for (; j + N <= n; j += N) tile<T, WIDE, ASYMMETRIC, SPLIT, M, N, FIRST>(x, w, row + j, out + j, out_step);
    for (; j < n; j++) tile<T, WIDE, ASYMMETRIC, SPLIT, M, 1, FIRST>(x, w, row + j, out + j, out_step);
}

template <class T, bool WIDE, bool ASYMMETRIC, bool SPLIT, bool FIRST>
int64_t some_rows(const IntRow *x, int64_t left, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    if (left >= 4) return rows<T, WIDE, ASYMMETRIC, SPLIT, 4, FIRST>(x, w, row, n, out, out_step), 4;
    if (left >= 2) return rows<T, WIDE, ASYMMETRIC, SPLIT, 2, FIRST>(x, w, row, n, out, out_step), 2;
    return rows<T, WIDE, ASYMMETRIC, SPLIT, 1, FIRST>(x, w, row, n, out, out_step), 1;
}

template <class T, bool WIDE, bool ASYMMETRIC, bool SPLIT>
void all_rows(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    int64_t fit = 24576 / w.row_bytes / 4 * 4, band = m <= 4 ? n : fit > 4 ? fit : 4; // stays in the nearest cache
    for (int64_t j = 0; j < n; j += band) {
        int64_t part = n - j < band ? n - j : band;
        int64_t i = some_rows<T, WIDE, ASYMMETRIC, SPLIT, true>(x, m, w, row + j, part, out + j, out_step);
        while (i < m) i += some_rows<T, WIDE, ASYMMETRIC, SPLIT, false>(x + i, m - i, w, row + j, part, out + i * out_step + j, out_step);
    }
}

template <class T, bool WIDE, bool ASYMMETRIC> void int_dots(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    if (T::UNITS > 1 && w.group == 32) all_rows<T, WIDE, ASYMMETRIC, (T::UNITS > 1)>(x, m, w, row, n, out, out_step);
    else all_rows<T, WIDE, ASYMMETRIC, false>(x, m, w, row, n, out, out_step);
}

template <class T> void int_dots(const IntRow *x, int64_t m, const IntMatrix &w, int64_t row, int64_t n, float *out, int64_t out_step) {
    if (w.wide_scale && w.zero) int_dots<T, true, true>(x, m, w, row, n, out, out_step);
    else if (w.wide_scale) int_dots<T, true, false>(x, m, w, row, n, out, out_step);
    else if (w.zero) int_dots<T, false, true>(x, m, w, row, n, out, out_step);
    else int_dots<T, false, false>(x, m, w, row, n, out, out_step);
}
