"""Our reader of pages (resiliparse) beside trafilatura: `python tests/corpus/formats/compare_html.py`.

Half of the pages name their blocks by class (`comments`, `ad`), half by words that say nothing, as many sites do.
"""

import re
import statistics
import time

import trafilatura
from make_files import bodies, html
from measure import Score, score

from axk1.corpus.formats.html import main_text
from axk1.corpus.formats.limits import Limits

COUNT, ROUNDS = 100, 3


def ours(page: bytes) -> str:
    return main_text(page, "", "page", Limits())[0]


def theirs(page: bytes) -> str:
    return trafilatura.extract(page, include_comments=False, include_tables=True) or ""


def anonymous(page: bytes) -> bytes:
    """Without semantic elements, and with class names that mean nothing."""
    page = re.sub(rb"<(/?)(nav|main|article|aside|footer)\b", rb"<\1div", page)
    return re.sub(rb' (class|id)="[a-z]+"', rb' class="x1"', page)


def main() -> None:
    made = bodies(COUNT)
    for name, change in (("named", lambda page: page), ("anonymous", anonymous)):
        pages = [change(html(body, "cp949" if number % 2 else "utf-8")) for number, body in enumerate(made)]
        seconds: dict[str, list[float]] = {"resiliparse": [], "trafilatura": []}
        for _ in range(ROUNDS):
            for reader, read in (("resiliparse", ours), ("trafilatura", theirs)):
                start = time.process_time()
                texts = [read(page) for page in pages]
                seconds[reader].append(time.process_time() - start)
                if len(seconds[reader]) == 1:
                    found = [score(re.sub(r" \n", "\n", text), body) for text, body in zip(texts, made, strict=True)]
                    values = {
                        key: statistics.fmean(getattr(one, key) for one in found) for key in Score.__annotations__
                    }
                    print(name, reader, {key: round(value, 3) for key, value in values.items()})
        print(name, {reader: f"{min(times) / COUNT * 1e3:.2f} ms a page" for reader, times in seconds.items()})


if __name__ == "__main__":
    main()
