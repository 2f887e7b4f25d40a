"""How much of the known text comes back, per kind of file: `python tests/corpus/formats/measure.py --count 30`."""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from make_files import BOILERPLATE, FOOTER, HEADER, WRITERS, Body, bodies

from axk1.corpus.formats.table import markdown
from axk1.corpus.readers import read
from axk1.corpus.source import Source


@dataclass(frozen=True)
class Score:
    recall: float  # characters of paragraphs that came back whole, spaces aside
    spacing: float  # the same with every space as it was
    order: bool  # paragraphs in their order
    cells: float  # rows of the table that came back as Markdown rows
    boilerplate: float  # strings of menus, ads, comments, headers and footers that are left


def score(text: str, body: Body) -> Score:
    tight = "".join(text.split())
    total = sum(map(len, body.paragraphs))
    places = [tight.find("".join(p.split())) for p in body.paragraphs]
    recall = sum(len(p) for p, place in zip(body.paragraphs, places, strict=True) if place >= 0) / total
    spacing = sum(len(p) for p in body.paragraphs if p in text) / total
    found = [place for place in places if place >= 0]
    rows = [row for row in markdown(body.table).split("\n") if "---" not in row]
    cells = sum(row in text.split("\n") for row in rows) / len(rows)
    unwanted = (*BOILERPLATE, HEADER, FOOTER)
    left = sum("".join(string.split()) in tight for string in unwanted) / len(unwanted)
    return Score(recall, spacing, found == sorted(found), cells, left)


def scores(kind: str, count: int, folder: Path, seed: int = 1) -> list[Score]:
    ending, write = WRITERS[kind]
    found = list[Score]()
    for number, body in enumerate(bodies(count, seed)):
        path = folder / f"{kind}{number}{ending}"
        write(path, body)
        (document,) = read(Source(str(path)), lambda document, reason: None)
        found.append(score(document.text, body))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=30)
    options = parser.parse_args()
    print("kind                recall  spacing  order  cells  boilerplate  seconds")
    for kind in WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            found = scores(kind, options.count, Path(folder))
            seconds = time.process_time() - start
        mean = [sum(getattr(one, name) for one in found) / len(found) for name in Score.__annotations__]
        print(f"{kind:<20}" + "  ".join(f"{value:6.1%}" for value in mean) + f"  {seconds:6.1f}")


if __name__ == "__main__":
    main()
