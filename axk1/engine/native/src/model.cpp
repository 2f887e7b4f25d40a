// The C interface: checks what it is given and keeps C++ exceptions inside.
#include "model.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>

#include "forward.h"

namespace axk1 {

Model::Model(const axk1_model_spec &s) : spec(s), layers(s.layer, s.layer + s.layers), frequencies(s.rope_frequencies, s.rope_frequencies + s.rope / 2), pool(s.threads) {
    if (s.mtp) mtp = *s.mtp, layers.push_back(mtp.layer);
    for (auto &layer : layers) experts.emplace_back(layer.experts, layer.experts + (layer.router ? 3 * s.experts : 0));
    if (s.store) store = std::make_unique<Store>(s, experts);
    spec.layer = nullptr; // the caller's arrays may go
    spec.mtp = nullptr;
    spec.rope_frequencies = nullptr;
    spec.store = nullptr;
}

static void need(bool ok, const char *what) {
    if (!ok) throw std::invalid_argument(what);
}

// Scales must cover whole lanes, and blocks whole groups or the other way round.
static bool fits(const axk1_matrix &w) {
    bool whole = w.group >= w.in, known = w.group == 32 || w.group == 64 || (w.group > 0 && w.group % 128 == 0);
    return w.scale && (w.scale_format == AXK1_F32 || w.scale_format == AXK1_BF16) && (whole || (known && w.in % w.group == 0));
}

static std::vector<axk1_layer> all_layers(const axk1_model_spec &s) {
    std::vector<axk1_layer> all(s.layer, s.layer + s.layers);
    if (s.mtp) all.push_back(s.mtp->layer);
    return all;
}

static std::vector<axk1_matrix> matrices(const axk1_model_spec &s) {
    std::vector<axk1_matrix> all{s.embedding, s.head};
    if (s.mtp) all.push_back(s.mtp->join);
    for (auto &l : all_layers(s)) {
        for (auto &one : {l.q_a, l.q_b, l.kv_a, l.o, l.gate, l.up, l.down})
            if (one.data) all.push_back(one);
        if (l.router) all.insert(all.end(), l.experts, l.experts + 3 * s.experts);
    }
    return all;
}

std::unique_ptr<Model> make_model(const axk1_model_spec &s) {
    need(s.version == AXK1_VERSION, "the library is of another version than its caller");
    need(s.hidden > 0 && s.layers > 0 && s.vocab > 0 && s.heads > 0 && s.kv_rank > 0 && s.block_size > 0 && s.blocks > 0, "a size is not positive");
    need(s.rope % 2 == 0, "the rotary size is odd");
    need(s.cache_format == 0 || s.cache_format == AXK1_INT8, "the cache has an unknown format");
    need(s.value <= 512, "a head's value is wider than this library knows");
    bool half = true;
    for (auto &one : matrices(s)) {
        need(one.data && one.out > 0 && one.in > 0, "a matrix is missing");
        need(one.format >= AXK1_F32 && one.format <= AXK1_INT8, "a matrix has an unknown format");
        need(!is_integer(one) || fits(one), "an integer matrix has a group that this library does not know");
        half = half && (one.format == AXK1_BF16 || is_integer(one));
    }
    for (auto &l : all_layers(s)) {
        need(l.kv_b.data && l.kv_b.out > 0 && l.kv_b.in > 0, "a matrix is missing");
        need(l.kv_b.format == AXK1_F32 || l.kv_b.format == AXK1_BF16 || is_integer(l.kv_b), "kv_b must be float32, bfloat16 or integers");
        need(!is_integer(l.kv_b) || fits(l.kv_b), "an integer matrix has a group that this library does not know");
        half = half && l.kv_b.format != AXK1_F32;
    }
    if (half) return std::make_unique<Forward<bf16>>(s);
    return std::make_unique<Forward<float>>(s);
}

} // namespace axk1

extern "C" {

axk1_model *axk1_open(const axk1_model_spec *spec, char *error) {
    try {
        return new axk1_model{axk1::make_model(*spec)};
    } catch (const std::bad_alloc &) {
        std::snprintf(error, 256, "not enough memory for the cache");
    } catch (const std::exception &reason) {
        std::snprintf(error, 256, "%s", reason.what());
    }
    return nullptr;
}

void axk1_close(axk1_model *model) { delete model; }

int32_t axk1_forward(axk1_model *model, const axk1_batch *batch, int32_t logits, float *out) {
    try {
        model->model->error.clear();
        model->model->forward(*batch, logits != 0, out);
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    } catch (const std::runtime_error &reason) {
        model->model->error = reason.what();
        return -2;
    }
}

int32_t axk1_draft(axk1_model *model, const axk1_batch *batch, const int32_t *rows, int32_t *out) {
    try {
        model->model->draft(*batch, rows, out);
        return 0;
    } catch (const std::bad_alloc &) {
        return -1;
    }
}

const char *axk1_error(const axk1_model *model) { return model->model->error.c_str(); }

void axk1_store_statistics(const axk1_model *model, axk1_statistics *out) {
    *out = axk1_statistics{};
    if (model->model->store) model->model->store->statistics(*out);
}

void axk1_trace(axk1_model *model, int32_t on) { model->model->traces = on != 0; }

int64_t axk1_traced(axk1_model *model, axk1_routing *out, int64_t most) {
    auto &trace = model->model->trace;
    int64_t n = out ? std::min(most, int64_t(trace.size())) : int64_t(trace.size());
    if (!out) return n;
    std::copy_n(trace.begin(), n, out);
    trace.erase(trace.begin(), trace.begin() + n);
    return n;
}

int64_t axk1_bytes(const axk1_model *model) { return model->model->bytes(); }

const char *axk1_kernels(void) { return axk1::kernels().name; }

int32_t axk1_use(const char *name) { return axk1::force_kernels(name) ? 0 : -1; }

int32_t axk1_matmul(const axk1_matrix *weight, const float *x, int32_t rows, float *out, int32_t threads, int32_t prompt) {
    using namespace axk1;
    Pool pool(threads);
    const Kernels &k = kernels();
    int64_t columns = weight->in;
    if (weight->format == AXK1_BF16) {
        std::vector<bf16> narrow(size_t(rows * columns));
        Rows<bf16> list;
        list.resize(std::vector<uint8_t>(size_t(rows), prompt != 0));
        for (int64_t i = 0; i < rows; i++) list.set(k, i, x + i * columns, columns, narrow.data() + i * columns);
        products<bf16>(pool, {{weight, &list, out, weight->out}});
    } else {
        Rows<float> list;
        list.resize(std::vector<uint8_t>(size_t(rows), prompt != 0));
        for (int64_t i = 0; i < rows; i++) list.set(k, i, x + i * columns, columns, nullptr);
        products<float>(pool, {{weight, &list, out, weight->out}});
    }
    return 0;
}

} // extern "C"
