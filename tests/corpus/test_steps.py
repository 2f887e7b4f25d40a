import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.config import ConfigError
from axk1.corpus.clean import DropEmpty, Newlines, Nfc
from axk1.corpus.documents import Document, JsonLines, read_documents
from axk1.corpus.split import part_of
from axk1.corpus.steps import make_step, step_name

TEXTS = st.lists(st.text(st.sampled_from("가각\u1100\u1161\u11a8a é\u0301\r\n \u2028"), max_size=4), max_size=30)


def _through(step, texts: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    rejected: list[tuple[str, str]] = []
    documents = (Document(text, str(n), "") for n, text in enumerate(texts))
    kept = step(documents, lambda document, reason: rejected.append((document.text, reason)))
    return [document.text for document in kept], rejected


@given(TEXTS)
def test_nfc_composes_and_drops_nothing(texts):
    assert _through(Nfc(), texts) == ([unicodedata.normalize("NFC", text) for text in texts], [])


@given(TEXTS)
def test_newlines_are_those_of_universal_newline_reading(texts):
    assert _through(Newlines(), texts) == ([io.StringIO(text, newline=None).read() for text in texts], [])


@given(TEXTS)
def test_empty_documents_go_with_a_reason(texts):
    kept, rejected = _through(DropEmpty(), texts)
    assert kept == [text for text in texts if text.strip()]
    assert rejected == [(text, "no text") for text in texts if not text.strip()]


@given(st.text(max_size=20), st.integers(0, 5))
def test_the_split_depends_on_the_text_alone(text, seed):
    assert part_of(text, 0.3, seed) == part_of(str(text), 0.3, seed)
    assert part_of(text, 0.0, seed) == "train"


@pytest.mark.parametrize("fraction", [0.01, 0.2])
def test_the_split_has_the_asked_size_and_changes_with_the_seed(fraction):
    texts = [f"글 {n}" for n in range(20_000)]
    chosen = [{text for text in texts if part_of(text, fraction, seed) == "validation"} for seed in (0, 1)]
    deviation = (20_000 * fraction * (1 - fraction)) ** 0.5
    assert all(abs(len(one) - 20_000 * fraction) < 4 * deviation for one in chosen)
    assert abs(len(chosen[0] & chosen[1]) - 20_000 * fraction**2) < 5 * (20_000 * fraction**2) ** 0.5
    smaller = {text for text in texts if part_of(text, fraction / 2, 0) == "validation"}
    assert smaller < chosen[0]


def test_options_of_a_step_are_those_of_its_settings():
    entry = {"name": "exact_dedup", "memory_bytes": 1 << 20}
    assert step_name(entry) == "exact_dedup"
    assert make_step(entry)._seen._slots._memory_bytes == 1 << 20


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"memory_bytes": 1}, "a table needs a name"),
        ({"name": "exact_dedup", "memory": 1}, "unknown key 'memory'"),
        ({"name": "exact_dedup", "memory_bytes": "1"}, "wants a whole number"),
        ({"name": "nfc", "form": "NFD"}, "it has no options, found form"),
    ],
)
def test_a_wrong_option_is_named(entry, message):
    with pytest.raises(ConfigError, match=message):
        make_step(entry)


def test_what_is_known_of_a_document_goes_into_the_file_and_back(tmp_path):
    document = Document("글", "a:1", "a").noted(license="CC0-1.0", quality=0.5)
    with JsonLines(tmp_path / "a.jsonl.zst") as file:
        for one in (document, Document("둘", "a:2", "a")):
            file.write(one.to_json())
    assert list(read_documents(tmp_path / "a.jsonl.zst")) == [document, Document("둘", "a:2", "a")]
    assert dict(document.noted(quality=0.7).metadata) == {"license": "CC0-1.0", "quality": 0.7}
