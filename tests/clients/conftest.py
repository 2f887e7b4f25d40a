"""A real server for real clients, which live in an environment of their own (`make test-clients`)."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Server:
    url: str
    model: str
    folder: Path


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """`axk1 serve` of the main environment, whose Python AXK1_PYTHON names, on a small random model."""
    python = os.environ["AXK1_PYTHON"]
    folder = tmp_path_factory.mktemp("clients") / "tiny"
    subprocess.run([python, Path(__file__).with_name("make_model.py"), folder], check=True)
    command = [
        python,
        "-m",
        "axk1",
        "serve",
        folder,
        "--port",
        "0",
        "--folder",
        folder.parent / "serve",
        "--lang",
        "en",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Server(_address(process), "tiny", folder)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _address(process: "subprocess.Popen[str]") -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if found := re.match(r"API\s+(http://\S+)/v1", line):
            return found.group(1)
    raise RuntimeError("the server did not begin")
