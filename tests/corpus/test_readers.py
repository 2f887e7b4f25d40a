import gzip
import json
import random
import sys
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from axk1.corpus.documents import Document
from axk1.corpus.readers import read
from axk1.corpus.source import Source, files_of
from axk1.corpus.streams import CorpusError

TEXTS = ["첫 글\u2028둘째 줄", "second\n", "", "셋째"]


def _read(path, **settings) -> list[Document]:
    return list(read(Source(str(path), **settings), lambda document, reason: None))


def _jsonl(rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.parquet"])
def test_the_texts_come_back_in_order(name, tmp_path):
    path = tmp_path / name
    rows = [{"text": text, "n": n} for n, text in enumerate(TEXTS)]
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=2)
    else:
        pack = {"gz": gzip.compress, "zst": zstandard.ZstdCompressor().compress}.get(path.suffix[1:], bytes)
        path.write_bytes(pack(_jsonl(rows)))
    expected = [Document(text, f"{name}:{number}", "a") for number, text in enumerate(TEXTS, start=1)]
    assert _read(path) == expected


def test_blank_lines_between_json_objects_do_not_count(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n\n \r\n{"text": "b"}')
    assert [document.id for document in _read(tmp_path / "a.jsonl")] == ["a.jsonl:1", "a.jsonl:4"]


def test_several_fields_are_joined_and_records_chosen(tmp_path):
    rows = [{"q": "뭐 해?", "a": "쉬어.", "mt": "HT"}, {"q": "x", "a": "y", "mt": "MT"}, {"q": "x", "a": "y"}]
    (tmp_path / "a.jsonl").write_bytes(_jsonl(rows))
    found = _read(tmp_path / "a.jsonl", fields=("q", "a"), joined_by=" → ", only={"mt": "HT"}, name="qa")
    assert found == [Document("뭐 해? → 쉬어.", "a.jsonl:1", "qa")]


def test_a_field_may_lie_inside_another(tmp_path):
    rows = [{"turns": [{"text": "가"}, {"text": "나"}], "a.b": "다"}, {"turns": [{"text": "라"}], "a.b": "마"}]
    (tmp_path / "a.jsonl").write_bytes(_jsonl(rows))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    for name in ("a.jsonl", "a.parquet"):
        found = _read(tmp_path / name, fields=("turns.0.text", "a.b"))
        assert [document.text for document in found] == ["가\n다", "라\n마"]
        with pytest.raises(CorpusError, match=r"no field 'turns\.1\.text'"):
            _read(tmp_path / name, fields=("turns.1.text",))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("file", [("가\n나\n\n\n다", 1)]),
        ("paragraph", [("가\n나", 1), ("다", 5)]),
        ("line", [("가", 1), ("나", 2), ("다", 5)]),
    ],
)
def test_what_a_document_of_a_text_file_is(unit, expected, tmp_path):
    (tmp_path / "a.txt").write_text("가\n나\n\n\n다\n", encoding="utf-8")
    found = _read(tmp_path / "a.txt", text_unit=unit)
    assert [(document.text, document.id) for document in found] == [(text, f"a.txt:{n}") for text, n in expected]


def test_a_large_text_file_is_cut_at_line_ends_and_nothing_is_lost(tmp_path):
    lines = [f"{n} 번째 줄입니다." for n in range(120_000)]
    (tmp_path / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    found = _read(tmp_path / "a.txt")
    assert len(found) > 1
    assert "\n".join(document.text for document in found).split("\n") == lines


def test_folders_and_globs_give_every_known_file_sorted(tmp_path):
    for name in ("b/2.txt", "b/1.txt", "a.txt.gz", ".hidden/3.txt", "b/notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(gzip.compress(b"zipped") if name.endswith(".gz") else name.encode())
    assert [(one.id, one.text) for one in _read(tmp_path)] == [
        ("a.txt.gz:1", "zipped"),
        ("b/1.txt:1", "b/1.txt"),
        ("b/2.txt:1", "b/2.txt"),
    ]
    assert [one.id for one in _read(f"{tmp_path}/**/*2.txt")] == ["b/2.txt:1"]
    assert [file.name for file in files_of(str(tmp_path)).ignored] == ["notes.md"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('{"text": "가"}\n{"text": "나\n'.encode(), r"a\.jsonl:2: broken JSON"),
        ('{"text": "가"}\n["나"]\n'.encode(), r"a\.jsonl:2: wants a JSON object, found list"),
        (b'{"content": "x", "id": 1}\n', r"a\.jsonl:1: no field 'text' \(the record has: content, id\)"),
        (b'{"text": 3}\n', r"a\.jsonl:1: field 'text' is no text but int"),
        (b'{"text": null}\n', r"a\.jsonl:1: field 'text' is no text but NoneType"),
        (b'{"text": "ab\\ud800"}\n', r"a\.jsonl:1: .* half a surrogate pair at character 2"),
        (b"[" * 100_000, r"a\.jsonl:1: broken JSON"),
        (b'{"text": "a"}\n{"text": "\xb0\xa1"}\n', r"a\.jsonl: not UTF-8 text: byte 0xb0 at offset 24 .*cp949"),
    ],
)
def test_a_bad_record_is_one_line_that_names_file_and_place(data, message, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(data)
    with pytest.raises(CorpusError, match=message) as caught:
        _read(tmp_path / "a.jsonl")
    assert "\n" not in str(caught.value)


def test_bad_records_may_be_skipped_and_are_handed_over(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a"}\n{"text": \n{"txt": "b"}\n{"text": "\xff"}\n{"text": "c"}\n')
    rejected: list[tuple[str, str]] = []
    source = Source(str(tmp_path / "a.jsonl"), bad_records="skip")
    kept = list(read(source, lambda document, reason: rejected.append((document.id, reason))))
    assert [document.text for document in kept] == ["a", "c"]
    assert rejected == [(f"a.jsonl:{line}", "unreadable record") for line in (2, 3, 4)]


@pytest.mark.parametrize("encoding", ["cp949", "utf-16"])
def test_text_that_is_not_utf8_names_the_byte(encoding, tmp_path):
    data = b"ascii\n" + "한글".encode(encoding)
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UnicodeDecodeError) as oracle:
        data.decode("utf-8")
    with pytest.raises(CorpusError, match=rf"a\.txt: not UTF-8 text: .* at offset {oracle.value.start}\b"):
        _read(tmp_path / "a.txt")


@pytest.mark.parametrize("kept", [0, 0.3, 0.9, 0.999])
def test_a_truncated_parquet_file_is_an_error_that_names_it(kept, tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{n} 번째 글" for n in range(1000)]}), path, row_group_size=100)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(CorpusError, match=r"a\.parquet: truncated or damaged parquet file"):
        _read(path)


def test_damage_in_the_middle_of_a_parquet_file_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": [f"{n * n} 번째 글" for n in range(5000)]}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=r"a\.parquet: truncated or damaged"):
        _read(path)


def test_a_missing_column_names_the_known_ones(tmp_path):
    pq.write_table(pa.table({"content": ["a"], "id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(CorpusError, match=r"a\.parquet: no column 'text' \(known: content, id\)"):
        _read(tmp_path / "a.parquet")


def test_unknown_types_missing_files_and_empty_folders_are_errors(tmp_path):
    (tmp_path / "report.rtf").write_bytes(b"x")
    with pytest.raises(CorpusError, match=r"no file of a known type \(known: \.txt, .* found: report\.rtf\)"):
        _read(tmp_path / "report.rtf")
    with pytest.raises(CorpusError, match=r"found: report\.rtf"):
        _read(tmp_path)
    with pytest.raises(CorpusError, match=r"found: nothing"):
        _read(tmp_path / "*.txt")
    with pytest.raises(CorpusError, match="no such file or folder"):
        _read(tmp_path / "a.txt")


def test_a_parquet_file_is_not_held_in_memory(tmp_path):
    path = tmp_path / "a.parquet"
    rng = random.Random(0)
    table = pa.table({"text": [rng.randbytes(6000).hex() for _ in range(4000)]})  # 48 MB that no compression shrinks
    pq.write_table(table, path, row_group_size=4000, use_dictionary=False)
    del table
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in read(Source(str(path)), lambda document, reason: None)]
    assert max(held) < 24_000_000


def test_a_hub_dataset_needs_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(CorpusError, match=r"hf:org/name: Hugging Face datasets need a package: pip install datasets"):
        _read("hf:org/name")


def test_a_hub_dataset_out_of_reach_is_one_clear_line(monkeypatch):
    def load_dataset(*args, **kwargs):
        raise ConnectionError("Couldn't reach 'org/name' on the Hub\nlong explanation")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(CorpusError, match=r"hf:org/name: cannot be read .* Couldn't reach .* \(is this machine online"):
        _read("hf:org/name")


def test_a_hub_dataset_is_streamed(monkeypatch):
    asked = []

    def load_dataset(name, config, *, split, streaming):
        asked.append((name, config, split, streaming))
        return iter([{"text": "안녕"}, {"text": "세상"}])

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    found = _read("hf:org/name", config="ko", split="test")
    assert asked == [("org/name", "ko", "test", True)]
    assert found == [Document("안녕", "org/name:1", "name"), Document("세상", "org/name:2", "name")]


def test_lines_of_a_text_file_are_alike_whatever_ends_them(tmp_path):
    (tmp_path / "a.txt").write_bytes("같은 줄\r\n다른 줄\r\n같은 줄".encode())
    assert [one.text for one in _read(tmp_path / "a.txt", text_unit="line")] == ["같은 줄", "다른 줄", "같은 줄"]


def test_a_source_carries_along_what_is_known_of_its_documents(tmp_path):
    rows = [
        {"text": "하나", "spdx": "CC0-1.0", "stars": 3},
        {"text": "둘", "spdx": None},
        {"text": "셋", "spdx": ["MIT"]},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pq.write_table(pa.table({"text": ["하나"], "spdx": ["CC0-1.0"]}), tmp_path / "b.parquet")
    wanted = {"license": "spdx", "stars": "stars"}
    found = [dict(one.metadata) for one in read(Source(str(tmp_path), metadata=wanted), _never)]
    assert found == [{"license": "CC0-1.0", "stars": 3}, {}, {}, {"license": "CC0-1.0"}]


def _never(document, reason):
    raise AssertionError(reason)
