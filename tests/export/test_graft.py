"""Rows for new tokens, in a tiny random model that transformers opens before and after."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from axk1.checkpoint.tensorfile import CheckpointError
from axk1.cli import main
from axk1.export.graft import graft_folder
from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.graft import Graft, graft
from axk1.tokenizer.train import train

KOREAN = "거실 불을 켜 줘. 거실 온도를 알려 줘."
ENGLISH = "the light in the living room is on"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    train([KOREAN] * 9, 380).save(folder)
    return folder


def make_base(folder: Path, tied: bool = False, spare: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    folder.mkdir()
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=290, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([ENGLISH] * 9, trainer)
    backend.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}', encoding="utf-8")
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=backend.get_vocab_size() + spare, hidden_size=16, intermediate_size=24, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, tie_word_embeddings=tied, max_position_embeddings=64,
    )  # fmt: skip
    LlamaForCausalLM(config).to(dtype).save_pretrained(folder)
    return folder


def grafted_of(base: Path, ours: Path, size: int = 30) -> Graft:
    return graft(AnyTokenizer.load(base), AnyTokenizer.load(ours), size)


def logits(folder: Path, ids: list[int]) -> Any:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].numpy()


@pytest.mark.parametrize("tied", [False, True])
def test_transformers_opens_it_and_old_texts_have_the_same_logits(tmp_path: Path, ours: Path, tied: bool) -> None:
    base = make_base(tmp_path / "base", tied)
    out = tmp_path / "out"
    assert main(["--lang", "en", "tokenizer", "graft", str(base), str(ours), str(out), "--size", "30"]) == 0
    before, after = AutoTokenizer.from_pretrained(base), AutoTokenizer.from_pretrained(out)
    ids = before(ENGLISH)["input_ids"]
    assert after(ENGLISH)["input_ids"] == ids
    old, new = logits(base, ids), logits(out, ids)
    assert new.shape[1] == len(after) == old.shape[1] + 30
    np.testing.assert_array_equal(new[:, : old.shape[1]], old)
    assert len(after(KOREAN)["input_ids"]) < len(before(KOREAN)["input_ids"])
    assert np.isfinite(logits(out, after(KOREAN)["input_ids"])).all()


def test_a_new_row_is_the_mean_of_its_parts(tmp_path: Path, ours: Path) -> None:
    base = make_base(tmp_path / "base")
    grafted = grafted_of(base, ours)
    lengths = list(range(1, grafted.first + 1))
    tensors = load_file(base / "model.safetensors")
    for weighting in ("mean", "bytes", "last"):
        graft_folder(base, grafted, tmp_path / weighting, lengths, weighting)
        rows = load_file(tmp_path / weighting / "model.safetensors")
        for name in ("model.embed_tokens.weight", "lm_head.weight"):
            for place, parts in enumerate(grafted.parts):
                counts = {
                    "mean": [1] * len(parts),
                    "bytes": [lengths[i] for i in parts],
                    "last": range(1, len(parts) + 1),
                }
                wanted = np.average(tensors[name][list(parts)], axis=0, weights=list(counts[weighting]))
                np.testing.assert_allclose(rows[name][grafted.first + place], wanted, atol=1e-6)
        same = [name for name in tensors if name not in ("model.embed_tokens.weight", "lm_head.weight")]
        assert all((rows[name] == tensors[name]).all() for name in same)


def test_spare_rows_are_used_first(tmp_path: Path, ours: Path) -> None:
    base = make_base(tmp_path / "base", spare=40, dtype=torch.bfloat16)
    grafted = grafted_of(base, ours)
    assert graft_folder(base, grafted, tmp_path / "out", [1] * grafted.first) == grafted.first + 40
    config = json.loads((tmp_path / "out/config.json").read_text(encoding="utf-8"))
    assert config["vocab_size"] == grafted.first + 40
    assert np.isfinite(logits(tmp_path / "out", list(range(grafted.first, grafted.first + 30)))).all()


def test_shards_keep_their_places(tmp_path: Path, ours: Path) -> None:
    base = make_base(tmp_path / "base")
    AutoModelForCausalLM.from_pretrained(base).save_pretrained(base, max_shard_size="12KB")
    (base / "model.safetensors").unlink()
    out = tmp_path / "out"
    graft_folder(base, grafted_of(base, ours), out, [1] * 400)
    index = json.loads((out / "model.safetensors.index.json").read_text(encoding="utf-8"))
    assert len(set(index["weight_map"].values())) > 1
    sizes = [tensor.nbytes for file in out.glob("*.safetensors") for tensor in load_file(file).values()]
    assert index["metadata"]["total_size"] == sum(sizes)
    assert np.isfinite(logits(out, [1, 2, 300])).all()


def test_what_does_not_fit_is_a_clear_error_and_leaves_nothing(tmp_path: Path, ours: Path) -> None:
    base = make_base(tmp_path / "base")
    grafted = grafted_of(base, ours)
    with pytest.raises(ValueError, match="is the model itself"):
        graft_folder(base, grafted, base, [])
    with pytest.raises(ValueError, match="weighting 'sum' is not known: use one of mean, bytes, last"):
        graft_folder(base, grafted, tmp_path / "out", [], "sum")  # type: ignore[arg-type]
    save_file({"model.embed_tokens.weight": np.zeros((7, 4), np.float32)}, base / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"model\.embed_tokens\.weight is \[7, 4\]"):
        graft_folder(base, grafted, tmp_path / "out", [])
    save_file({"model.norm.weight": np.zeros(7, np.float32)}, base / "model.safetensors")
    with pytest.raises(CheckpointError, match="no embedding is there"):
        graft_folder(base, grafted, tmp_path / "out", [])
    (base / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        graft_folder(base, grafted, tmp_path / "out", [])
    assert not (tmp_path / "out").exists()
