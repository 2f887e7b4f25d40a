"""Memory does not grow with the input: only with what a step says that it remembers."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline_folders import write_jsonl

BUILD = """
import sys
from pathlib import Path
from axk1.corpus.pipeline.pipeline import run_pipeline
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.source import Source

steps = ("newlines", "nfc", "drop_empty", "exact_dedup", "newlines")
run_pipeline(PipelineConfig((Source(sys.argv[1]),), steps, tasks=2), Path(sys.argv[2]))
"""


def _peak_megabytes(folder: Path, documents: int) -> float:
    """In a process of its own, all tasks one after the other."""
    rng = random.Random(0)
    words = ["나무", "바람\r\n", "하늘은", "오늘도", "푸르다.", "그리고", "\u1100\u1161을", "노래"]
    path = folder / f"{documents}.jsonl.zst"
    write_jsonl(path, [" ".join(rng.choices(words, k=120)) + str(number % 9_000) for number in range(documents)])
    subprocess.run([sys.executable, "-c", BUILD, str(path), str(folder / str(documents))], check=True)
    report = json.loads((folder / str(documents) / "report.json").read_text("utf-8"))
    assert report["read"]["documents"] == documents
    return float(report["peak_memory"] / 1e6)


@pytest.mark.slow
def test_ten_times_the_input_takes_as_much_memory(tmp_path):
    small, large = (_peak_megabytes(tmp_path, documents) for documents in (10_000, 100_000))
    remembered = 100_000 * 48 * 1.5 / 1e6  # exact_dedup: bytes a document, and half as much again while it grows
    print(f"peak: {small:.0f} MB, with ten times the input {large:.0f} MB")
    assert large < small + remembered + 5
