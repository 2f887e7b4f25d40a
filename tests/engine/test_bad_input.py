"""Every mistake, through the Python interface and through `axk1 generate`, is one clear line and no crash."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from axk1 import Engine, SamplingParams
from axk1.cli import main

IDS = "5 6 7"
NAN, INFINITY = math.nan, math.inf

Break = Callable[[Path], object]


def edit_config(**changes: Any) -> Break:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text(encoding="utf-8")), **changes}), encoding="utf-8")

    return change


def edit_header(change: Callable[[dict[str, Any]], object]) -> Break:
    """Changes the header of the only tensor file; its length is kept right, the data as they are."""

    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        data = path.read_bytes()
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        change(header)
        text = json.dumps(header).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + data[end:])

    return apply


def edit_bytes(change: Callable[[bytes], bytes]) -> Break:
    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))

    return apply


def overlap(header: dict[str, Any]) -> None:
    first, second = list(header)[1:3]
    (begin, end), place = header[first]["data_offsets"], header[second]["data_offsets"][0]
    header[first]["data_offsets"] = [place, place + end - begin]


def transpose(header: dict[str, Any]) -> None:
    header["model.layers.0.mlp.gate_proj.weight"]["shape"].reverse()


def not_a_number(folder: Path) -> None:
    """NaN in a matrix that every token meets, so that it is seen at once or in the first answer."""
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    begin, _ = json.loads(data[8:start])["model.layers.0.mlp.down_proj.weight"]["data_offsets"]
    data[start + begin : start + begin + 4] = np.float32(NAN).tobytes()
    path.write_bytes(data)


def emptied(name: str) -> Break:
    return lambda folder: (folder / name).write_bytes(b"")


def replaced_by_a_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()


def replaced_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("a file", encoding="utf-8")


QUANTISED = {"quant_method": "compressed-tensors", "format": "pack-quantized"}

FOLDERS: dict[str, tuple[Break, str]] = {
    "gone": (shutil.rmtree, "no such folder"),
    "a file": (replaced_by_a_file, "no such folder"),
    "no config": (lambda folder: (folder / "config.json").unlink(), "config.json: no such file"),
    "an empty config": (emptied("config.json"), "config.json is not JSON"),
    "another architecture": (edit_config(model_type="llama", architectures=["LlamaForCausalLM"]), "is not supported"),
    "a size of the wrong type": (edit_config(hidden_size="32"), "hidden_size must be a whole number"),
    "a size that is not the files'": (edit_config(kv_lora_rank=8), "has shape"),
    "a size beyond reason": (edit_config(n_routed_experts=2**30), "n_routed_experts is 1073741824, but the files hold"),
    "no tensors": (lambda folder: (folder / "model.safetensors").unlink(), "neither model.safetensors nor"),
    "tensors that are a folder": (replaced_by_a_folder, "neither model.safetensors nor"),
    "empty tensors": (emptied("model.safetensors"), "not a safetensors file"),
    "truncated tensors": (edit_bytes(lambda data: data[:-100]), "cut short"),
    "truncated header": (edit_bytes(lambda data: data[:50]), "cut short"),
    "overlapping tensors": (edit_header(overlap), "begins at byte"),
    "a transposed tensor": (edit_header(transpose), "gate_proj.weight has shape"),
    "an unknown type": (edit_header(lambda header: header["lm_head.weight"].update(dtype="F6")), "unknown dtype F6"),
    "a renamed tensor": (edit_header(lambda header: header.update(x=header.pop("lm_head.weight"))), "lm_head.weight"),
    "an unknown quantisation": (edit_config(quantization_config={"quant_method": "gptq"}), "'gptq' is not known"),
    "quantisation without groups": (edit_config(quantization_config=QUANTISED), "has no config_groups"),
    "NaN": (not_a_number, "NaN or infinite"),
    "a broken end": (
        lambda folder: (folder / "generation_config.json").write_text("{"),
        "config.json is not",
    ),
    "a broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}"), "tokenizer.json"),
    "a broken index": (
        lambda folder: (folder / "model.safetensors.index.json").write_text('{"weight_map": 3}'),
        "no weight_map",
    ),
}


def one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "en", "generate", *arguments]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.err.count("\n") == 1
    assert not shown.out.strip()


@pytest.mark.parametrize("name", FOLDERS)
def test_a_broken_folder(
    name: str, tiny: Any, tmp_path: Path, backend_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = FOLDERS[name]
    folder = tmp_path / "model"
    shutil.copytree(tiny.path, folder)
    change(folder)
    with pytest.raises(ValueError, match=r".") as caught, Engine.open(folder, backend=backend_name) as engine:
        engine.generate([[5, 6, 7]], SamplingParams(max_tokens=2))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    one_line([str(folder), "--ids", IDS, "--backend", backend_name], message, capsys)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "generation_config.json"])
def test_a_file_that_may_not_be_read(
    file: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who is root may read everything, so the refusal is the system's only by name."""
    folder = tmp_path / "model"
    shutil.copytree(tiny.path, folder)
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **settings: Any) -> Any:
        if self.name == file:
            raise PermissionError(13, os.strerror(13), str(self))
        return opened(self, *arguments, **settings)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError):
        Engine.open(folder)
    one_line([str(folder), "--ids", IDS], f"{file}: Permission denied", capsys)


SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "temperature -1": ({"temperature": -1}, "temperature must be 0 or more"),
    "temperature NaN": ({"temperature": NAN}, "temperature must be 0 or more"),
    "temperature infinite": ({"temperature": INFINITY}, "temperature must be 0 or more"),
    "top_p 0": ({"top_p": 0.0}, "top_p must be above 0"),
    "top_p 2": ({"top_p": 2.0}, "top_p must be above 0"),
    "top_p NaN": ({"top_p": NAN}, "top_p must be above 0"),
    "top_k -5": ({"top_k": -5}, "top_k must be at least 1"),
    "min_p 2": ({"min_p": 2.0}, "min_p must be from 0 to 1"),
    "min_p NaN": ({"min_p": NAN}, "min_p must be from 0 to 1"),
    "seed -1": ({"seed": -1}, "seed must be a whole number"),
    "seed 2^64": ({"seed": 2**64}, "seed must be a whole number"),
    "max_tokens 0": ({"max_tokens": 0}, "max_tokens must be at least 1"),
    "max_tokens -3": ({"max_tokens": -3}, "max_tokens must be at least 1"),
    "logprobs huge": ({"logprobs": 10**9}, "logprobs must be from 0 to 1000"),
    "logprobs -1": ({"logprobs": -1}, "logprobs must be from 0 to 1000"),
    "an empty stop": ({"stop": [""]}, "a stop text must not be empty"),
    "a stop without text": ({"stop": ["a"]}, "the folder has no tokenizer"),
    "a regex without text": ({"regex": "a"}, "the folder has no tokenizer"),
    "a schema that is no JSON": ({"json_schema": "{"}, "json_schema is not JSON"),
    "a schema too deep": ({"json_schema": "[" * 100_000}, "json_schema is not JSON"),
    "logit_bias outside": ({"logit_bias": {97: 1.0}}, "token id 97 is outside"),
    "logit_bias negative": ({"logit_bias": {-1: 1.0}}, "logit_bias must have token ids"),
    "logit_bias NaN": ({"logit_bias": {1: NAN}}, "logit_bias values must be from"),
    "stop token outside": ({"stop_token_ids": [2**40]}, "is outside the model's vocabulary"),
    "penalty NaN": ({"presence_penalty": NAN}, "presence_penalty must be from -2 to 2"),
    "repetition 0": ({"repetition_penalty": 0.0}, "repetition_penalty must be from 0.01"),
    "two structures": ({"regex": "a", "json_schema": "{}"}, "only one structure"),
}
NOT_ON_THE_LINE = {"logit_bias", "stop_token_ids", "presence_penalty", "repetition_penalty"}


@pytest.mark.parametrize("name", SETTINGS)
def test_absurd_sampling_values(name: str, tiny: Any, open_engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    values, message = SETTINGS[name]
    engine = open_engine()
    with pytest.raises(ValueError, match=r".") as caught:
        engine.generate([[5, 6]], SamplingParams(**values))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(engine.generate([[5, 6]], SamplingParams(max_tokens=2, ignore_eos=True))[0].token_ids) == 2
    if not NOT_ON_THE_LINE & values.keys():
        line = [f"--{key.replace('_', '-')}={one}" for key, value in values.items() for one in _each(value)]
        one_line([str(tiny.path), "--ids", IDS, "--backend", "reference", *line], message, capsys)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


PROMPTS: dict[str, tuple[Any, list[str], str]] = {
    "empty": ([], ["--ids", ""], "a prompt is empty"),
    "too long": ([3] * 200, ["--ids", "3 " * 200], "a prompt of 200 tokens is longer than the context of 128"),
    "as long as the context": ([3] * 128, ["--ids", "3 " * 128], "fills the whole context"),
    "an id too large": ([97], ["--ids", "97"], "token id 97 is outside the model's vocabulary of 97"),
    "a negative id": ([-1], ["--ids=-1"], "token id -1 is outside"),
    "an id beyond 64 bits": ([2**70], ["--ids", str(2**70)], "is outside the model's vocabulary"),
    "a text without a tokenizer": ("하늘은", ["--prompt", "하늘은"], "the folder has no tokenizer"),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_a_prompt_that_cannot_be(name: str, tiny: Any, open_engine: Any, capsys: pytest.CaptureFixture[str]) -> None:
    prompt, line, message = PROMPTS[name]
    with pytest.raises(ValueError, match=r".") as caught:
        open_engine().generate([prompt])
    assert message in str(caught.value)
    one_line([str(tiny.path), "--backend", "reference", *line], message, capsys)


OPENING: dict[str, tuple[dict[str, Any], str]] = {
    "no threads": ({"threads": 0}, "threads must be at least 1"),
    "no back end": ({"backend": "warp"}, "unknown engine_backend 'warp'"),
    "no size": ({"memory": "much"}, "memory must be a size such as 6G"),
    "a negative size": ({"memory": "-1G"}, "memory must be a size such as 6G"),
    "too little": ({"memory": "1"}, "is too little: this model needs"),
}


@pytest.mark.parametrize("name", OPENING)
def test_settings_of_the_engine_that_make_no_sense(name: str, tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    values, message = OPENING[name]
    with pytest.raises(ValueError, match=r".") as caught:
        Engine.open(tiny.path, **values)
    assert message in str(caught.value)
    line = [f"--{key}={value}" for key, value in values.items()]
    one_line([str(tiny.path), "--ids", IDS, *line], message, capsys)


def test_a_cpu_without_vectors_is_served_by_the_scalar_kernels(tiny: Any, open_engine: Any) -> None:
    library = pytest.importorskip("axk1.engine.native_library").load()
    fastest = library.axk1_kernels()
    params = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)
    try:
        assert library.axk1_use(b"of another cpu") == -1
        assert library.axk1_kernels() == fastest
        assert library.axk1_use(b"scalar") == 0
        output = open_engine(backend="native").generate([[5, 6, 7]], params)[0]
    finally:
        library.axk1_use(fastest)
    assert list(output.token_ids) == tiny.greedy([5, 6, 7], 8)
