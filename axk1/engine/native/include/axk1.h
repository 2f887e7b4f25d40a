/* The engine's native half: a model of the DeepSeek-V3 family on mapped weights, and one forward pass over a batch.
 *
 * The caller owns every byte that a struct points to and keeps it alive until axk1_close. All functions may be called
 * from any thread, one at a time per model. Matrices are row-major [out, in], as checkpoints hold them. */
#ifndef AXK1_H
#define AXK1_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define AXK1_VERSION 7

typedef enum {
    AXK1_F32 = 0,
    AXK1_F16 = 1,
    AXK1_BF16 = 2,
    AXK1_INT4 = 3, /* codes + 8, two columns a byte, the even one in the low half; rows padded to 4 bytes */
    AXK1_INT8 = 4, /* codes + 128; rows padded to 4 bytes */
} axk1_format;

/* A weight. `data` NULL: absent (a query without low rank, a dense layer's experts). */
typedef struct {
    const void *data;
    int32_t format; /* axk1_format */
    int32_t out;    /* rows */
    int32_t in;     /* columns */
    /* Of integer formats: weight = (code - zero) * scale. */
    int32_t group;       /* columns that share a scale: 32, 64, 128 or more (at least `in`: the whole row) */
    const void *scale;   /* [out, groups], F32 or BF16 by scale_format */
    const uint8_t *zero; /* [out, groups], stored like the codes; NULL: the middle, 8 or 128 */
    int32_t scale_format;
    int32_t unused;
} axk1_matrix;

/* One layer. Norm weights, the router and its bias are float32. `experts` points to 3 * n_experts matrices:
 * gate, up and down of expert 0, then of expert 1 ... `q_a.data` NULL means full-rank queries in `q_b`. */
typedef struct {
    const float *input_norm;
    axk1_matrix q_a;
    const float *q_a_norm;
    axk1_matrix q_b;
    axk1_matrix kv_a;
    const float *kv_a_norm;
    axk1_matrix kv_b; /* rows of head h: nope key rows, then value rows; F32, BF16 or integers */
    axk1_matrix o;
    const float *post_attention_norm;
    axk1_matrix gate, up, down; /* of the dense layer, or of the shared experts */
    const float *router;        /* [experts, hidden], NULL in a dense layer */
    const float *selection_bias;
    const axk1_matrix *experts;
    const float *post_mlp_norm; /* NULL: none */
} axk1_layer;

/* The layer that drafts: x = join [norm(embedding of the following token), norm(state)], then `layer` and the last norm. */
typedef struct {
    const float *embedding_norm, *state_norm;
    axk1_matrix join; /* [hidden, 2 hidden] */
    axk1_layer layer;
    const float *final_norm;
} axk1_mtp;

/* Experts that do not fit into memory stay in their files; a bounded part of them lies in slots, one expert each. */
typedef struct {
    const char *path;
    const void *map; /* where the caller has mapped the whole file: `data` and `scale` of experts point into it */
    int64_t bytes;
} axk1_file;

typedef struct {
    const axk1_file *files;
    int32_t n_files;
    int32_t readers;    /* threads that read */
    int64_t bytes;      /* of all slots together */
    int32_t read_ahead; /* 1: also what the next layer will probably need */
    int32_t unused;
} axk1_store;

typedef struct {
    int32_t version; /* AXK1_VERSION */
    int32_t hidden, layers, vocab, heads;
    int32_t kv_rank, nope, rope, value;
    int32_t experts, experts_per_token, groups, groups_kept, normalise_weights;
    float routed_scale, norm_eps, latent_norm_eps, softmax_scale;
    float rope_factor;             /* cos and sin are multiplied by it */
    const float *rope_frequencies; /* [rope / 2], radians per position */
    axk1_matrix embedding;
    const float *final_norm;
    axk1_matrix head;
    const axk1_layer *layer; /* [layers] */
    int32_t block_size;      /* tokens of a cache block */
    int32_t blocks;          /* of the cache */
    int32_t threads;         /* 0: as many as the process may use */
    int32_t cache_format;    /* AXK1_INT8: latents in int8; 0: as activations are */
    const axk1_mtp *mtp;     /* NULL: no drafting */
    const axk1_store *store; /* NULL: experts are used where they are mapped */
} axk1_model_spec;

/* Tokens of several sequences, one after the other. Sequence s owns tokens starts[s] .. starts[s + 1] - 1, has `cached[s]`
 * tokens in the cache already, and finds position p in block blocks[s * table + p / block_size]. */
typedef struct {
    const int32_t *tokens;
    const int32_t *starts; /* [sequences + 1] */
    const int32_t *cached; /* [sequences] */
    const int32_t *blocks; /* [sequences, table] */
    int32_t sequences, table;
    const int32_t *wanted; /* tokens whose output is wanted */
    int32_t n_wanted;
    int32_t unused;
} axk1_batch;

typedef struct axk1_model axk1_model;

/* NULL when memory runs out or the spec does not fit this library; `error` (at least 256 bytes) then says why. */
axk1_model *axk1_open(const axk1_model_spec *spec, char *error);
void axk1_close(axk1_model *model);

/* Runs the batch, writes its tokens into the cache, and gives for every wanted token the final-normed state [hidden] or,
 * with `logits`, the logits [vocab], float32. 0, -1 when memory ran out, or -2 when a file could not be read: axk1_error
 * then says why, until the next call. */
int32_t axk1_forward(axk1_model *model, const axk1_batch *batch, int32_t logits, float *out);

/* The likeliest token after the one that follows each wanted position, by the layer that drafts. `batch` holds positions
 * and, as tokens, those that follow them; rows[i] is the place of position i in the batch of the pass before, by
 * axk1_forward or axk1_draft. 0, or -1 when memory ran out. */
int32_t axk1_draft(axk1_model *model, const axk1_batch *batch, const int32_t *rows, int32_t *out);

const char *axk1_error(const axk1_model *model);

/* What the store did since the model was opened. A layer needs an expert once, however many of its tokens do. */
typedef struct {
    int64_t tokens;
    int64_t hits, misses, late;                     /* needed: in memory; in no slot; on their way, read ahead */
    int64_t bytes_read;                             /* all reads, whole pages */
    int64_t ahead_read, ahead_used, ahead_bytes;    /* experts read ahead, those of them that were needed, their bytes */
    int64_t guessed, guessed_right;                 /* experts guessed for a next layer, held already or not; needed then */
    int64_t waited_ns;                              /* the computing thread waited for a read */
    int64_t slots, slot_bytes;
} axk1_statistics;
void axk1_store_statistics(const axk1_model *model, axk1_statistics *out); /* zeros without a store */

/* What the routers asked for. `weight` of an expert that is not needed says how nearly it was chosen (0 to 1 a token). */
typedef struct {
    int32_t step, layer, expert, needed; /* `step` counts tokens */
    float weight;                        /* tokens that chose it */
} axk1_routing;

/* From now on uses are recorded, or no longer. axk1_traced gives the oldest `most` of them and forgets those; with
 * `out` NULL it says how many there are. */
void axk1_trace(axk1_model *model, int32_t on);
int64_t axk1_traced(axk1_model *model, axk1_routing *out, int64_t most);

/* Which needed uses of a trace would find their expert in one of `slots` slots, by the store's own rule of eviction or,
 * with `half_life` 0, by least recent use: hit[i] is 1 or 0. A `half_life` below 0 takes the store's own numbers. */
void axk1_simulate(const axk1_routing *uses, int64_t n, int64_t slots, double half_life, double near, uint8_t *hit);

/* Bytes that the library itself holds for this model: cache, scratch, converted weights. */
int64_t axk1_bytes(const axk1_model *model);

/* Which kernels run: "avx512", "avx2", "neon-bf16", "neon-dot", "neon" or "scalar". axk1_use forces one (for tests); -1 if this CPU cannot. */
const char *axk1_kernels(void);
int32_t axk1_use(const char *name);

/* The kernels by themselves, for tests: out[m, n] = x[m, in] w[n, in]^T with x float32, by the pool of `threads`; with
 * `prompt`, as the rows of a prompt are multiplied. */
int32_t axk1_matmul(const axk1_matrix *weight, const float *x, int32_t rows, float *out, int32_t threads, int32_t prompt);

#ifdef __cplusplus
}
#endif
#endif
