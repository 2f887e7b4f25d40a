import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from axk1 import runs
from axk1.runs import Metrics, Run, whole_folder, write_whole

RECIPE = {"pretrain": {"steps": 10, "preset": "nano"}, "sft": {"steps": 5}}


def test_write_whole_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "a.txt", "하나")
    write_whole(tmp_path / "a.txt", b"two")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"two"


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_the_old_file_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "a.txt", "old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match=r"disk is full: .*a\.txt"):
        write_whole(tmp_path / "a.txt", "new")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.txt": "old"}


def test_a_full_disk_keeps_the_old_folder(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "f") as folder:
        (folder / "x").write_text("old", encoding="utf-8")
    with pytest.raises(OSError, match="the disk is full"), whole_folder(tmp_path / "f"):
        full_disk()
    assert (tmp_path / "f/x").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


def test_whole_folder_replaces_an_older_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with whole_folder(tmp_path / "f") as folder:
            (folder / name).mkdir()
    assert [path.name for path in (tmp_path / "f").iterdir()] == ["new"]


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupted_folder_is_not_seen(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "f"):
        interrupt()
    assert list(tmp_path.iterdir()) == []


def test_run_is_created_then_resumed(tmp_path: Path) -> None:
    first = Run.open(tmp_path / "r", RECIPE, seed=3)
    assert not first.done("pretrain")
    first.finish("pretrain", {"loss": 1.5})
    first.close()
    again = Run.open(tmp_path / "r", RECIPE, seed=3)
    assert again.done("pretrain")
    assert again.summary("pretrain") == {"loss": 1.5}
    assert again.about == first.about
    assert {"recipe", "seed", "revision", "versions", "started"} == set(again.about)
    again.close()


def test_a_begun_stage_keeps_its_settings(tmp_path: Path) -> None:
    run = Run.open(tmp_path / "r", RECIPE, seed=3)
    run.folder("pretrain")
    run.close()
    other = {"pretrain": {"steps": 20, "preset": "nano"}, "sft": {"steps": 6}}
    with pytest.raises(ValueError, match=r"otherwise: pretrain\.steps was 10, now 20; seed was 3, now 4\."):
        Run.open(tmp_path / "r", other, seed=4)
    again = Run.open(tmp_path / "r", RECIPE, seed=3)
    assert again.about == run.about
    again.close()


def test_a_later_stage_may_still_be_changed(tmp_path: Path) -> None:
    run = Run.open(tmp_path / "r", RECIPE, seed=3)
    run.folder("pretrain")
    run.close()
    other = RECIPE | {"sft": {"steps": 6, "epochs": 2}}
    again = Run.open(tmp_path / "r", other, seed=3)
    assert again.about == run.about | {"recipe": other}
    again.close()


def test_two_processes_cannot_share_a_run(tmp_path: Path) -> None:
    run = Run.open(tmp_path / "r", RECIPE, seed=0)
    code = f"from pathlib import Path; from axk1.runs import Run; Run.open(Path({str(tmp_path / 'r')!r}), {RECIPE}, 0)"
    busy = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "another process is at work" in busy.stderr
    run.close()
    free = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert free.returncode == 0, free.stderr


def test_metrics_drop_what_came_after_the_resume_point(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl")
    assert metrics.read() == []
    for step in range(1, 6):
        metrics.write(step=step, loss=float("nan") if step == 2 else 1 / step, load=[step, float("inf")])
    with open(metrics.path, "a", encoding="utf-8") as file:
        file.write('{"step": 6, "lo')  # kill -9 in the middle of a line
    metrics.truncate_after(2)
    metrics.write(step=3, loss=0.5)
    lines = [json.loads(line) for line in metrics.path.read_text(encoding="utf-8").split("\n") if line]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert lines[1] == {"step": 2, "loss": None, "load": [2, None]}
    assert lines == metrics.read()


def test_without_git_there_is_no_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert runs._revision() is None
