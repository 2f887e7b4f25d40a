"""Folders of one and of many files, and every way their parts can contradict each other."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from axk1 import arch
from axk1.checkpoint import CheckpointError, CheckpointFolder
from axk1.checkpoint.tensorfile import Entry, write

INDEX = "model.safetensors.index.json"
FIRST = {"a": np.arange(6, dtype=np.float32).reshape(2, 3)}
SECOND = {"b": np.arange(4, dtype=np.float16), "c": np.arange(3, dtype=np.int64)}


def make(folder: Path, weight_map: dict[str, str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(arch.preset("nano").to_huggingface()), encoding="utf-8")
    save_file(FIRST, folder / "one.safetensors")
    save_file(SECOND, folder / "two.safetensors")
    weight_map = weight_map or {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
    return folder


def test_sharded_tensors_are_mapped(tmp_path):
    folder = CheckpointFolder(make(tmp_path / "m"))
    assert folder.config == arch.preset("nano")
    assert [file.name for file in folder.files] == ["one.safetensors", "two.safetensors"]
    for name, array in {**FIRST, **SECOND}.items():
        assert folder.tensors[name].shape == array.shape
        assert bytes(folder.raw(name)) == array.tobytes()
    assert folder.raw("a").readonly
    with pytest.raises(KeyError):
        folder.raw("nothing")


def test_a_folder_of_one_file_with_bfloat16(tmp_path):
    make(tmp_path / "m")
    (tmp_path / "m" / INDEX).unlink()
    content = bytes(range(8))
    write(tmp_path / "m" / "model.safetensors", [Entry("x", (2, 2), "BF16")], lambda name: memoryview(content))
    folder = CheckpointFolder(tmp_path / "m")
    assert folder.tensors["x"].dtype == "BF16"
    assert bytes(folder.raw("x")) == content


def fails(folder: Path, message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        CheckpointFolder(folder)
    assert "\n" not in str(caught.value)


def test_what_is_not_a_checkpoint(tmp_path):
    fails(tmp_path / "nothing", "nothing: no such folder")
    (tmp_path / "m").mkdir()
    fails(tmp_path / "m", "config.json: no such file")
    for name in ("one.safetensors", "two.safetensors", INDEX):
        make(tmp_path / "m")
        (tmp_path / "m" / name).unlink()
    fails(tmp_path / "m", "neither model.safetensors nor")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "config.json is not JSON"),
        ('{"a": ' + "[" * 100_000, "config.json is not JSON: nested too deeply"),
        ("[]", "config.json is not a JSON object"),
        ('{"model_type": "llama"}', "config.json: .*'llama' is not supported"),
        ('{"model_type": "axk1", "scoring_func": "softmax"}', "config.json: scoring_func"),
    ],
)
def test_broken_config(tmp_path, text, message):
    (make(tmp_path / "m") / "config.json").write_text(text, encoding="utf-8")
    fails(tmp_path / "m", message)


def test_config_that_is_not_utf8(tmp_path):
    (make(tmp_path / "m") / "config.json").write_bytes(b'{"x": "\xb0\xa1"}')
    fails(tmp_path / "m", "config.json is not JSON")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({}, "no weight_map"),
        ({"weight_map": {}}, "no weight_map"),
        ({"weight_map": {"a": 1}}, "no weight_map"),
        ({"weight_map": {"a": "../one.safetensors"}}, "'../one.safetensors' is not a file name"),
        ({"weight_map": {"a": "gone.safetensors"}}, "gone.safetensors: the index names this file, it is not there"),
    ],
)
def test_broken_index(tmp_path, index, message):
    (make(tmp_path / "m") / INDEX).write_text(json.dumps(index), encoding="utf-8")
    fails(tmp_path / "m", message)


def test_index_and_files_disagree(tmp_path):
    both = {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}
    fails(make(tmp_path / "m", {**both, "d": "one.safetensors"}), "tensor d is not in one.safetensors")
    fails(make(tmp_path / "m", {"a": "one.safetensors", "b": "two.safetensors"}), "tensor c is here, but not by the")
    fails(make(tmp_path / "m", {**both, "b": "one.safetensors"}), "tensor b is here, but not by the index")


def test_a_tensor_in_two_files(tmp_path):
    make(tmp_path / "m")
    save_file({**SECOND, **FIRST}, tmp_path / "m" / "two.safetensors")
    fails(tmp_path / "m", "two.safetensors: tensor a is also in one.safetensors")


def test_a_truncated_shard(tmp_path):
    shard = make(tmp_path / "m") / "two.safetensors"
    shard.write_bytes(shard.read_bytes()[:-5])
    fails(tmp_path / "m", "two.safetensors: cut short")
