// Float activations to int8 with a scale per ACTIVATION_GROUP columns, in the order of the weights' blocks.

static void quantise_row(const float *x, int64_t columns, int bits, int8_t *value, float *scale, int32_t *sum) {
    const int64_t wide = block_columns(bits), lane = wide / 16;
    for (int64_t b = 0; b < blocks(columns, bits); b++) {
        float padded[128];
        int64_t own = columns - b * wide < wide ? columns - b * wide : wide;
        for (int64_t i = 0; i < own; i++) padded[i] = x[b * wide + i];
        for (int64_t i = own; i < wide; i++) padded[i] = 0;
        int8_t *to = value + b * wide;
        for (int64_t start = 0; start < wide; start += ACTIVATION_GROUP) {
            float most = 0;
            for (int64_t i = start; i < start + ACTIVATION_GROUP; i++) {
                float size = padded[i] < 0 ? -padded[i] : padded[i];
                most = size > most ? size : most;
            }
            float step = most / 127.0f, inverse = most > 0 ? 127.0f / most : 0;
            for (int64_t i = start; i < start + ACTIVATION_GROUP; i += lane) {
                int32_t total = 0;
                for (int64_t j = i; j < i + lane; j++) {
                    int32_t code = int32_t(__builtin_nearbyintf(padded[j] * inverse));
                    to[bits == 4 ? j / 2 + (j % 2) * 64 : j] = int8_t(code);
                    total += code;
                }
                scale[b * 16 + i / lane] = step;
                sum[b * 16 + i / lane] = total;
            }
        }
    }
}
