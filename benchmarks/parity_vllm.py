"""Greedy tokens of our engine and of vLLM for CPUs on the same checkpoint, both computing in float32.

    python benchmarks/parity_vllm.py FOLDER | --random nano

A folder of 16-bit floats is copied with float32 tensors first. Prompts are random ids of 1 to 64 tokens. Prints how
many completions are equal, and where the others part; ends with 0 when all are equal, else with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from engine_contenders import HERE, vllm_environment

from axk1 import Engine, SamplingParams
from axk1.arch import preset
from axk1.checkpoint import CheckpointFolder
from axk1.checkpoint.floats import to_float32
from axk1.checkpoint.tensorfile import Entry
from axk1.export.huggingface import save as save_folder
from axk1.export.shards import write_json, write_shards
from axk1.model.transformer import Transformer

LONGEST_PROMPT = 64


def random_model(name: str, out: Path) -> Path:
    """Random weights of a preset; spread wider than for training, so that the likeliest token is clear."""
    torch.manual_seed(0)
    config = preset(name)
    state = {key: 3 * value if value.ndim > 1 else value for key, value in Transformer(config).state_dict().items()}
    save_folder(state, config, out, {}, dtype=torch.float32)
    return out


def in_float32(folder: Path, out: Path) -> Path:
    """The folder itself where all is float32, else a copy in which it is. SystemExit for quantised weights."""
    source = CheckpointFolder(folder)
    if source.quantization is not None:
        raise SystemExit(f"{folder} is quantised: give a folder of floats")
    if all(one.dtype == "F32" for one in source.tensors.values()):
        return folder
    out.mkdir()
    entries = [Entry(name, one.shape, "F32") for name, one in source.tensors.items()]

    def data(name: str) -> memoryview:
        return to_float32(source.raw(name), source.tensors[name].dtype).view("u1").data

    write_shards(out, entries, data)
    write_json(out / "config.json", {**source.raw_config, "dtype": "float32"})
    return out


def prompts(count: int, vocab: int) -> list[list[int]]:
    rng = random.Random(0)
    return [[rng.randrange(vocab) for _ in range(rng.randint(1, LONGEST_PROMPT))] for _ in range(count)]


def ours(folder: Path, rows: list[list[int]], new: int) -> list[list[int]]:
    with Engine.open(folder) as engine:
        outputs = engine.generate(rows, SamplingParams(temperature=0, max_tokens=new, ignore_eos=True))
    return [list(one.token_ids) for one in outputs]


def theirs(folder: Path, rows: list[list[int]], new: int, environments: Path, scratch: Path) -> list[list[int]]:
    python = environments / "vllm/bin/python"
    if not python.exists():
        raise SystemExit(f"vLLM is not installed: benchmarks/peers/vllm.sh {environments / 'vllm'}")
    job, answer, log = (scratch / name for name in ("job.json", "answer.json", "vllm.log"))
    write_json(job, {"prompts": rows, "new": new, "longest": LONGEST_PROMPT + new})
    command = [str(python), str(HERE / "parity_vllm_tokens.py"), str(folder), str(job), str(answer)]
    with log.open("w", encoding="utf-8") as file:
        ended = subprocess.run(
            command, env={**os.environ, **vllm_environment(1)}, stdout=file, stderr=subprocess.STDOUT, check=False
        )
    if ended.returncode:
        raise SystemExit(f"vLLM ended with {ended.returncode}:\n{log.read_text(encoding='utf-8')[-2000:]}")
    found: list[list[int]] = json.loads(answer.read_text(encoding="utf-8"))
    return found


def compare(mine: list[list[int]], peer: list[list[int]]) -> int:
    """How many completions are equal; prints those that are not."""
    for index, (ours_row, peer_row) in enumerate(zip(mine, peer, strict=True)):
        if ours_row != peer_row:
            place = next(i for i, pair in enumerate(zip(ours_row, peer_row, strict=True)) if pair[0] != pair[1])
            print(f"prompt {index}: token {place} is {ours_row[place]}, vLLM's {peer_row[place]}")
    return sum(ours_row == peer_row for ours_row, peer_row in zip(mine, peer, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("folder", nargs="?", type=Path)
    source.add_argument("--random", metavar="PRESET")
    parser.add_argument("--environments", type=Path, default=Path("runs/peers"), help="where the peers are installed")
    parser.add_argument("--prompts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=32)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        space = Path(scratch)
        folder = random_model(options.random, space / "random") if options.random else options.folder
        folder = in_float32(folder, space / "float32").resolve()
        rows = prompts(options.prompts, CheckpointFolder(folder).config.vocab_size)
        mine = ours(folder, rows, options.tokens)
        equal = compare(mine, theirs(folder, rows, options.tokens, options.environments, space))
    distinct = len({token for row in mine for token in row})
    print(f"{equal} of {len(rows)} completions of {options.tokens} tokens are equal ({distinct} different tokens)")
    sys.exit(equal != len(rows))


if __name__ == "__main__":
    main()
