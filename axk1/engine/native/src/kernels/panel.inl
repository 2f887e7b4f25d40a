// The panel kernels as they would be written on paper.

static void turn(const uint8_t *rows, int64_t row_step, int64_t row_bytes, int64_t n, int bits, int64_t words, uint32_t *out) {
    for (int64_t word = 0; word < words; word++)
        for (int64_t j = 0; j < PANEL; j++) {
            uint32_t value = 0;
            int64_t at = (bits == 4 ? word / 2 : word) * 4;
            for (int64_t b = 0; b < 4 && j < n && at + b < row_bytes; b++) value |= uint32_t(rows[j * row_step + at + b]) << 8 * b;
            out[word * PANEL + j] = bits == 4 ? value >> word % 2 * 4 & 0x0f0f0f0f : value;
        }
}

static void panel_dots_bf16(const uint16_t *const *x, int64_t m, const uint32_t *panel, int64_t first, int64_t words, int64_t n, bool add, float *out, int64_t out_step, Ahead &) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = 0;
            for (int64_t word = 0; word < words; word++) {
                uint32_t two = panel[word * PANEL + j];
                sum += from_bf16(x[i][2 * (first + word)]) * from_bf16(bf16(two)) + from_bf16(x[i][2 * (first + word) + 1]) * from_bf16(bf16(two >> 16));
            }
            out[i * out_step + j] = sum + (add ? out[i * out_step + j] : 0);
        }
}

static void panel_dots_int(const PanelRow *x, int64_t m, const uint32_t *panel, const PanelScales &scales, int64_t first, int64_t steps, int64_t n, bool add, float *out, int64_t out_step, Ahead &) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float total = add ? out[i * out_step + j] : 0;
            for (int64_t step = 0; step < steps; step++) {
                int32_t sum = 0;
                for (int64_t column = step * scales.columns; column < (step + 1) * scales.columns; column++)
                    sum += int32_t(panel[column / 4 * PANEL + j] >> column % 4 * 8 & 255) * x[i].value[first * scales.columns + column];
                int64_t at = step * scales.next + j;
                total += scales.scale[at] * x[i].scale[first + step] * float(sum) - scales.zero[at] * x[i].offset[first + step];
            }
            out[i * out_step + j] = total;
        }
}

static void quantise_panel(const float *x, int64_t columns, int bits, int64_t step, int8_t *value, float *scale, float *offset) {
    for (int64_t start = 0; start < columns; start += step) {
        int64_t own = columns - start < step ? columns - start : step, sum = 0;
        float most = 0;
        for (int64_t i = 0; i < own; i++) {
            float size = __builtin_fabsf(x[start + i]);
            most = size > most ? size : most;
        }
        float inverse = most > 0 ? 127.0f / most : 0;
        for (int64_t i = 0; i < step; i++) {
            int32_t code = i < own ? int32_t(__builtin_nearbyintf(x[start + i] * inverse)) : 0;
            int64_t place = bits == 4 ? i / 8 * 8 + i % 2 * 4 + i % 8 / 2 : i; // evens of eight, then odds
            value[start + place] = int8_t(code);
            sum += code;
        }
        scale[start / step] = most / 127.0f;
        offset[start / step] = most / 127.0f * float(sum);
    }
}
