// A model: the caller's weights, our cache and scratch, and the parts of a forward pass.
//
// Letters: N tokens of a batch, D hidden, H heads, O nope, R rope, Q = O + R, V value, L kv_rank, U = L + R, F inner size.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "axk1.h"
#include "kernels/kernels.h"
#include "pool.h"
#include "store.h"

namespace axk1 {

// Memory that grows and is not cleared.
template <class T> class Buffer {
  public:
    T *reserve(int64_t n) {
        if (n > size_) {
            data_.reset(); // first, so that both never exist at once
            size_ = 0;
            data_.reset(new T[n]);
            size_ = n;
        }
        return data_.get();
    }
    T *get() const { return data_.get(); }
    int64_t bytes() const { return size_ * int64_t(sizeof(T)); }

  private:
    std::unique_ptr<T[]> data_;
    int64_t size_ = 0;
};

// Rows of activations in the forms that products ask for: as floats, in E (float, or bf16 where every plain matrix is),
// and, once `ready` for an integer matrix, in int8. Rows may be picked from another list: they are pointers.
//
// A row belongs to a prompt or not. Which kernels multiply it depends on that alone, so that its numbers do not depend on
// what stands beside it.
template <class E> class Rows {
  public:
    int64_t size() const { return int64_t(exact.size()); }
    void resize(int64_t n) { resize(std::vector<uint8_t>(size_t(n), 0)); }
    void resize(const std::vector<uint8_t> &prompt);
    void set(const Kernels &k, int64_t i, const float *row, int64_t columns, E *narrow);
    void pick(const Rows &from, const std::vector<int32_t> &which);
    // Quantises the rows if `w` is of integers and they are not yet.
    void ready(Pool &pool, const axk1_matrix &w);
    // The same in two steps, for rows that are made one by one by several threads: room for all, then row i.
    bool make_room(const axk1_matrix &w); // false: there is nothing to quantise
    void quantise(const Kernels &k, int64_t i, const axk1_matrix &w);
    // How many rows from i on, before `end`, are of one kind.
    int64_t alike(int64_t i, int64_t end) const {
        int64_t j = i + 1;
        while (j < end && prompt[j] == prompt[i]) j++;
        return j - i;
    }

    std::vector<const float *> exact;
    std::vector<const E *> at;
    std::vector<uint8_t> prompt; // whether a row belongs to one
    // Of rows that do not, and of rows that do: by lanes, and by steps. Which of the four: form(w).
    std::vector<IntRow> lanes[4];
    std::vector<PanelRow> steps[4];

  private:
    Buffer<int8_t> values_[4], panel_values_[4];
    Buffer<float> scales_[4], panel_scales_[4];
    Buffer<int32_t> sums_[4];
};

inline bool is_integer(const axk1_matrix &w) { return w.format == AXK1_INT4 || w.format == AXK1_INT8; }

// The form of activations that an integer matrix multiplies: by its bits, and by the columns of a step of its panels.
inline int form(const axk1_matrix &w) { return (w.format == AXK1_INT8 ? 2 : 0) + (w.group == 32 ? 0 : 1); }
inline int bits_of(int form) { return form & 2 ? 8 : 4; }
inline int bits_of(const axk1_matrix &w) { return bits_of(form(w)); } // of an integer matrix
inline int64_t step_of(int form) { return form & 1 ? 64 : 32; }

inline IntMatrix integers(const axk1_matrix &w) {
    int bits = bits_of(w);
    bool whole = w.group >= w.in; // one scale a row: never another one, however long the padding
    int64_t group = whole ? int64_t(1) << 40 : w.group;
    return {static_cast<const uint8_t *>(w.data), w.scale, w.zero, (int64_t(w.in) * bits + 31) / 32 * 4, w.in, group, whole ? 1 : w.in / w.group, w.scale_format == AXK1_F32};
}

inline int64_t bytes_of_row(const axk1_matrix &w) { return is_integer(w) ? integers(w).row_bytes : int64_t(w.in) * (w.format == AXK1_F32 ? 4 : 2); }

// The rows of a matrix that this thread will most likely need next.
struct Next {
    const axk1_matrix *weight = nullptr;
    int64_t row = 0;
};

// out[m, n] = rows start .. start + m of x times the rows [first, last) of w, written from column `first` on.
template <class E>
void product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step, const Next &next = {});

// Whether rows of prompts are multiplied by panels of w, and that part of a product (panel_product.cpp).
template <class E> bool turns(const Kernels &k, const axk1_matrix &w);
template <> bool turns<bf16>(const Kernels &k, const axk1_matrix &w);
template <> bool turns<float>(const Kernels &k, const axk1_matrix &w);
template <class E>
void panel_product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step, const Next &next);

// Fetches the beginning of what will be needed next, where the kernels, which fetch ahead within a matrix, do not.
void fetch_beginning(const axk1_matrix &w, int64_t row);

// Several products of one loop, so that threads meet once.
template <class E> struct Product {
    const axk1_matrix *weight;
    Rows<E> *x;
    float *out;
    int64_t out_step;
};
template <class E> void products(Pool &pool, const std::vector<Product<E>> &list);

class Model {
  public:
    explicit Model(const axk1_model_spec &spec);
    virtual ~Model() = default;
    virtual void forward(const axk1_batch &batch, bool logits, float *out) = 0;
    virtual void draft(const axk1_batch &batch, const int32_t *rows, int32_t *out) = 0; // mtp.cpp
    virtual int64_t bytes() const = 0;

    axk1_model_spec spec;
    std::vector<axk1_layer> layers; // the one that drafts, if any, is the last
    axk1_mtp mtp{};
    std::vector<std::vector<axk1_matrix>> experts;
    std::unique_ptr<Store> store; // none: experts are used where they are mapped
    std::vector<float> frequencies;
    Pool pool;
    bool traces = false;
    std::vector<axk1_routing> trace;
    std::string error; // of the last forward pass
};

std::unique_ptr<Model> make_model(const axk1_model_spec &spec); // throws std::invalid_argument with the reason

} // namespace axk1

struct axk1_model {
    std::unique_ptr<axk1::Model> model;
};
