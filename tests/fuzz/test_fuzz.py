"""A short run of the fuzzer, and proof that it would see what it looks for. `make fuzz SECONDS=600` is the long one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from axk1.engine.native_library import load
from axk1.native import NativeUnavailableError
from fuzz.mutations import mutate
from fuzz.valid import STORAGES, files

SECONDS, MOST_CASES = 20, 120  # time on a busy machine; on an idle one the cases take some five seconds
ROOT = Path(__file__).parents[2]

try:
    load()
except NativeUnavailableError as reason:
    pytest.skip(str(reason), allow_module_level=True)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """In a process without torch and without threads, which may be forked."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests"), *sys.path]),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)


def test_broken_folders_are_answered_or_refused(tmp_path: Path) -> None:
    limits = ("--seconds", str(SECONDS), "--cases", str(MOST_CASES))
    done = run("-m", "fuzz", *limits, "--seed", "7", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["failures"] == []
    assert found["refused"] > found["answered"] > 0


@pytest.mark.parametrize("name", STORAGES)
def test_every_unbroken_folder_is_answered_alike(name: str, tmp_path: Path) -> None:
    """Else its mistakes would prove nothing."""
    for file, data in files(STORAGES[name]).items():
        (tmp_path / file).write_bytes(data)
    done = run("-c", f"from pathlib import Path; from fuzz.judge import *; print(judge(Path({str(tmp_path)!r})))")
    assert done.stdout.count("kind='answered'") == 2, done.stdout + done.stderr


def test_a_case_is_always_the_same() -> None:
    valid = files(STORAGES["int4"])
    assert mutate(valid, Random("1:2")) == mutate(valid, Random("1:2"))
    assert valid == files(STORAGES["int4"]), "the valid folder is changed"


MISTAKES: dict[str, tuple[str, str]] = {
    "crash": ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    "hang": ("time.sleep(60)", "no end after 1.0 s"),
    "another exception": ("[][1]", "IndexError"),
    "no message": ("(_ for _ in ()).throw(CheckpointError(''))", "kind='failed'"),
    "two lines": ("(_ for _ in ()).throw(CheckpointError('a\\nb'))", "kind='failed'"),
    "too much memory": ("bytearray(5 << 30)", "MemoryError"),
    "an answer that is no number": ("(_ for _ in ()).throw(ArithmeticError())", "ArithmeticError"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_what_it_looks_for_is_seen(name: str) -> None:
    work, message = MISTAKES[name]
    imports = "import os, signal, time; from pathlib import Path; from fuzz.judge import *"
    done = run("-c", f"{imports}; print(worst(judge(Path('.'), lambda *_: {work}, 1.0)))")
    assert done.returncode == 0, done.stderr
    assert "kind='failed'" in done.stdout
    assert message in done.stdout
