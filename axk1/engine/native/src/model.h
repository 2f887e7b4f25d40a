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
template <class E> class Rows {
  public:
    int64_t size() const { return int64_t(exact.size()); }
    void resize(int64_t n) {
        exact.assign(size_t(n), nullptr), at.assign(size_t(n), nullptr);
        four.clear(), eight.clear();
    }
    void set(const Kernels &k, int64_t i, const float *row, int64_t columns, E *narrow);
    void pick(const Rows &from, const std::vector<int32_t> &which);
    // Quantises the rows if `w` is of integers and they are not yet.
    void ready(Pool &pool, const axk1_matrix &w);

    std::vector<const float *> exact;
    std::vector<const E *> at;
    std::vector<IntRow> four, eight;

  private:
    void quantise(Pool &pool, int64_t columns, int bits, std::vector<IntRow> &rows);
    Buffer<int8_t> values_[2];
    Buffer<float> scales_[2];
    Buffer<int32_t> sums_[2];
};

inline bool is_integer(const axk1_matrix &w) { return w.format == AXK1_INT4 || w.format == AXK1_INT8; }

// out[m, n] = rows start .. start + m of x times the rows [first, last) of w, written from column `first` on.
template <class E>
void product(const Kernels &k, const axk1_matrix &w, const Rows<E> &x, int64_t start, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step);

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
    virtual int64_t bytes() const = 0;

    axk1_model_spec spec;
    std::vector<axk1_layer> layers;
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
