"""Files to read, and what lies in the folder of a pipeline."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import zstandard


def write_jsonl(path: Path, texts: list[str]) -> None:
    lines = "".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts).encode()
    packed = {".zst": zstandard.compress, ".gz": gzip.compress}.get(path.suffix, bytes)
    path.write_bytes(packed(lines))


def lines(folder: Path) -> Iterator[dict[str, object]]:
    """Every line of every file of the folder, in the order of their names."""
    for path in sorted(folder.glob("*.jsonl.zst")):
        with zstandard.open(path, "rt", encoding="utf-8", newline="\n") as file:
            yield from map(json.loads, file)


def contents(folder: Path) -> dict[str, bytes]:
    """The bytes of everything that must not depend on when a pipeline was stopped."""
    paths = [path for name in ("parts", "rejects", "samples") for path in (folder / name).iterdir()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
