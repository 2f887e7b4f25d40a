"""What a recipe says of one source of text, and the files that it means."""

import glob
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Literal, NamedTuple

from axk1.corpus.formats.limits import Limits
from axk1.corpus.formats.opening import ENDINGS
from axk1.corpus.formats.vision import Vision
from axk1.corpus.streams import CorpusError

__all__ = ["HUB", "Files", "Format", "Source", "files_of", "format_of"]

HUB = "hf:"  # a path that begins so is the id of a Hugging Face dataset

Format = str  # "text", "jsonl", "parquet", or a module of `formats`
_FORMATS: Mapping[str, Format] = {".txt": "text", ".jsonl": "jsonl", ".parquet": "parquet"}
_KNOWN = f".txt, .jsonl (both also .gz or .zst), .parquet, {', '.join(ENDINGS)}"


@dataclass(frozen=True)
class Source:
    """A file, a folder, a glob ("law/**/*.txt") or a Hugging Face dataset ("hf:owner/name"), and how to take it."""

    path: str
    name: str = ""  # in ids and reports; "" = the path's last part without its ending
    fields: tuple[str, ...] = (
        "text",
    )  # of a JSON object or a table row; several are joined: ("q", "a"); "turns.0.text" looks inside
    joined_by: str = "\n"
    only: Mapping[str, str] = field(default_factory=dict)  # take records with this value in this field: {mt = "HT"}
    metadata: Mapping[str, str] = field(default_factory=dict)  # carried along, by field: {license = "spdx"}
    text_unit: Literal["file", "paragraph", "line"] = "file"  # what one document of a .txt file is
    config: str = ""  # of a Hugging Face dataset
    split: str = "train"  # of a Hugging Face dataset
    max_bytes: int | None = None  # take at most so many bytes of UTF-8 text
    share: float | None = None  # or at most this share of the corpus' total_bytes
    take: Literal["sample", "first"] = "sample"  # which documents, when there are more
    repeat: int = 1  # how often a training document of this source is written
    bad_records: Literal["stop", "skip"] = "stop"  # broken JSON, a missing field; skipped ones lie in the rejects
    limits: Limits = field(default_factory=Limits)  # what one file of a document format (.html, .pdf …) may take
    vision: Vision | None = None  # a vision-language model that reads the pages of .pdf files

    def __post_init__(self) -> None:
        if not self.fields:
            raise ValueError(f"source {self.path}: fields is empty")
        if self.max_bytes is not None and self.share is not None:
            raise ValueError(f"source {self.path}: max_bytes and share exclude each other")
        if self.max_bytes is not None and self.max_bytes <= 0:
            raise ValueError(f"source {self.path}: max_bytes must be above 0, found {self.max_bytes}")
        if self.share is not None and not 0 < self.share <= 1:
            raise ValueError(f"source {self.path}: share must be above 0 and at most 1, found {self.share}")
        if self.repeat < 1:
            raise ValueError(f"source {self.path}: repeat must be at least 1, found {self.repeat}")

    @property
    def is_hub(self) -> bool:
        """Whether this is a Hugging Face dataset rather than files."""
        return self.path.startswith(HUB)

    @property
    def label(self) -> str:
        """The name, given or derived."""
        return self.name or PurePath(self.path.removeprefix(HUB)).name.partition(".")[0] or self.path


class Files(NamedTuple):
    """The files of a path: `root` is the folder that ids are relative to, `ignored` has no known ending."""

    root: Path
    known: tuple[Path, ...]
    ignored: tuple[Path, ...]


def format_of(path: Path) -> Format | None:
    """The format by the name's ending; None for an unknown one."""
    name = path.name.lower()
    for ending, module in ENDINGS.items():
        if name.endswith(ending):
            return module
    packed = name.endswith((".gz", ".zst"))
    format_ = _FORMATS.get(PurePath(name.rpartition(".")[0] if packed else name).suffix)
    return None if packed and format_ == "parquet" else format_


def files_of(path: str) -> Files:
    """The files that `path` means, sorted. CorpusError when there is none of a known type."""
    place = Path(path)
    if place.is_dir():
        files = _sorted_out(place, [file for file in place.rglob("*") if not _is_hidden(file.relative_to(place))])
    elif place.exists():
        files = _sorted_out(place.parent, [place])
    elif glob.has_magic(path):
        files = _matching(place)
    else:
        raise CorpusError(f"{path}: no such file or folder")
    if not files.known:
        found = ", ".join(file.name for file in files.ignored[:5]) or "nothing"
        raise CorpusError(f"{path}: no file of a known type (known: {_KNOWN}; found: {found})")
    return files


def _sorted_out(root: Path, paths: list[Path]) -> Files:
    files = sorted(path for path in paths if path.is_file())
    known = tuple(file for file in files if format_of(file))
    return Files(root, known, tuple(file for file in files if not format_of(file)))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _matching(pattern: Path) -> Files:
    root = next(folder for folder in pattern.parents if not glob.has_magic(str(folder)))
    return _sorted_out(root, list(root.glob(str(pattern.relative_to(root)))))
