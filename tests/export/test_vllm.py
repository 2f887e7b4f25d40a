"""vLLM opens what we write and continues with the greedy tokens of transformers.

vLLM pins its own versions, so it lives in an environment of its own: name its interpreter in AXK1_VLLM_PYTHON.
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
from transformers import AutoModelForCausalLM

from axk1 import arch
from axk1.arch import ModelConfig, RopeParameters
from axk1.checkpoint import expected
from axk1.export.huggingface import save

NANO = dataclasses.replace(arch.preset("nano"), vocab_size=1024, num_hidden_layers=4)
YARN = RopeParameters(rope_type="yarn", factor=4.0, original_max_position_embeddings=64)
CONFIGS = {
    "axk1": NANO,
    "axk1 yarn": dataclasses.replace(NANO, rope_parameters=YARN, first_k_dense_replace=2, max_position_embeddings=256),
    "deepseek_v3": dataclasses.replace(NANO, model_type="deepseek_v3", q_lora_rank=None, n_shared_experts=2),
}
PROMPTS = [[5, 17, 900, 3, 44], list(range(100, 190)), [7]]
NEW_TOKENS = 24

# The rotary kernel is switched off: that of vLLM 0.32 for CPUs turns [tokens, heads, size] queries wrongly when there
# is more than one head, in every model of this family whose positions are not stretched by YaRN.
RUN_VLLM = """
import json, sys
from vllm import LLM, SamplingParams
if __name__ == "__main__":
    prompts, count = json.loads(sys.argv[2])
    llm = LLM(sys.argv[1], skip_tokenizer_init=True, enforce_eager=True, dtype="float32", max_model_len=256,
              compilation_config={"custom_ops": ["-rotary_embedding"]})
    sampling = SamplingParams(temperature=0.0, max_tokens=count, ignore_eos=True, detokenize=False)
    outputs = llm.generate([{"prompt_token_ids": prompt} for prompt in prompts], sampling, use_tqdm=False)
    print("TOKENS", json.dumps([list(output.outputs[0].token_ids) for output in outputs]))
"""
# The CPU kernel of latent attention knows the full-size latent alone; two cores of which one belongs to vLLM
SETTINGS = {
    "VLLM_MLA_DISABLE": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
}


def interpreter() -> str:
    if named := os.environ.get("AXK1_VLLM_PYTHON"):
        return named
    if find_spec("vllm") is None:
        pytest.skip("vLLM is not installed here: name an interpreter that has it in AXK1_VLLM_PYTHON")
    return sys.executable


def write_random_model(config: ModelConfig, folder: Path) -> None:
    """Weights large enough that the best token leads clearly, with live norms and selection biases."""
    generator = torch.Generator().manual_seed(6)
    state = {}
    for name, shape in expected(config).items():
        spread, middle = (0.1, 0.0 if name.endswith("bias") else 1.0) if len(shape) == 1 else (0.05, 0.0)
        state[name] = torch.randn(shape, generator=generator) * spread + middle
    save(state, config, folder, {}, shard_bytes=10_000_000)


def greedy_by_transformers(folder: Path) -> list[list[int]]:
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model.generation_config.eos_token_id = None
    outputs = []
    for prompt in PROMPTS:
        tokens = model.generate(torch.tensor([prompt]), max_new_tokens=NEW_TOKENS, do_sample=False, pad_token_id=0)
        outputs.append(tokens[0, len(prompt) :].tolist())
    return outputs


def greedy_by_vllm(folder: Path, python: str) -> list[list[int]]:
    script = folder.parent / "run_vllm.py"
    script.write_text(RUN_VLLM, encoding="utf-8")
    command = [python, str(script), str(folder), json.dumps([PROMPTS, NEW_TOKENS])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, env={**os.environ, **SETTINGS})
    lines = [line for line in done.stdout.split("\n") if line.startswith("TOKENS ")]
    assert lines, done.stdout[-3000:] + done.stderr[-6000:]
    tokens: list[list[int]] = json.loads(lines[0].removeprefix("TOKENS "))
    return tokens


@pytest.mark.slow
@pytest.mark.parametrize("name", CONFIGS)
def test_vllm_continues_like_transformers(tmp_path, name):
    python = interpreter()
    write_random_model(CONFIGS[name], tmp_path / "model")
    wanted = greedy_by_transformers(tmp_path / "model")
    assert len({tuple(tokens) for tokens in wanted}) == len(PROMPTS)
    assert greedy_by_vllm(tmp_path / "model", python) == wanted
