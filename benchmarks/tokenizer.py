"""Tokenizers side by side: ours in and out of their domain, Kiwi's own, and published ones, on the same held-out files.

    benchmarks/peers/tokenizers.sh
    python benchmarks/code_text.py runs/code
    python benchmarks/tokenizer.py TEXT runs/code [--share 0.5] [--only NAME …] [--record]

TEXT … are folders with train/ and eval/ (`tokenizer_texts.py` names the files; those that are not there are left out).
What is trained is kept under --out and taken from there the next time; `--only` trains and measures some of it. Bytes
per token of UTF-8, the kinds of a domain counting alike; a star marks a tokenizer that loses some documents, also when
both are brought to NFC. F1: cuts inside runs of Hangul against Kiwi's morphemes. The second table: each kind by a
tokenizer that was trained without it, behind the figure of the one trained with it, on a mix of the same size.

Needs: pip install "axk1[study]". One training of 100 MB takes some minutes on two cores, Kiwi's own longer.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from machine import record
from tokenizer_texts import KINDS, domains, measured_texts, training_texts
from tokenizer_trained import KiwiTokenizer, Variant, kiwi, peers, trained

from axk1.tokenizer.foreign import AnyTokenizer
from axk1.tokenizer.measures import Cost, Cut, cost, cuts
from axk1.tokenizer.morphology import morpheme_starts
from axk1.tokenizer.pieces import Pieces

Contender = AnyTokenizer | KiwiTokenizer
MORPHEME_CHARACTERS = 60_000  # of each Korean kind are analysed
JOINED = Pieces(newlines="joined", indentation="whole")
IN_DOMAIN = (
    Variant("ours"),
    Variant("opener-space", pieces=JOINED),
    Variant("superwords-64k", (65_536,), superwords_from=49_152),
    Variant("superwords-160k", (163_840,), superwords_from=131_072),
)
LEFT_OUT = tuple(
    Variant(f"without-{name}", left_out=name)
    for name in (*(kind.name for kind in KINDS if kind.domain == "korean"), "english", "code")
)
KIWI_SIZES = (32_768, 65_536)


def main() -> None:
    """Train what is missing, measure, print both tables."""
    options = parsed()
    texts = measured_texts(options.text)
    boundaries = cache(morpheme_starts())
    rows = []
    for tokenizer in contenders(options):
        rows.append(measured(tokenizer, texts, boundaries))
        print(line_of(rows[-1]), flush=True)
    rows += [only_kinds(tokenizer, texts, kinds) for tokenizer, kinds in left_out(options)]
    print_left_out(rows)
    if options.record:
        record("tokenizer", rows, [arg if not Path(arg).exists() else Path(arg).name for arg in sys.argv[1:]])


def contenders(options: argparse.Namespace) -> Iterator[Contender]:
    """Those that --only names, else all."""

    def wanted(name: str) -> bool:
        return not options.only or name in options.only

    for variant in IN_DOMAIN:
        if wanted(variant.name):
            yield from made(variant, options)
    if wanted("kiwi"):
        share = options.kiwi_megabytes / sum(kind.megabytes for kind in KINDS if kind.domain == "korean")
        yield from kiwi(KIWI_SIZES, partial(training_texts, options.text, "", share, "korean"), options.out)
    yield from (peer for peer in peers(options.peers) if wanted(peer.name))


def left_out(options: argparse.Namespace) -> Iterator[tuple[AnyTokenizer, list[str]]]:
    """Tokenizers that were trained without some kinds, with these kinds."""
    of_domain = domains([kind.name for kind in KINDS])
    for variant in LEFT_OUT:
        if not options.only or variant.name in options.only:
            kinds = of_domain.get(variant.left_out, [variant.left_out])
            yield from ((tokenizer, kinds) for tokenizer in made(variant, options))


def made(variant: Variant, options: argparse.Namespace) -> list[AnyTokenizer]:
    texts = partial(training_texts, options.text, variant.left_out, options.share)
    return trained(variant, options.share, texts, options.out)


def measured(
    tokenizer: Contender, texts: Mapping[str, Sequence[str]], boundaries: Callable[[str], frozenset[int]]
) -> dict[str, Any]:
    """Everything about one tokenizer: a line of results."""
    found = {name: cost(tokenizer, some)[0] for name, some in texts.items()}
    of_domain = domains(list(found))
    agreed = [cuts(tokenizer, some(texts[name]), boundaries) for name in of_domain.get("korean", ())]
    both = Cut(*(sum(getattr(one, part) for one in agreed) for part in ("both", "ours", "theirs")))
    return {
        "tokenizer": tokenizer.name,
        "entries": tokenizer.vocab_size,
        "domains": {name: mean([found[kind].bytes_per_token for kind in kinds]) for name, kinds in of_domain.items()},
        "tokens_per_eojeol": mean([found[kind].tokens_per_eojeol for kind in of_domain.get("korean", ())]),
        "boundary_f1": round(both.f1, 3),
        "boundary_precision": round(both.precision, 3),
        "lossless": {name: lossless([found[kind] for kind in kinds]) for name, kinds in of_domain.items()},
        "unchanged": lossless(list(found.values()), beyond_nfc=False),
        "kinds": {name: round(one.bytes_per_token, 3) for name, one in found.items()},
    }


def only_kinds(tokenizer: AnyTokenizer, texts: Mapping[str, Sequence[str]], kinds: Sequence[str]) -> dict[str, Any]:
    """Bytes per token of the kinds that it was trained without."""
    found = {name: round(cost(tokenizer, texts[name])[0].bytes_per_token, 3) for name in kinds if name in texts}
    return {"tokenizer": tokenizer.name, "entries": tokenizer.vocab_size, "left_out": True, "kinds": found}


def some(texts: Sequence[str]) -> list[str]:
    """Paragraphs of the first documents, few enough to be analysed."""
    taken, left = list[str](), MORPHEME_CHARACTERS
    for text in texts:
        for line in text.split("\n"):
            if left > 0 and line.strip():
                taken.append(line)
                left -= len(line)
    return taken


def mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 3) if values else 0.0


def lossless(costs: Sequence[Cost], beyond_nfc: bool = True) -> float:
    """The share of documents that come back, as they are or (`beyond_nfc`) when both are in NFC."""
    lost = sum(one.changed_beyond_nfc if beyond_nfc else one.changed for one in costs)
    return round(1 - lost / sum(one.texts for one in costs), 4)


def line_of(row: Mapping[str, Any]) -> str:
    """A row of the first table."""
    figures = (
        f"{name} {value:.2f}{'' if row['lossless'][name] == 1 else '*'}" for name, value in row["domains"].items()
    )
    return (
        f"{row['tokenizer']:28} {row['entries']:>8,}  {'  '.join(figures)}  t/eojeol {row['tokens_per_eojeol']:.2f}"
        f"  F1 {row['boundary_f1']:.2f}  come back {row['unchanged']:.1%}"
    )


def print_left_out(rows: Sequence[Mapping[str, Any]]) -> None:
    """The second table, of the kinds and sizes that were measured."""
    by_name = {row["tokenizer"]: row for row in rows}
    of_domain = domains([kind.name for kind in KINDS])
    for variant in LEFT_OUT:
        kinds = of_domain.get(variant.left_out, [variant.left_out])
        cells = []
        for size in variant.sizes:
            inside, outside = by_name.get(f"ours {size:,}"), by_name.get(f"{variant.name} {size:,}")
            if inside and outside:
                figures = [
                    mean([row["kinds"][kind] for kind in kinds if kind in row["kinds"]]) for row in (inside, outside)
                ]
                cells.append(f"{size:,}: {figures[0]:.2f} → {figures[1]:.2f}")
        if cells:
            print(f"{variant.left_out:16} {'   '.join(cells)}")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/tokenizers"), help="what is trained")
    parser.add_argument("--peers", type=Path, default=Path("runs/peers/tokenizers"), help="what tokenizers.sh fetched")
    parser.add_argument("--share", type=float, default=1.0, help="of the mix to train on")
    parser.add_argument("--kiwi-megabytes", type=float, default=24, help="of Korean for Kiwi's trainer, 9 s each")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--record", action="store_true", help="append to benchmarks/results/tokenizer.jsonl")
    return parser.parse_args()


if __name__ == "__main__":
    main()
