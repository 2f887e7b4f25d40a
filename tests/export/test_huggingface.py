"""What we write opens in transformers with the same greedy tokens, and is there whole or not at all."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from axk1.arch import ModelConfig, RopeParameters
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.export.huggingface import save
from axk1.model.folder import load
from axk1.model.transformer import Transformer

AXK1 = ModelConfig(
    vocab_size=101,
    hidden_size=40,
    intermediate_size=72,
    moe_intermediate_size=24,
    num_hidden_layers=3,
    num_attention_heads=2,
    num_key_value_heads=2,
    n_routed_experts=6,
    num_experts_per_tok=2,
    n_group=3,
    topk_group=2,
    q_lora_rank=20,
    kv_lora_rank=12,
    qk_nope_head_dim=8,
    qk_rope_head_dim=6,
    v_head_dim=10,
    max_position_embeddings=64,
    initializer_range=0.1,
)
YARN = RopeParameters(rope_type="yarn", factor=2.0, original_max_position_embeddings=32)
DEEPSEEK = dataclasses.replace(AXK1, model_type="deepseek_v3", n_shared_experts=2)
CONFIGS = {
    "axk1": AXK1,
    "axk1 yarn tied": dataclasses.replace(AXK1, rope_parameters=YARN, tie_word_embeddings=True),
    "axk1 dense": dataclasses.replace(AXK1, first_k_dense_replace=3),
    "deepseek q_lora_rank none": dataclasses.replace(DEEPSEEK, q_lora_rank=None),
    "deepseek yarn": dataclasses.replace(DEEPSEEK, rope_parameters=dataclasses.replace(YARN, mscale_all_dim=1.0)),
}


def random_model(config: ModelConfig) -> Transformer:
    torch.manual_seed(3)
    model = Transformer(config).eval()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.ndim == 1:
                value.normal_(0.0 if name.endswith("bias") else 1.0, 0.1)
    return model


def open_in_transformers(folder: Path):
    """The model, after checking that no weight was missing, left over or of another shape."""
    model, info = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    return model.eval()


@torch.no_grad()
def greedy(model: Transformer, tokens_BT: torch.Tensor, count: int) -> torch.Tensor:
    for _ in range(count):
        tokens_BT = torch.cat((tokens_BT, model(tokens_BT)[:, -1:].argmax(-1)), dim=1)
    return tokens_BT


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("options", [{}, {"shard_bytes": 20_000}, {"fused_experts": True}], ids=str)
def test_transformers_continues_with_the_same_tokens(tmp_path, name, options):
    model = random_model(CONFIGS[name])
    save(model.state_dict(), CONFIGS[name], tmp_path / "m", {}, **options)
    other = open_in_transformers(tmp_path / "m")
    prompt = torch.randint(0, 101, (2, 9), generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        torch.testing.assert_close(other(prompt).logits, model(prompt), atol=1e-4, rtol=0)
    other.generation_config.eos_token_id = None
    theirs = other.generate(prompt, max_new_tokens=20, do_sample=False, pad_token_id=100)
    assert torch.equal(theirs, greedy(model, prompt, 20))


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("options", [{}, {"shard_bytes": 20_000}, {"fused_experts": True}], ids=str)
def test_our_own_round_trip_is_exact(tmp_path, name, options):
    model = random_model(CONFIGS[name])
    save(model.state_dict(), CONFIGS[name], tmp_path / "m", {}, **options)
    found = load(tmp_path / "m")
    assert found.config == CONFIGS[name]
    assert found.state_dict().keys() == model.state_dict().keys()
    for key, value in model.state_dict().items():
        assert torch.equal(found.state_dict()[key], value), key


def test_a_transformers_round_trip_comes_back_exactly(tmp_path):
    model = random_model(AXK1)
    save(model.state_dict(), AXK1, tmp_path / "ours", {})
    open_in_transformers(tmp_path / "ours").save_pretrained(tmp_path / "theirs")
    found = load(tmp_path / "theirs")
    assert found.config == AXK1
    assert all(torch.equal(found.state_dict()[name], value) for name, value in model.state_dict().items())


def test_what_vllm_wants_is_in_the_folder(tmp_path):
    """vLLM refuses A.X K1 without the dense layers' unused norm and without these keys."""
    config = dataclasses.replace(AXK1, first_k_dense_replace=2)
    save(random_model(config).state_dict(), config, tmp_path / "m", {})
    tensors = load_file(tmp_path / "m" / "model.safetensors")
    for layer in (0, 1):
        assert torch.equal(tensors[f"model.layers.{layer}.post_mlp_layernorm.weight"], torch.ones(40))
    assert not torch.equal(tensors["model.layers.2.post_mlp_layernorm.weight"], torch.ones(40))
    assert tensors["model.layers.2.mlp.experts.5.down_proj.weight"].shape == (40, 24)
    written = json.loads((tmp_path / "m" / "config.json").read_text(encoding="utf-8"))
    wanted = {"moe_layer_freq": 1, "topk_method": "noaux_tc", "scoring_func": "sigmoid", "first_k_dense_replace": 2}
    assert wanted.items() <= written.items()
    assert written["architectures"] == ["AXK1ForCausalLM"]


def test_a_deepseek_folder_has_no_post_mlp_norm(tmp_path):
    save(random_model(DEEPSEEK).state_dict(), DEEPSEEK, tmp_path / "m", {})
    assert not any("post_mlp" in name for name in CheckpointFolder(tmp_path / "m").tensors)


def test_dtype_and_the_selection_bias(tmp_path):
    model = random_model(AXK1)
    save(model.state_dict(), AXK1, tmp_path / "m", {}, dtype=torch.bfloat16)
    tensors = CheckpointFolder(tmp_path / "m").tensors
    for name, info in tensors.items():
        assert info.dtype == ("F32" if name.endswith("bias") else "BF16"), name
    assert open_in_transformers(tmp_path / "m").dtype == torch.bfloat16
    half = load(tmp_path / "m").state_dict()
    for name, value in model.state_dict().items():
        assert torch.equal(half[name].float(), value if "bias" in name else value.bfloat16().float()), name


def test_shards_keep_their_size_and_the_index_tells_all(tmp_path):
    save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", {}, shard_bytes=10_000)
    index = json.loads((tmp_path / "m" / "model.safetensors.index.json").read_text(encoding="utf-8"))
    files = sorted((tmp_path / "m").glob("*.safetensors"))
    assert sorted(set(index["weight_map"].values())) == [file.name for file in files]
    shards = [[value.nbytes for value in load_file(file).values()] for file in files]
    assert index["metadata"]["total_size"] == sum(map(sum, shards))
    # a shard is full, or the next tensor would not have fitted; the embedding alone is more than a shard
    assert all(sum(shard) <= 10_000 or len(shard) == 1 for shard in shards)
    assert shards[0] == [101 * 40 * 4]
    assert len(shards) < sum(map(len, shards)) / 2


def test_generation_stops_at_both_ends(tmp_path):
    save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", {})
    assert open_in_transformers(tmp_path / "m").generation_config.eos_token_id == [1, 0]


def test_mtp_layers_are_written_on_request(tmp_path):
    config = dataclasses.replace(AXK1, num_nextn_predict_layers=1)
    model = random_model(config)
    save(model.state_dict(), config, tmp_path / "without", {})
    assert load(tmp_path / "without", mtp=True).config.num_nextn_predict_layers == 0
    open_in_transformers(tmp_path / "without")
    save(model.state_dict(), config, tmp_path / "with", {}, mtp=True)
    found = load(tmp_path / "with", mtp=True).state_dict()
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())
    assert load(tmp_path / "with").state_dict().keys() == load(tmp_path / "without").state_dict().keys()


def test_tokenizer_files_lie_beside_the_model(tmp_path):
    files = {"tokenizer.json": b"{}", "chat_template.jinja": "안녕".encode()}
    save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", files)
    assert all((tmp_path / "m" / name).read_bytes() == content for name, content in files.items())


def bad_state(change):
    state = dict(random_model(AXK1).state_dict())
    change(state)
    return state


NORM = "model.norm.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(NORM), rf"tensor {NORM} \[40\] is missing in the model"),
        (lambda state: state.update({NORM: torch.ones(41)}), rf"{NORM} has shape \[41\], wanted \[40\]"),
        (lambda state: state.update({NORM: torch.ones(40).int()}), rf"{NORM} has dtype torch.int32"),
        (lambda state: state.update({"extra": torch.ones(3)}), r"tensor extra \[3\] is surplus in the model"),
    ],
)
def test_a_state_of_another_shape_is_refused(tmp_path, change, message):
    with pytest.raises(CheckpointError, match=message):
        save(bad_state(change), AXK1, tmp_path / "m", {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shard_bytes": 0}, "shard_bytes must be at least 1"),
        ({"dtype": torch.int8}, r"dtype torch\.int8 is not written"),
        ({"tokenizer_files": {"../x": b""}}, "'../x' cannot be a tokenizer file"),
        ({"tokenizer_files": {"config.json": b""}}, r"'config\.json' cannot be a tokenizer file"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", **{"tokenizer_files": {}, **options})


def full_disk(monkeypatch, after: int) -> None:
    """Every file may take `after` bytes in all, then writing fails as on a full disk."""
    left = [after]
    real_open = Path.open

    def limited(self, mode="r", *arguments, **keywords):
        file = real_open(self, mode, *arguments, **keywords)
        if "w" not in mode:
            return file
        real_write = file.write

        class Limited:
            def write(self, data):
                left[0] -= len(data)
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return real_write(data)

            def seek(self, position):
                return file.seek(position)

            def __enter__(self):
                return self

            def __exit__(self, *arguments):
                file.close()

        return Limited()

    monkeypatch.setattr(Path, "open", limited)


@pytest.mark.parametrize("after", [0, 5_000, 60_000])
def test_a_full_disk_leaves_the_old_folder(tmp_path, monkeypatch, after):
    save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", {"note": b"old"})
    before = {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()}
    full_disk(monkeypatch, after)
    with pytest.raises(OSError, match="the disk is full") as caught:
        save(random_model(AXK1).state_dict(), AXK1, tmp_path / "m", {"note": b"new"}, shard_bytes=20_000)
    assert caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert {file.name: file.read_bytes() for file in (tmp_path / "m").iterdir()} == before
    assert [one.name for one in tmp_path.iterdir()] == ["m"]


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 256 KiB; needs the right to mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip("cannot mount a small tmpfs here")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_really_full_disk(tiny_disk):
    small = dataclasses.replace(AXK1, num_hidden_layers=1, vocab_size=40)
    save(random_model(small).state_dict(), small, tiny_disk / "m", {})
    before = {file.name: file.read_bytes() for file in (tiny_disk / "m").iterdir()}
    with pytest.raises(OSError, match="the disk is full"):
        save(random_model(AXK1).state_dict(), AXK1, tiny_disk / "m", {})
    assert {file.name: file.read_bytes() for file in (tiny_disk / "m").iterdir()} == before
    assert [one.name for one in tiny_disk.iterdir()] == ["m"]


MEMORY = """
import dataclasses, resource, sys, torch
from pathlib import Path
from axk1 import arch
from axk1.checkpoint import expected
from axk1.export.huggingface import save
config = dataclasses.replace(arch.preset("nano"), n_routed_experts=128, num_hidden_layers=5)
state = {name: torch.ones(shape) for name, shape in expected(config).items()}
save({name: torch.ones(shape) for name, shape in expected(arch.preset("nano")).items()}, arch.preset("nano"),
     Path(sys.argv[1]), {}, dtype=torch.bfloat16)  # what the first use takes is not counted
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
save(state, config, Path(sys.argv[1]), {}, dtype=torch.bfloat16)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(sum(value.nbytes for value in state.values()) >> 20, (after - before) >> 10)
"""


def test_no_second_copy_of_the_model_is_held(tmp_path):
    """Peak memory while a model of 200 MiB is converted to bfloat16 and written."""
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "m")]
    model, growth = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert model > 200
    assert growth < 20
