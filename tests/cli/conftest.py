"""A small random model with a tokenizer of this project, as a folder."""

from pathlib import Path

import pytest

from axk1.arch import ModelConfig, preset
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

SHAPE = {
    "vocab_size": 360, "hidden_size": 64, "intermediate_size": 64, "moe_intermediate_size": 32,
    "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2, "q_lora_rank": 32, "kv_lora_rank": 32,
    "qk_nope_head_dim": 16, "qk_rope_head_dim": 16, "v_head_dim": 16, "n_routed_experts": 4, "n_group": 2,
    "topk_group": 1, "num_experts_per_tok": 2, "max_position_embeddings": 512, "initializer_range": 0.2,
}  # fmt: skip
TEXTS = ["거실 불을 켜 줘. 네, 거실 불을 켰어요. 온도는 23도예요. system user assistant"]


@pytest.fixture(scope="session")
def small_tokenizer() -> Tokenizer:
    return train(TEXTS * 4, 340)


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Tokenizer) -> Path:
    """Its head is padded beyond the tokenizer, as published models' are."""
    torch = pytest.importorskip("torch")
    from axk1.export.huggingface import save
    from axk1.model import Transformer

    folder = tmp_path_factory.mktemp("small") / "model"
    torch.manual_seed(0)
    config = ModelConfig(**{**vars(preset("nano")), **SHAPE})
    save(Transformer(config).state_dict(), config, folder, small_tokenizer.files(), dtype=torch.bfloat16)
    return folder


@pytest.fixture(scope="session")
def small_int4(small_model: Path) -> Path:
    from axk1.export.quantize import quantize
    from axk1.export.quantize_formats import named_formats

    folder = small_model.parent / "int4"
    quantize(small_model, folder, named_formats({"experts": "int4-g32", "head": "int8"}))
    return folder
