// Proves every set of kernels that this CPU runs: each function of its table against the scalar one, and the C interface
// against expectations from NumPy, read from a file that tests/engine/test_kernels_golden.py writes.
//
//   check_kernels FILE SET...    SET: the sets that this CPU must offer; prints a line for each, exits with 1 on a mismatch
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "axk1.h"
#include "kernels/kernels.h"

using namespace axk1;

namespace {

struct Product { // mirrored in test_kernels_golden.py, as are the next two
    const axk1_matrix *weight;
    const float *x, *expected;
    int32_t rows;
    float tolerance;
};

struct Step {
    const axk1_batch *batch;
    const float *expected; // [n_wanted, vocab] logits
};

struct Golden {
    const Product *products;
    const axk1_model_spec *models;
    const Step *steps; // [n_models, n_steps]
    const float *tolerances; // [n_models]
    int32_t n_products, n_models, n_steps, unused;
};

int failures = 0;
double nearest = 0; // the largest share of a tolerance that a difference took

void compare(const std::string &what, const float *found, const float *expected, size_t n, double tolerance) {
    for (size_t i = 0; i < n; i++) {
        double gap = std::fabs(double(found[i]) - double(expected[i]));
        nearest = std::max(nearest, gap / tolerance);
        if (gap <= tolerance) continue; // not so for NaN
        std::printf("%s: %s, number %zu is %g, not %g (tolerance %g)\n", axk1_kernels(), what.c_str(), i, found[i], expected[i], tolerance);
        failures++;
        return;
    }
}

void same(const std::string &what, const float *found, const float *expected, size_t n) {
    if (std::memcmp(found, expected, n * sizeof(float)) == 0) return;
    std::printf("%s: %s: the bits depend on the rows beside them\n", axk1_kernels(), what.c_str());
    failures++;
}

std::mt19937 generator(0);

std::vector<float> normal(size_t n) {
    std::normal_distribution<float> draw;
    std::vector<float> values(n);
    for (float &one : values) one = draw(generator);
    return values;
}

template <class T> std::vector<T> stored(const std::vector<float> &values);
template <> std::vector<float> stored(const std::vector<float> &values) { return values; }
template <> std::vector<uint16_t> stored(const std::vector<float> &values) {
    std::vector<uint16_t> bits;
    for (float one : values) bits.push_back(to_bf16(one)); // as f16 they are other, finite numbers, which will do
    for (uint16_t &one : bits) one = uint16_t((one & 0x8000) | (one & 0x3fff)); // below 2
    return bits;
}

template <class X, class W> void check_dots(const char *name, Dots<X, W> ours, Dots<X, W> scalar) {
    for (auto [m, n, k] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {1, 9, 100}, {2, 5, 33}, {7, 13, 64}, {13, 3, 31}, {12, 20, 2100}, {65, 11, 576}}) {
        int64_t step = k + 3, out_step = n + 2;
        auto x = stored<X>(normal(size_t(m * k)));
        auto w = stored<W>(normal(size_t(n * step)));
        std::vector<const X *> rows;
        for (int64_t i = 0; i < m; i++) rows.push_back(x.data() + i * k);
        std::vector<float> found(size_t(m * out_step), 7), expected(found), alone(size_t(out_step), 7);
        ours(rows.data(), m, w.data(), step, n, k, found.data(), out_step);
        scalar(rows.data(), m, w.data(), step, n, k, expected.data(), out_step);
        compare(name, found.data(), expected.data(), found.size(), 2e-5 * std::sqrt(double(k))); // what lies between the rows too
        for (int64_t i = 0; i < m; i++) {
            ours(rows.data() + i, 1, w.data(), step, n, k, alone.data(), out_step);
            same(name, alone.data(), found.data() + i * out_step, size_t(n));
        }
    }
}

template <class C> void check_mix(const char *name, Mix<C> ours, Mix<C> scalar, double tolerance) {
    for (auto [m, s, l] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {5, 3, 10}, {4, 16, 64}, {3, 7, 131}, {9, 40, 129}, {6, 17, 512}}) {
        int64_t p_step = s + 1, step = l + 5, out_step = l + 2;
        auto p = normal(size_t(m * p_step));
        auto c = stored<C>(normal(size_t(s * step)));
        auto found = normal(size_t(m * out_step)), expected = found, first = found;
        ours(p.data(), p_step, m, c.data(), step, s, l, found.data(), out_step);
        scalar(p.data(), p_step, m, c.data(), step, s, l, expected.data(), out_step);
        compare(name, found.data(), expected.data(), found.size(), tolerance * std::sqrt(double(s)));
        for (int64_t i = 0; i < m; i++) {
            ours(p.data() + i * p_step, p_step, 1, c.data(), step, s, l, first.data() + i * out_step, out_step);
            same(name, first.data() + i * out_step, found.data() + i * out_step, size_t(l));
        }
    }
}

// Codes, scales and zero points at random: a matrix whose rows are weighed, and the sums as they are on paper.
void check_mix_int(const char *name, IntMix ours, int bits, int64_t group, bool wide, bool zeros) {
    for (auto [m, s, l] : {std::tuple<int64_t, int64_t, int64_t>{1, 1, 32}, {2, 5, 160}, {5, 33, 256}, {7, 16, 512}, {3, 4, 50}, {9, 3, 37}}) {
        if (group && l % group) continue;
        int64_t each = group ? group : l, groups = l / each, step = (l * bits + 31) / 32 * 4, p_step = s + 1, out_step = l + 2;
        std::vector<uint8_t> codes(size_t((s + 1) * step)), zero(size_t((s + 1) * groups));
        for (auto *list : {&codes, &zero})
            for (uint8_t &one : *list) one = uint8_t(generator());
        for (uint8_t &one : zero) one = uint8_t(one & ((1 << bits) - 1));
        auto scale = normal(size_t((s + 1) * groups)), p = normal(size_t(m * p_step)), found = normal(size_t(m * out_step)), alone = found;
        auto narrow = stored<uint16_t>(scale);
        IntMatrix w{codes.data(), wide ? static_cast<const void *>(scale.data()) : narrow.data(), zeros ? zero.data() : nullptr, step, l, group ? group : int64_t(1) << 40, groups, wide};
        auto expected = found;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < l; j++) {
                double sum = 0;
                for (int64_t t = 0; t < s; t++) {
                    int64_t at = (1 + t) * groups + j / each;
                    int code = bits == 8 ? codes[size_t((1 + t) * step + j)] : codes[size_t((1 + t) * step + j / 2)] >> (j % 2 * 4) & 15;
                    sum += double(p[size_t(i * p_step + t)]) * (code - (zeros ? zero[size_t(at)] : 1 << (bits - 1))) * double(wide ? scale[size_t(at)] : from_bf16(narrow[size_t(at)]));
                }
                expected[size_t(i * out_step + j)] += float(sum);
            }
        ours(p.data(), p_step, m, w, 1, s, found.data(), out_step);
        compare(name, found.data(), expected.data(), found.size(), 2e-6 * (1 << bits) * std::sqrt(double(s)));
        for (int64_t i = 0; i < m; i++) {
            ours(p.data() + i * p_step, p_step, 1, w, 1, s, alone.data() + i * out_step, out_step);
            same(name, alone.data() + i * out_step, found.data() + i * out_step, size_t(l));
        }
    }
}

void check_rows(const Kernels &ours, const Kernels &scalar) {
    for (int64_t n : {1, 5, 16, 37, 1031}) {
        auto x = normal(size_t(n)), y = normal(size_t(n));
        auto compared = [&](const char *name, double tolerance, const std::function<void(const Kernels &, float *)> &run) {
            auto found = x, expected = x;
            run(ours, found.data());
            run(scalar, expected.data());
            compare(name, found.data(), expected.data(), size_t(n), tolerance);
        };
        compared("rms_norm", 1e-5, [&](const Kernels &k, float *out) { k.rms_norm(x.data(), y.data(), n, 1e-6f, out); });
        compared("swiglu", 1e-5, [&](const Kernels &k, float *out) { k.swiglu(x.data(), y.data(), n, out); });
        compared("scale", 1e-6, [&](const Kernels &k, float *out) { k.scale(out, n, 0.37f); });
        compared("add", 1e-6, [&](const Kernels &k, float *out) { k.add(out, y.data(), n, -1.7f); });
        compared("largest", 0x1p-126, [&](const Kernels &k, float *out) { out[0] = k.largest(x.data(), n); });
        compared("exp_sum", 1e-5, [&](const Kernels &k, float *out) {
            float sum = k.exp_sum(out, n, 1.5f);
            out[0] += sum / float(n);
        });
        compared("to_bf16", 0x1p-126, [&](const Kernels &k, float *out) {
            std::vector<bf16> narrow(static_cast<size_t>(n));
            k.to_bf16(x.data(), n, narrow.data());
            for (int64_t i = 0; i < n; i++) out[i] = from_bf16(narrow[size_t(i)]);
        });
    }
}

void check_quantise_row(const Kernels &ours, const Kernels &scalar) {
    for (int bits : {4, 8})
        for (int64_t n : {5, 32, 100, 128, 260}) {
            auto x = normal(size_t(n));
            size_t all = size_t(blocks(n, bits));
            std::vector<int8_t> value[2];
            std::vector<float> step[2];
            std::vector<int32_t> sum[2];
            for (int i : {0, 1}) {
                value[i].resize(all * size_t(block_columns(bits))), step[i].resize(all * 16), sum[i].resize(all * 16);
                (i ? scalar : ours).ints.quantise_row(x.data(), n, bits, value[i].data(), step[i].data(), sum[i].data());
            }
            compare("quantise_row", step[0].data(), step[1].data(), all * 16, 1e-7);
            std::vector<float> found(value[0].begin(), value[0].end()), expected(value[1].begin(), value[1].end());
            compare("quantise_row", found.data(), expected.data(), found.size(), 1); // a half may fall to either side
            for (size_t i = 0; i < all * 16; i++) {
                size_t lane = size_t(block_columns(bits)) / 16, block = i / 16 * size_t(block_columns(bits)), total = 0;
                for (size_t j = 0; j < lane; j++) {
                    size_t column = i % 16 * lane + j;
                    total += size_t(int64_t(value[0][block + (bits == 4 ? column / 2 + column % 2 * 64 : column)]));
                }
                if (int32_t(total) != sum[0][i]) failures++, std::printf("%s: quantise_row: a sum is not that of its values\n", ours.name);
            }
        }
}

void check_table(const Kernels &ours) {
    const Kernels &scalar = scalar_kernels;
    check_dots<float, float>("dots_f32", ours.dots_f32, scalar.dots_f32);
    check_dots<float, uint16_t>("dots_f16", ours.dots_f16, scalar.dots_f16);
    check_dots<float, uint16_t>("dots_f32_bf16", ours.dots_f32_bf16, scalar.dots_f32_bf16);
    check_dots<uint16_t, uint16_t>("dots_bf16", ours.dots_bf16, scalar.dots_bf16);
    check_mix<float>("mix_f32", ours.mix_f32, scalar.mix_f32, 1e-5);
    check_mix<bf16>("mix_bf16", ours.mix_bf16, scalar.mix_bf16, 2e-2); // a set may round the weights to bfloat16
    for (int64_t group : {32, 64, 128, 0})
        for (bool wide : {false, true})
            for (bool zeros : {false, true}) {
                check_mix_int("mix_int4", ours.ints.mix_int4, 4, group, wide, zeros);
                check_mix_int("mix_int8", ours.ints.mix_int8, 8, group, wide, zeros);
            }
    check_rows(ours, scalar);
    check_quantise_row(ours, scalar);
}

void check_product(const Product &one, int index, int32_t prompt) {
    int32_t n = one.weight->out, k = one.weight->in;
    std::string what = "product " + std::to_string(index) + " of format " + std::to_string(one.weight->format) + (prompt ? " of a prompt" : "");
    std::vector<float> found(size_t(one.rows) * size_t(n)), alone(static_cast<size_t>(n));
    axk1_matmul(one.weight, one.x, one.rows, found.data(), 2, prompt);
    compare(what, found.data(), one.expected, found.size(), one.tolerance);
    for (int32_t i = 0; i < one.rows; i++) {
        axk1_matmul(one.weight, one.x + int64_t(i) * k, 1, alone.data(), 1, prompt);
        same(what, alone.data(), found.data() + int64_t(i) * n, alone.size());
    }
}

void check_model(const axk1_model_spec &spec, const Step *steps, int32_t n_steps, float tolerance, int index) {
    char reason[256];
    axk1_model *model = axk1_open(&spec, reason);
    if (!model) {
        std::printf("%s: model %d does not open: %s\n", axk1_kernels(), index, reason);
        failures++;
        return;
    }
    for (int32_t i = 0; i < n_steps; i++) {
        std::vector<float> logits(size_t(steps[i].batch->n_wanted) * size_t(spec.vocab));
        axk1_forward(model, steps[i].batch, 1, logits.data());
        compare("model " + std::to_string(index) + ", step " + std::to_string(i), logits.data(), steps[i].expected, logits.size(), tolerance);
    }
    axk1_close(model);
}

// The file: positions of pointers and what they point to, then the image, which begins with a Golden.
std::vector<uint64_t> image;
const Golden &read(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    uint64_t size[2]; // pointers, bytes of the image (whole words)
    std::vector<uint64_t> pointers;
    bool whole = file && std::fread(size, sizeof size, 1, file) == 1;
    if (whole) {
        pointers.resize(2 * size[0]), image.resize(size[1] / 8);
        whole = std::fread(pointers.data(), 8, pointers.size(), file) == pointers.size() && std::fread(image.data(), 8, image.size(), file) == image.size();
    }
    if (!whole) {
        std::printf("%s cannot be read\n", path);
        std::exit(2);
    }
    std::fclose(file);
    for (size_t i = 0; i < pointers.size(); i += 2) image[pointers[i] / 8] = reinterpret_cast<uint64_t>(image.data()) + pointers[i + 1];
    return *reinterpret_cast<const Golden *>(image.data());
}

} // namespace

int main(int count, char **arguments) {
    if (count < 3) return std::puts("usage: check_kernels FILE SET..."), 2;
    const Golden &golden = read(arguments[1]);
    for (const char *name : {"scalar", "neon", "neon-dot", "neon-bf16", "avx2", "avx512"}) {
        bool runs = axk1_use(name) == 0;
        bool wanted = std::any_of(arguments + 2, arguments + count, [&](const char *one) { return std::strcmp(one, name) == 0; });
        if (runs != wanted) failures++, std::printf("%s: %s\n", name, runs ? "runs, but is not expected to" : "does not run");
        if (!runs) continue;
        nearest = 0;
        check_table(kernels());
        for (int32_t i = 0; i < golden.n_products; i++)
            for (int32_t prompt : {0, 1}) check_product(golden.products[i], i, prompt);
        for (int32_t i = 0; i < golden.n_models; i++) check_model(golden.models[i], golden.steps + i * golden.n_steps, golden.n_steps, golden.tolerances[i], i);
        std::printf("%s: %d products, %d models; the largest difference is %.0f %% of its tolerance\n", name, golden.n_products, golden.n_models, 100 * nearest);
    }
    return failures ? 1 : 0;
}
