"""The recipe for Korean text as a whole: killed at any time it ends in the same bytes; what it holds in memory."""

import itertools
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # the measurement is a command too, beside this module

from whole_chain import killed_and_resumed, peak_of

from axk1.corpus.narrative import narratives
from pipeline_folders import write_jsonl


def _texts(folder: Path, documents: int) -> Path:
    """Files of passages, every tenth of them once more with a word changed."""
    folder.mkdir()
    passages = narratives(0, "train")
    texts = ["\n".join(itertools.islice(passages, 3)) for _ in range(documents)]
    texts += [text.replace("하루", "이틀", 1) for text in texts[::10]]
    for number in range(3):
        write_jsonl(folder / f"{number}.jsonl.zst", texts[number::3])
    return folder


@pytest.mark.slow
def test_the_chain_that_is_killed_again_and_again_ends_in_the_same_bytes(tmp_path):
    whole, broken, moments = killed_and_resumed(_texts(tmp_path / "texts", 6000), tmp_path, kills=3)
    assert moments  # it was killed at least once
    assert broken == whole


@pytest.mark.slow
def test_memory_grows_by_what_the_tables_remember_and_no_more(tmp_path):
    few, small = peak_of(_texts(tmp_path / "few", 3000), tmp_path / "small")
    many, large = peak_of(_texts(tmp_path / "many", 15_000), tmp_path / "large")
    assert many == 5 * few
    assert large < small + 3e-3 * (many - few)  # 3 KB a document, most of it pages of files, which the system may drop
