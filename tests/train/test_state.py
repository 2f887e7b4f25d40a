"""Resume points: whole or not at all."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor

from axk1.train import state


def tensors(value: float) -> dict[str, Tensor]:
    return {"w": torch.full((3, 2), value), "bf16": torch.full((4,), value).bfloat16(), "step": torch.tensor(7)}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = state.save(tmp_path / "state", 12, tensors(1.5), {"loss": 0.1, "names": ["가"]})
    assert state.newest(tmp_path / "state") == path
    found, values = state.load(path)
    assert values == {"loss": 0.1, "names": ["가"]}
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors(1.5).items())


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (5, 50, 500, 1000):
        state.save(tmp_path, step, tensors(step), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000500", "step-00001000"]


def test_nothing_saved_yet(tmp_path: Path) -> None:
    assert state.newest(tmp_path / "nowhere") is None


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    state.save(tmp_path, 1, tensors(1), {})
    (tmp_path / ".step-00000002.partial").mkdir()  # what kill -9 leaves in the middle of a save
    assert state.newest(tmp_path) == tmp_path / "step-00000001"
    state.save(tmp_path, 3, tensors(3), {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000003"]


def test_a_full_disk_is_one_line_and_the_older_point_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = state.save(tmp_path, 1, tensors(1), {})

    def full(saved: dict[str, Tensor], path: Path) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(state, "save_file", full)
    with pytest.raises(OSError, match="the disk is full") as error:
        state.save(tmp_path, 2, tensors(2), {})
    assert error.value.errno == errno.ENOSPC
    assert "\n" not in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == [older.name]
    assert torch.equal(state.load(older)[0]["w"], tensors(1)["w"])


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
def test_a_damaged_point_says_what_to_do(tmp_path: Path, name: str) -> None:
    path = state.save(tmp_path, 1, tensors(1), {"step": 1})
    whole = (path / name).read_bytes()
    (path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"step-00000001 is damaged .* remove it"):
        state.load(path)
