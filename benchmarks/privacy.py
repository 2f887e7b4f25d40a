"""Precision and recall of the privacy rules beside Presidio and korean-pii, and their speed on clean text.

    PYTHONPATH=tests python benchmarks/privacy.py [FILE.jsonl.zst …]      # files: text to measure the speed on

A label is found when a finding of its kind covers nine tenths of it; a finding is right when it overlaps a label of its
kind. Peers are asked for the kinds they have.
"""

import importlib
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from privacy_passages import passages

from axk1.corpus.documents import read_documents
from axk1.corpus.privacy.finding import Finding, settle
from axk1.corpus.privacy.presidio import Presidio
from axk1.corpus.privacy.rules import Rules
from labelled_privacy import Labelled, documents

KOREAN_PII = {
    "rrn": "rrn", "phone": "phone", "card": "card", "email": "email", "account": "account", "passport": "passport",
    "driver_license": "driver_licence", "api_key": "secret",
}  # fmt: skip
Find = Callable[[str], Iterable[Finding]]


def contenders() -> dict[str, Find]:
    """Our rules, and the peers that are installed."""
    found: dict[str, Find] = {"rules": Rules()}
    try:
        presidio = Presidio()
        found["presidio"] = presidio
        found["rules+presidio"] = lambda text: itertools.chain(found["rules"](text), presidio(text))
    except ValueError as error:
        print(error)
    try:
        detect = importlib.import_module("korean_pii").detect
        found["korean-pii"] = lambda text: [Finding(KOREAN_PII[one.type], one.start, one.end) for one in detect(text)]
    except ModuleNotFoundError:
        print("korean-pii is not installed")
    return found


def covers(finding: Finding, label: Finding, share: float) -> bool:
    common = min(finding.end, label.end) - max(finding.start, label.start)
    return finding.kind == label.kind and common > 0 and common >= share * (label.end - label.start)


def score(find: Find, texts: list[Labelled]) -> dict[str, tuple[int, int, int, int]]:
    """Per kind: labels, labels found, findings, right findings."""
    labels, hit, given, right = Counter(), Counter(), Counter(), Counter()
    for one in texts:
        findings = settle(find(one.text))
        for label in one.labels:
            labels[label.kind] += 1
            hit[label.kind] += any(covers(finding, label, 0.9) for finding in findings)
        for finding in findings:
            given[finding.kind] += 1
            right[finding.kind] += any(covers(finding, label, 0.0) for label in one.labels)
    return {kind: (labels[kind], hit[kind], given[kind], right[kind]) for kind in sorted({*labels, *given})}


def row(name: str, counts: tuple[int, int, int, int]) -> str:
    labels, hit, given, right = counts
    precision, recall = right / given if given else 0.0, hit / labels if labels else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return f"  {name:<18}{labels:6}{given:6}  P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}"


def misses(find: Find, texts: list[Labelled]) -> None:
    for one in texts:
        findings = settle(find(one.text))
        for label in one.labels:
            if not any(covers(finding, label, 0.9) for finding in findings):
                print("  missed", label.kind, repr(one.text[max(0, label.start - 12) : label.end + 6]))
        for finding in findings:
            if not any(covers(finding, label, 0.0) for label in one.labels):
                print("  wrong ", finding.kind, repr(one.text[max(0, finding.start - 12) : finding.end + 6]))


def speed(find: Find, path: Path, most: int = 8_000_000) -> float:
    """Megabytes of UTF-8 a second of process time, best of three."""
    texts, total = [], 0
    for document in read_documents_of(path):
        texts.append(document)
        total += len(document.encode("utf-8"))
        if total >= most:
            break
    best = 1e9
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            settle(find(text))
        best = min(best, time.process_time() - began)
    return total / best / 1e6


def read_documents_of(path: Path) -> Iterable[str]:
    return (document.text for document in read_documents(path))


def main(argv: list[str]) -> None:
    sets = {"synthetic (a)": list(documents(0, 6000)), "passages (b)": passages()}
    for name, texts in sets.items():
        print(name, len(texts), "texts")
        for peer, find in contenders().items():
            counts = score(find, texts)
            print(f" {peer}")
            for kind, values in counts.items():
                print(row(kind, values))
            print(row("all", tuple(map(sum, zip(*counts.values(), strict=True)))))  # type: ignore[arg-type]
    if "--misses" in argv:
        misses(Rules(), sets["synthetic (a)"][:1500])
    for path in (Path(name) for name in argv if not name.startswith("--")):
        most = 400_000
        print(
            path.name,
            {
                name: round(speed(find, path, most if name != "rules" else 8_000_000), 1)
                for name, find in contenders().items()
            },
        )


if __name__ == "__main__":
    main(sys.argv[1:])
