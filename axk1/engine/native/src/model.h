// A model: the caller's weights, our cache and scratch, and the parts of a forward pass.
//
// Letters: N tokens of a batch, D hidden, H heads, O nope, R rope, Q = O + R, V value, L kv_rank, U = L + R, F inner size.
#pragma once
#include <memory>
#include <vector>

#include "axk1.h"
#include "kernels/kernels.h"
#include "pool.h"

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

// Rows of activations as the products want them: E is float, or bf16 where every matrix is.
template <class E> struct Rows {
    std::vector<const E *> at;
    const E *const *data() const { return at.data(); }
    int64_t size() const { return int64_t(at.size()); }
};

// x = rows of E -> float: out[m, n] for the rows [first, last) of the matrix, written from column `first` on.
void product(const Kernels &k, const axk1_matrix &w, const float *const *x, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step);
void product(const Kernels &k, const axk1_matrix &w, const bf16 *const *x, int64_t m, int64_t first, int64_t last, float *out, int64_t out_step);

// Several products of one loop, so that threads meet once.
template <class E> struct Product {
    const axk1_matrix *weight;
    const Rows<E> *x;
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
    std::vector<float> frequencies;
    Pool pool;
};

std::unique_ptr<Model> make_model(const axk1_model_spec &spec); // throws std::invalid_argument with the reason

// Float rows in the format of the products. For E = float it is the row itself.
inline const float *converted(const Kernels &, const float *x, int64_t, float *) { return x; }
inline const bf16 *converted(const Kernels &k, const float *x, int64_t n, bf16 *to) {
    k.to_bf16(x, n, to);
    return to;
}

} // namespace axk1

struct axk1_model {
    std::unique_ptr<axk1::Model> model;
};
