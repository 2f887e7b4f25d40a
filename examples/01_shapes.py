"""What a model shape holds and costs: numbers from formulas, no torch, no weights.

Run: python examples/01_shapes.py
"""

from dataclasses import replace

from axk1.arch import PRESETS, facts, preset

print(f"{'preset':<18}{'parameters':>18}{'active':>9}{'cache/token':>13}")
for name, config in PRESETS.items():
    figures = facts(config, name)
    cache = figures.kv_cache_bytes["bf16"]
    print(f"{name:<18}{figures.parameters:>18,}{figures.active_share:>9.1%}{cache:>11,} B")

# Latent attention caches one latent and one rotated key part per layer. Full keys and values would take more:
k1 = preset("k1")
full = 2 * k1.num_hidden_layers * k1.num_attention_heads * (k1.qk_head_dim + k1.v_head_dim)
ratio = full / facts(k1, "k1").kv_cache_bytes["bf16"]
print(f"\nk1 with full keys and values: {full:,} B per token, {ratio:.1f} times as much")

# A shape of your own is a preset with other numbers; a shape that cannot be is refused in one line.
wider = facts(replace(preset("nano"), n_routed_experts=64), "nano with 64 experts")
print(f"{wider.name}: {wider.parameters:,} parameters, {wider.active_parameters:,} of them active")
try:
    replace(preset("nano"), n_routed_experts=30)
except ValueError as error:
    print("refused:", error)
