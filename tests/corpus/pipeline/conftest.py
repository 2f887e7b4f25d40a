from pathlib import Path

import pytest

from pipeline_folders import write_jsonl


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with three files: 300 + 40 + 200 documents of different size; repeats, Windows line ends, empty ones."""
    folder = tmp_path / "texts"
    folder.mkdir()
    first = [f"첫째 글 {number}. " * (number % 7 + 1) for number in range(300)]
    write_jsonl(folder / "a.jsonl.zst", first)
    write_jsonl(folder / "b.jsonl", [f"둘째\r\n글 {number}" for number in range(30)] + [" "] * 10)
    write_jsonl(folder / "c.jsonl.gz", [f"셋째 글 {number}" for number in range(100)] + first[:100])
    return folder
