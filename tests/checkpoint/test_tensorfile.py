"""Files against the safetensors library, in both directions, and every way a file can be broken."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from axk1.checkpoint import CheckpointError
from axk1.checkpoint.tensorfile import Entry, read_header, write


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "float": rng.standard_normal((3, 5)).astype(np.float32),
        "half": rng.standard_normal((2, 3, 4)).astype(np.float16),
        "bytes": rng.integers(0, 255, (7,)).astype(np.uint8),
        "scalar": np.array(4, dtype=np.int64),
        "empty": np.zeros((0, 3), dtype=np.float32),
    }


def test_reads_what_the_library_writes(tmp_path):
    file = tmp_path / "model.safetensors"
    save_file(arrays(), file, metadata={"format": "pt"})
    infos = {info.name: info for info in read_header(file)}
    content = file.read_bytes()
    for name, array in arrays().items():
        info = infos.pop(name)
        assert info.shape == array.shape
        assert content[info.offset : info.offset + info.nbytes] == array.tobytes()
    assert not infos


def test_the_library_reads_what_we_write(tmp_path):
    file, wanted = tmp_path / "model.safetensors", arrays()
    dtypes = {"float": "F32", "half": "F16", "bytes": "U8", "scalar": "I64", "empty": "F32"}
    entries = [Entry(name, array.shape, dtypes[name]) for name, array in wanted.items()]
    asked: list[str] = []

    def data(name: str) -> memoryview:
        asked.append(name)
        return memoryview(wanted[name].tobytes())

    write(file, entries, data)
    assert asked == list(wanted)
    found = load_file(file)
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)


def broken(header: object, body: bytes = b"\0" * 16) -> bytes:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return len(text).to_bytes(8, "little") + text + body


def tensor(begin: int, end: int, shape: object = (4,), dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


BROKEN = [
    (b"", "not a safetensors file"),
    (b"\1\2", "not a safetensors file"),
    (b"\xff" * 64, "not a safetensors file"),
    ((1000).to_bytes(8, "little") + b"{}", "cut short"),
    (broken(b"{not json}"), "header is not JSON"),
    (broken(b"\xff\xfe"), "header is not JSON"),
    (broken([1, 2]), "header is not a JSON object"),
    (broken({"a": 3}), "entry for tensor a is broken"),
    (broken({"a": {"dtype": "F32", "shape": [4]}}), "entry for tensor a is broken"),
    (broken({"a": tensor(0, 16, dtype="F31")}), "tensor a has the unknown dtype F31"),
    (broken({"a": tensor(0, 16, [5])}), r"tensor a \[5\] F32 does not fill its 16 bytes"),
    (broken({"a": tensor(0, 16, [-2, -2])}), "entry for tensor a is broken"),
    (broken({"a": tensor(0, 16, [4.0])}), "entry for tensor a is broken"),
    (broken({"a": tensor(0, 16, ["4"])}), "entry for tensor a is broken"),
    (broken({"a": tensor(0, 16, [True] * 4)}), "entry for tensor a is broken"),
    (broken({"a": tensor(0, 16, [1] * 9)}), "entry for tensor a is broken"),
    (broken({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, float("inf")]}}), "entry for tensor a is broken"),
    (broken({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8, 16]}}), "entry for tensor a is broken"),
    (broken(b"[" * 100_000), "header is not JSON: nested too deeply"),
    (broken({"a": tensor(0, 16)}, b"\0" * 12), "cut short"),
    (broken({"a": tensor(0, 16)}, b"\0" * 20), "4 bytes behind the last tensor"),
    (broken({"a": tensor(0, 16), "b": tensor(8, 24)}, b"\0" * 24), "tensor b begins at byte .* instead of"),
    (broken({"a": tensor(4, 20)}, b"\0" * 20), "tensor a begins at byte"),
]


@pytest.mark.parametrize(("content", "message"), BROKEN)
def test_a_broken_file_is_one_clear_line(tmp_path, content, message):
    file = tmp_path / "model.safetensors"
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_header(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)
