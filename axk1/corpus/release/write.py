"""A corpus folder → a release folder, streamed and written whole; the same corpus and settings give the same bytes.

README.md, README.ko.md       the data card
data/SPLIT-00000-of-0000N.parquet
croissant.json                the same in the Croissant vocabulary, for machines
licenses.json                 what holds for which source; SPDX expressions, and the words of own licences
statistics.json, plots/       what is in it
privacy.json                  personal data that is still found in it
provenance.json               the steps that made it, and what they dropped
opt_out.json                  digests of texts that must not be in it
viewer.html                   a page of samples
SHA256SUMS                    of all other files: `sha256sum -c SHA256SUMS`
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import file_digest
from pathlib import Path
from typing import Any

from axk1.config import to_mapping
from axk1.corpus.dedup.digests import DigestSet
from axk1.corpus.documents import Document, read_documents
from axk1.corpus.release.card import CARDS, card
from axk1.corpus.release.contents import Contents
from axk1.corpus.release.croissant import croissant
from axk1.corpus.release.opt_out import OptOut, text_digest
from axk1.corpus.release.plots import draw
from axk1.corpus.release.provenance import Provenance
from axk1.corpus.release.samples import Samples
from axk1.corpus.release.settings import ReleaseSettings, SourceTerms
from axk1.corpus.release.statistics import Statistics
from axk1.corpus.release.tables import Row, Shards
from axk1.corpus.release.terms import terms_of
from axk1.corpus.release.viewer import viewer
from axk1.corpus.streams import CorpusError
from axk1.runs import whole_folder, write_whole

__all__ = ["SUMS", "Scan", "checksums", "split_of", "write_release"]

SUMS = "SHA256SUMS"
_DIGEST_MEMORY = 1 << 30  # bytes for the table of texts that were seen; a larger one moves to a file
_PROGRESS_EVERY = 1000

Progress = Callable[[str, int], None]
Scan = Callable[[str], dict[str, int]]
"""Counts of personal data in a text, by kind."""


def write_release(
    corpus: Path, folder: Path, settings: ReleaseSettings, opt_out: Path | None, scan: Scan | None, progress: Progress
) -> Contents:
    """Write the release of the documents in `corpus` (what `build` or a pipeline wrote) into `folder`.

    Each text goes in once, however often the corpus repeats it. Raises CorpusError for a document without a licence or
    a corpus without documents, ValueError, OSError.
    """
    files = _files(corpus)
    requests = OptOut.read(opt_out)
    contents = Contents(Statistics(), Samples(settings.samples), {}, {}, scan is not None)
    with whole_folder(folder) as unfinished:
        _write_tables(files, unfinished / "data", settings, requests, contents, scan, progress)
        _describe(unfinished, settings, contents, requests, Provenance.read(corpus))
        write_whole(unfinished / SUMS, checksums(unfinished))
    return contents


def split_of(file: Path) -> str:
    """train, validation or test, as the file's name begins; parts of a pipeline are for training."""
    first = file.name.partition(".")[0].partition("-")[0]
    return first if first in ("train", "validation", "test") else "train"


def checksums(folder: Path) -> str:
    """The lines of SHA256SUMS: every file but that one, sorted."""
    lines = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS):
        with file.open("rb") as opened:
            lines.append(f"{file_digest(opened, 'sha256').hexdigest()}  {file.relative_to(folder).as_posix()}\n")
    return "".join(lines)


def _files(corpus: Path) -> list[Path]:
    """Held-out parts first: a text that is in both must not be trained on."""
    names = ("validation*.jsonl.zst", "test*.jsonl.zst", "train*.jsonl.zst", "parts/part-*.jsonl.zst")
    files = [file for name in names for file in sorted(corpus.glob(name))]
    if not files:
        raise CorpusError(f"{corpus}: no corpus here (looked for {', '.join(names)})")
    return files


def _write_tables(
    files: list[Path],
    folder: Path,
    settings: ReleaseSettings,
    requests: OptOut,
    contents: Contents,
    scan: Scan | None,
    progress: Progress,
) -> None:
    folder.mkdir()
    with ExitStack() as stack:
        splits = {
            split: stack.enter_context(Shards(folder, split, settings.shard_bytes))
            for split in sorted({split_of(file) for file in files})
        }
        rows = _rows(files, settings, requests, contents)
        for count, (split, row) in enumerate(rows):
            splits[split].add(row)
            contents.statistics.add(row["text"], split, row["source"], row["license"])
            contents.samples.add(row, split)
            for kind, found in (scan(row["text"]) if scan else {}).items():
                contents.personal[kind] = contents.personal.get(kind, 0) + found
            if count % _PROGRESS_EVERY == 0:
                progress("release", count)
    if not contents.statistics.total.documents:
        raise CorpusError("nothing to release: the corpus has no document, or all were opted out")


def _rows(
    files: list[Path], settings: ReleaseSettings, requests: OptOut, contents: Contents
) -> Iterator[tuple[str, Row]]:
    seen = DigestSet(_DIGEST_MEMORY)
    for file in files:
        for document in read_documents(file):
            terms = terms_of(document, settings)
            contents.terms.setdefault(document.source, terms)
            if requests.matches(document, terms.url):
                contents.opted_out += 1
            elif not seen.add(bytes.fromhex(text_digest(document.text))[:16]):
                contents.repeated += 1
            else:
                yield split_of(file), _row(document, terms)


def _row(document: Document, terms: SourceTerms) -> Row:
    known = {key: value for key, value in document.metadata.items() if key not in to_mapping(terms)}
    metadata = json.dumps(known, ensure_ascii=False, sort_keys=True)
    return {
        "text": document.text,
        "id": document.id,
        "source": document.source,
        **to_mapping(terms),
        "metadata": metadata,
    }


def _describe(
    folder: Path, settings: ReleaseSettings, contents: Contents, requests: OptOut, provenance: Provenance
) -> None:
    """Everything beside the tables."""
    _json(folder / "statistics.json", contents.statistics.to_json())
    _json(folder / "licenses.json", _licences(settings, contents))
    _json(folder / "privacy.json", {"scanned": contents.scanned, "found": dict(sorted(contents.personal.items()))})
    _json(folder / "provenance.json", provenance.to_json())
    _json(folder / "opt_out.json", {"contact": settings.contact, "sha256": sorted(requests.removed)})
    draw(contents.statistics, folder / "plots")
    for name, template in CARDS.items():
        write_whole(folder / name, card(settings, contents, provenance, template))
    write_whole(folder / "viewer.html", viewer(settings, contents.statistics, contents.samples))
    _json(folder / "croissant.json", croissant(settings, contents.statistics, folder))


def _licences(settings: ReleaseSettings, contents: Contents) -> dict[str, Any]:
    return {
        "licenses": {name: to_mapping(amount) for name, amount in contents.statistics.by("license").items()},
        "sources": {source: to_mapping(terms) for source, terms in sorted(contents.terms.items())},
        "texts": {name: to_mapping(licence) for name, licence in settings.licenses.items()},
    }


def _json(path: Path, values: object) -> None:
    write_whole(path, json.dumps(values, ensure_ascii=False, indent=1) + "\n")
