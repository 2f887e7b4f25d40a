import gzip
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus import streams
from axk1.corpus.streams import CorpusError, lines_of


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        data = gzip.compress(data)
    elif name.endswith(".zst"):
        data = zstandard.ZstdCompressor().compress(data)
    path.write_bytes(data)
    return path


@given(data=st.lists(st.sampled_from([b"\n", b"\r", "가\u2028".encode(), b"a", b""]), max_size=40).map(b"".join))
@pytest.mark.parametrize("name", ["a.txt", "a.gz", "a.zst"])
@pytest.mark.parametrize("chunk", [1, 3, 1 << 18])
def test_lines_are_those_of_a_split_at_newline(name, chunk, data, tmp_path_factory):
    path = _written(tmp_path_factory.mktemp("lines"), name, data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "_CHUNK_BYTES", chunk)
        lines = list(lines_of(path))
    expected = data.split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    assert [line.data for line in lines] == expected
    assert [line.number for line in lines] == list(range(1, len(expected) + 1))
    assert all(data[line.offset : line.offset + len(line.data)] == line.data for line in lines)


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_truncated_file_is_an_error_that_names_it(name, kept, tmp_path):
    data = bytes(range(256)) * 4000
    path = _written(tmp_path, name, data)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CorpusError, match=rf"{name}: the \w+ file is truncated"):
        list(lines_of(path))


@pytest.mark.parametrize("name", ["a.gz", "a.zst"])
def test_a_file_that_is_not_compressed_is_an_error_that_names_it(name, tmp_path):
    (tmp_path / name).write_bytes(b"plain text, thirty bytes and more")
    with pytest.raises(CorpusError, match=f"{name}: damaged"):
        list(lines_of(tmp_path / name))


def test_zstd_frames_may_follow_each_other(tmp_path):
    frame = zstandard.ZstdCompressor().compress
    (tmp_path / "a.zst").write_bytes(frame(b"one\ntw") + frame(b"o\nthree"))
    assert [line.data for line in lines_of(tmp_path / "a.zst")] == [b"one", b"two", b"three"]


def test_a_byte_order_mark_is_left_out_but_counted(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfab\ncd")
    assert list(lines_of(tmp_path / "a.txt")) == [(1, 3, b"ab"), (2, 6, b"cd")]


def test_an_endless_line_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "MAX_LINE_BYTES", 1 << 20)
    (tmp_path / "a.txt").write_bytes(b"ok\n" + b"x" * (2 << 20))
    with pytest.raises(CorpusError, match=r"a\.txt:2: the line is longer than 1 MiB"):
        list(lines_of(tmp_path / "a.txt"))
