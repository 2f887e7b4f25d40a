"""The models of the engine benchmark: random weights of a preset's shape, made once for every kind of weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch
from engine_contenders import HERE

from axk1.arch import ModelConfig, preset
from axk1.export.huggingface import save as save_folder
from axk1.export.quantize_formats import Formats, parse_format
from axk1.export.quantize_random import random_folder
from axk1.model.transformer import Transformer

NEVER_FLOATS = ("slice", "30b-a3b")  # made as integers, they never exist as 18 and 61 GB of bfloat16
GGUF = ("BF16", "Q8_0", "Q4_K")


def make(name: str, model: str, folder: Path, llama_python: Path) -> Path:
    """The folder or GGUF file, made unless it is there."""
    if model in GGUF:
        path = folder / f"{name}-{model}.gguf"
        return path if path.exists() else gguf(name, model, path, llama_python)
    path = folder / f"{name}-{model}"
    if path.exists():
        return path
    print(f"making {path}", flush=True)
    if model == "bf16":
        floats(name, path)
    elif name in NEVER_FLOATS:
        integers(preset(name), model, path)
    else:
        source = make(name, "bf16", folder, llama_python)
        quantise = ["quantize", str(source), str(path), "--format", model, "--head", model]
        subprocess.run([sys.executable, "-m", "axk1", *quantise], check=True)
    return path


def floats(name: str, path: Path) -> None:
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)  # never held as float32
    state = Transformer(preset(name)).cast(torch.bfloat16).state_dict()
    torch.set_default_dtype(torch.float32)
    save_folder(state, preset(name), path, {}, dtype=torch.bfloat16)


def integers(config: ModelConfig, model: str, path: Path) -> None:
    """As `axk1 quantize --random` writes them, the head too."""
    scheme = parse_format(model)
    random_folder(config, path, Formats(scheme, scheme, scheme, scheme, head=scheme))


def gguf(name: str, model: str, path: Path, llama_python: Path) -> Path:
    print(f"making {path}", flush=True)
    shape = path.parent / f"{name}-shape"
    shape.mkdir(parents=True, exist_ok=True)
    config = json.dumps(preset(name).to_huggingface())
    (shape / "config.json").write_text(config, encoding="utf-8")
    subprocess.run([str(llama_python), str(HERE / "gguf_model.py"), str(shape), model, str(path)], check=True)
    return path


def size_of(path: Path) -> int:
    """Bytes of a file, or of a folder's files."""
    return path.stat().st_size if path.is_file() else sum(one.stat().st_size for one in path.iterdir())
