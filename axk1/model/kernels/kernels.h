/* Fused training kernels of axk1, called from Python through ctypes.
 *
 * Plain C with OpenMP and no intrinsics, so that any gcc builds it for any CPU; the compiler vectorises the inner loops.
 * Activations come as `const void *` with a `kind`: AXK1_F32 (float) or AXK1_BF16 (upper half of a float). Every kernel
 * loads a row into floats, computes in float, and stores once. Results depend on the inputs and the thread count only:
 * work is split statically and partial sums are added in thread order.
 *
 * N rows (tokens), D row width, K experts per token, E experts, B batch, H heads, T positions, V vocabulary. */
#ifndef AXK1_KERNELS_H
#define AXK1_KERNELS_H
#include <stdint.h>

enum { AXK1_F32 = 0, AXK1_BF16 = 1 };

/* norm.c: y = x / rms(x) * weight; inverse_N keeps 1/rms for the backward pass; gw is summed over rows. */
void axk1_rms_norm(const void *x, int x_kind, const float *weight, void *y, int y_kind, float *inverse, int64_t n, int64_t d, float eps);
void axk1_rms_norm_backward(const void *g, int g_kind, const void *x, int x_kind, const float *weight, const float *inverse,
                            void *gx, float *gw, float *scratch, int64_t n, int64_t d);

/* swiglu.c: y_ND = silu(gate) * up, where gate and up are the halves of x_N2D. */
void axk1_swiglu(const void *x, void *y, int kind, int64_t n, int64_t d);
void axk1_swiglu_backward(const void *g, const void *x, void *gx, int kind, int64_t n, int64_t d);

/* experts.c: order tokens by expert, and the weighted sum back. slot = row among the N*K sorted (token, expert) pairs. */
void axk1_sort_by_expert(const int64_t *chosen, int64_t *counts, int64_t *slot, int64_t n, int64_t k, int64_t experts);
void axk1_scatter_rows(const void *x, const int64_t *slot, void *out, int kind, int64_t n, int64_t k, int64_t d);
void axk1_combine(const void *y, const int64_t *slot, const float *weight, void *out, int kind, int64_t n, int64_t k, int64_t d);
void axk1_combine_backward(const void *g, const void *y, const int64_t *slot, const float *weight, void *gy, float *gweight,
                           int kind, int64_t n, int64_t k, int64_t d);

/* gemm.c: the experts' products in bfloat16; 0 where the CPU lacks the instruction (then torch multiplies). */
int axk1_has_grouped_gemm(void);
void axk1_grouped_gemm(const void *a, const void *b, void *out, const int64_t *counts, int64_t experts, int64_t depth, int64_t width, int transposed);
void axk1_grouped_weight_gradient(const void *g, const void *x, void *out, const int64_t *counts, int64_t experts, int64_t height, int64_t width);

/* attention.c: MLA heads. q_BTHQ with Q = nope + rope, kv_BTHC with C = nope + value, k_rope_BTR shared by all heads. */
typedef struct { int64_t b, t, h, nope, rope, value; } axk1_heads;
void axk1_split_heads(const axk1_heads *shape, const void *q, const void *kv, const void *k_rope, const float *cosine, const float *sine,
                      void *q_out, void *k_out, void *v_out, int kind);
void axk1_split_heads_backward(const axk1_heads *shape, const void *gq, const void *gk, const void *gv, const float *cosine,
                               const float *sine, void *gq_in, void *gkv_in, void *gk_rope, int kind);
/* scores_[BH,Q,W] in place to probabilities; row i may see keys first[b][i0 + i] .. i0 + i. */
void axk1_softmax(void *scores, int kind, const int32_t *first, float scale, int64_t b, int64_t h, int64_t q, int64_t w, int64_t i0, int64_t t);
/* gp_[BH,Q,W] in place to the gradient of the unscaled scores; delta_[B,T,H] = sum of output * its gradient. */
void axk1_softmax_backward(const void *p, void *gp, int kind, const int32_t *first, const float *delta, float scale,
                           int64_t b, int64_t h, int64_t q, int64_t w, int64_t i0, int64_t t);
void axk1_delta(const void *g, const void *out, float *delta, int kind, int64_t rows, int64_t value);

/* loss.c: loss_N = logsumexp(logits) - logits[target]; the logits become their own gradient (0 where target < 0). */
void axk1_cross_entropy(void *logits, int kind, const int64_t *targets, float *loss, int64_t n, int64_t v);

/* optimizer.c: one pass over one tensor. */
typedef struct { float lr, beta1, beta2, eps, weight_decay, correction1, correction2, grad_scale; } axk1_adamw_step;
void axk1_adamw(const axk1_adamw_step *step, float *master, float *m, float *v, const void *grad, int grad_kind, void *param, int param_kind, int64_t count);
double axk1_sum_of_squares(const void *x, int kind, int64_t count, double *scratch);

/* muon.c: a whole step of Muon over stacks of bf16 matrices of even sizes: the momentum moves by 1 - beta towards grad_scale
 * times the gradient, the look-ahead is orthogonalised by `iterations` polynomials x <- a x + b (x x^T) x + c (x x^T)^2 x, and
 * master = decay * master - rate * x is rounded into the parameter. 0 where the CPU lacks the instruction (then torch steps);
 * axk1_muon returns -1, with nothing changed, when there is no memory for its scratch. */
typedef struct { const void *grad; float *momentum, *master; void *parameter; int64_t matrices, rows, cols; float rate; } axk1_muon_stack;
typedef struct { float beta, grad_scale, decay; int32_t iterations; const float *coefficients; } axk1_muon_step;
int axk1_has_muon(void);
int axk1_muon(const axk1_muon_stack *stacks, int64_t count, const axk1_muon_step *step);

int axk1_threads(void);
#endif
