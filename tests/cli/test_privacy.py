"""`axk1 corpus privacy | unmask | new-key`."""

import json
from pathlib import Path

import pytest

from axk1.cli import main
from axk1.corpus.documents import Document, JsonLines, read_documents
from axk1.corpus.privacy.policy import PrivacySettings
from axk1.corpus.privacy.step import Privacy

TEXT = "성명: 김민수, 전화 010-2345-6789"


def written(path: Path, *documents: Document) -> Path:
    with JsonLines(path) as lines:
        for document in documents:
            lines.write(document.to_json())
    return path


def test_counts_are_shown_and_values_are_not(tmp_path, capsys):
    file = written(tmp_path / "in.jsonl.zst", Document(TEXT, "1", "x"), Document("글", "2", "x"))
    assert main(["corpus", "privacy", str(file), "--json"]) == 0
    out = capsys.readouterr().out
    report = json.loads(out)
    assert (report["documents"], report["affected"]) == (2, 1)
    assert report["found"] == {"name": 1, "phone": 1}
    assert "김민수" not in out
    assert "2345" not in out


def test_what_is_sealed_is_restored_with_the_key(tmp_path, capsys):
    pytest.importorskip("cryptography")
    key, restored = tmp_path / "key", tmp_path / "restored.jsonl.zst"
    assert main(["corpus", "new-key", str(key)]) == 0
    settings = PrivacySettings({"name": "reversible", "phone": "reversible"}, key_file=str(key))
    (sealed,) = Privacy(settings)(iter([Document(TEXT, "1", "x")]), lambda document, reason: None)
    file = written(tmp_path / "sealed.jsonl.zst", sealed)
    assert main(["corpus", "unmask", str(file), str(restored), "--key", str(key)]) == 0
    assert [document.text for document in read_documents(restored)] == [TEXT]


def test_a_wrong_key_writes_nothing(tmp_path, capsys):
    pytest.importorskip("cryptography")
    for name in ("key", "other"):
        main(["corpus", "new-key", str(tmp_path / name)])
    settings = PrivacySettings({"name": "reversible"}, key_file=str(tmp_path / "key"))
    (sealed,) = Privacy(settings)(iter([Document(TEXT, "1", "x")]), lambda document, reason: None)
    file = written(tmp_path / "sealed.jsonl.zst", sealed)
    assert main(["corpus", "unmask", str(file), str(tmp_path / "out"), "--key", str(tmp_path / "other")]) != 0
    assert "not sealed with this key" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"key", "other", "sealed.jsonl.zst"}


def test_a_key_is_not_replaced(tmp_path, capsys):
    main(["corpus", "new-key", str(tmp_path / "key")])
    before = (tmp_path / "key").read_bytes()
    assert main(["corpus", "new-key", str(tmp_path / "key")]) != 0
    assert (tmp_path / "key").read_bytes() == before
