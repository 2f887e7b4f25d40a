// Products of plain floats in tiles, for the kind of vectors that the including file describes:
//
//   Floats               WIDTH floats; zeros(), everywhere(x), load(p), store(p, v), multiply_add(sum, a, b)
//   widened(p)           the first WIDTH values at p as floats, of float and of bf16
//   totals(a,b,c,d,to)   to[0 .. 3] = the sums of the four; the order of additions is the same for each of them
//   columns(m)           how many rows of w make a tile with m rows of x: as the registers allow
//   F32, F16, F32Bf16, Bf16: X, W, STEP elements of 64 bytes of w, which are PARTS vectors; load_x, load_w, add
//
// Every sum has one vector of its own, filled in one order, so it does not depend on the tile that it is computed in.

constexpr int64_t PLAIN_AHEAD = 16384; // bytes: far enough to hide the memory, near enough to stay within a thread's piece

// sum[i][j] += a STEP of the products of x[i] and row j of w.
template <class T, int M, int N>
__attribute__((always_inline)) inline void multiply(const typename T::X *const *x, int64_t at, const typename T::W *w, int64_t w_step, Floats (&sum)[M][N]) {
    #pragma GCC unroll 16
    for (int part = 0; part < T::PARTS; part++) {
        typename T::Vector column[N];
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) column[j] = T::load_w(w + j * w_step, part);
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            typename T::Vector row = T::load_x(x[i] + at, part);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = T::add(sum[i][j], row, column[j]);
            asm volatile("" ::: "memory"); // the next loads stay behind: sooner, they would need more registers than there are
        }
    }
}

template <int M, int N> __attribute__((always_inline)) inline void write(const Floats (&sum)[M][N], float *out, int64_t out_step) {
    const Floats none = zeros();
    #pragma GCC unroll 16
    for (int first = 0; first < M * N; first += 4) {
        auto one = [&](int at) __attribute__((always_inline)) { return at < M * N ? sum[at / N][at % N] : none; };
        float four[4];
        totals(one(first), one(first + 1), one(first + 2), one(first + 3), four);
        #pragma GCC unroll 16
        for (int at = 0; at < 4; at++)
            if (first + at < M * N) out[(first + at) / N * out_step + (first + at) % N] = four[at];
    }
}

// M rows of x times N rows of w. With FIRST, w comes from memory: what lies AHEAD is fetched in the order of its addresses.
template <class T, int M, int N, bool FIRST>
void tile(const typename T::X *const *x, const typename T::W *w, int64_t w_step, int64_t k, float *out, int64_t out_step) {
    const typename T::X *row[M];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++) row[i] = x[i];
    Floats sum[M][N];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = zeros();
    int64_t t = 0;
    for (; t + T::STEP <= k; t += T::STEP) {
        if (FIRST)
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) __builtin_prefetch((const char *)w + PLAIN_AHEAD + (t / T::STEP * N + j) * 64, 0, 2);
        multiply<T, M, N>(row, t, w + t, w_step, sum);
    }
    if (t < k) { // the same on copies that end in zeros
        typename T::X some_x[M][T::STEP] = {};
        typename T::W some_w[N][T::STEP] = {};
        for (int i = 0; i < M; i++) row[i] = some_x[i], __builtin_memcpy(some_x[i], x[i] + t, uint64_t(k - t) * sizeof(**x));
        for (int j = 0; j < N; j++) __builtin_memcpy(some_w[j], w + j * w_step + t, uint64_t(k - t) * sizeof(*w));
        multiply<T, M, N>(row, 0, some_w[0], T::STEP, sum);
    }
    write<M, N>(sum, out, out_step);
}

template <class T, int M, bool FIRST>
void rows(const typename T::X *const *x, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    constexpr int N = columns(M), HALF = N > 4 ? 4 : N;
    int64_t j = 0;
    for (; j + N <= n; j += N) tile<T, M, N, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
    for (; j + HALF <= n; j += HALF) tile<T, M, HALF, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
    for (; j < n; j++) tile<T, M, 1, FIRST>(x, w + j * w_step, w_step, k, out + j, out_step);
}

// The rows of x from i on, six at a time and then what is left; says how many.
template <class T, bool FIRST>
int64_t some_rows(const typename T::X *const *x, int64_t i, int64_t m, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    int64_t left = m - i;
    x += i, out += i * out_step;
    if (left >= 6) return rows<T, 6, FIRST>(x, w, w_step, n, k, out, out_step), 6;
    if (left >= 4) return rows<T, 4, FIRST>(x, w, w_step, n, k, out, out_step), 4;
    if (left >= 2) return rows<T, 2, FIRST>(x, w, w_step, n, k, out, out_step), 2;
    return rows<T, 1, FIRST>(x, w, w_step, n, k, out, out_step), 1;
}

template <class T>
void dots(const typename T::X *const *x, int64_t m, const typename T::W *w, int64_t w_step, int64_t n, int64_t k, float *out, int64_t out_step) {
    // rows of w that stay in the nearest cache while all of x passes; all of them where x passes once
    int64_t fit = 24576 / (k * int64_t(sizeof(*w))) / 4 * 4, band = m <= 6 ? n : fit > 4 ? fit : 4;
    for (int64_t j = 0; j < n; j += band) {
        int64_t part = n - j < band ? n - j : band;
        int64_t i = some_rows<T, true>(x, 0, m, w + j * w_step, w_step, part, k, out + j, out_step);
        while (i < m) i += some_rows<T, false>(x, i, m, w + j * w_step, w_step, part, k, out + j, out_step);
    }
}

// N vectors of columns of M rows.
template <class C, int M, int N> inline void mix_tile(const float *p, int64_t p_step, const C *c, int64_t c_step, int64_t s, float *out, int64_t out_step) {
    Floats sum[M][N];
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) sum[i][j] = load(out + i * out_step + j * WIDTH);
    for (int64_t t = 0; t < s; t++) {
        Floats value[N];
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) value[j] = widened(c + t * c_step + j * WIDTH);
        #pragma GCC unroll 16
        for (int i = 0; i < M; i++) {
            Floats weight = everywhere(p[i * p_step + t]);
            #pragma GCC unroll 16
            for (int j = 0; j < N; j++) sum[i][j] = multiply_add(sum[i][j], weight, value[j]);
        }
    }
    #pragma GCC unroll 16
    for (int i = 0; i < M; i++)
        #pragma GCC unroll 16
        for (int j = 0; j < N; j++) store(out + i * out_step + j * WIDTH, sum[i][j]);
}

inline float plain(float x) { return x; }
inline float plain(bf16 x) { return from_bf16(x); }

template <class C, int M> void mix_rows(const float *p, int64_t p_step, const C *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    constexpr int N = columns(M);
    int64_t j = 0;
    for (; j + N * WIDTH <= l; j += N * WIDTH) mix_tile<C, M, N>(p, p_step, c + j, c_step, s, out + j, out_step);
    for (; j + WIDTH <= l; j += WIDTH) mix_tile<C, M, 1>(p, p_step, c + j, c_step, s, out + j, out_step);
    for (; j < l; j++) // columns of no whole vector: no model that people use has them
        for (int i = 0; i < M; i++)
            for (int64_t t = 0; t < s; t++) out[i * out_step + j] = __builtin_fmaf(p[i * p_step + t], plain(c[t * c_step + j]), out[i * out_step + j]);
}

template <class C> void mix(const float *p, int64_t p_step, int64_t m, const C *c, int64_t c_step, int64_t s, int64_t l, float *out, int64_t out_step) {
    int64_t i = 0;
    for (; i + 4 <= m; i += 4) mix_rows<C, 4>(p + i * p_step, p_step, c, c_step, s, l, out + i * out_step, out_step);
    for (; i < m; i++) mix_rows<C, 1>(p + i * p_step, p_step, c, c_step, s, l, out + i * out_step, out_step);
}
