"""`axk1 corpus samples`: documents that a pipeline kept, changed or dropped."""

import argparse
import json
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from axk1.cli import screen
from axk1.cli.words import Words
from axk1.config import to_mapping
from axk1.corpus.pipeline.report import all_samples
from axk1.corpus.pipeline.samples import Outcome, Sample, first_difference
from axk1.corpus.synthesis.shelf import is_made, made_samples

__all__ = ["corpus_samples"]


def corpus_samples(argv: list[str], say: Words) -> int:
    """Show samples by step and outcome, those of dropped documents with the reason."""
    options = _parser(say).parse_args(argv)
    samples = made_samples(options.folder) if is_made(options.folder) else all_samples(options.folder)
    steps = list(dict.fromkeys(one.step for one in samples))
    chosen = _chosen(samples, options.step, options.outcome)
    if options.step is not None and options.step not in steps:
        raise ValueError(
            say(f"{options.step}: 없는 단계입니다", f"no step {options.step!r}") + f" ({', '.join(steps)})"
        )
    chosen = _first_of_each(chosen, options.count)
    if options.json:
        for one in chosen:
            print(json.dumps(to_mapping(one), ensure_ascii=False))
        return 0
    if not chosen:
        print(say("그런 문서가 없습니다.", "There is no such document."))
    _show(chosen, options.width, screen.console(), say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 corpus samples",
        description=say(
            "정제 단계마다 남기거나 고치거나 버린 문서를 봅니다.",
            "Look at documents that each step kept, changed or dropped.",
        ),
    )
    add = parser.add_argument
    add("folder", type=Path, help=say("결과 폴더", "the folder of axk1 corpus build or synthesize"))
    add("--step", metavar="S", help=say("이 단계만", "of this step only"))
    outcome = parser.add_mutually_exclusive_group()
    for name, korean in (("kept", "그대로 남긴 것만"), ("changed", "고친 것만"), ("dropped", "버린 것만")):
        text = say(korean, f"only what was {name}")
        outcome.add_argument(f"--{name}", dest="outcome", action="store_const", const=name, help=text)
    add("--count", type=int, default=50, metavar="N", help=say("단계와 까닭마다 몇 개", "how many per step and reason"))
    add("--width", type=int, default=600, metavar="N", help=say("문서마다 몇 글자", "how many characters of each"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _chosen(samples: Sequence[Sample], step: str | None, outcome: Outcome | None) -> list[Sample]:
    """Those asked for; without a wish, what was left as it is only of the last step, since it is the same in each."""
    last = samples[-1].step if samples else ""
    return [
        one
        for one in samples
        if step in (None, one.step)
        and outcome in (None, one.outcome)
        and (step or outcome or one.outcome != "kept" or one.step == last)
    ]


def _kind(sample: Sample) -> tuple[str, Outcome, str]:
    return sample.step, sample.outcome, sample.reason


def _first_of_each(samples: Sequence[Sample], count: int) -> list[Sample]:
    return [one for _, group in groupby(samples, _kind) for one in list(group)[:count]]


def _show(samples: Sequence[Sample], width: int, console: Console, say: Words) -> None:
    for (step, outcome, reason), group in groupby(samples, _kind):
        words = {"kept": say("남김", "kept"), "changed": say("고침", "changed"), "dropped": say("버림", "dropped")}
        console.rule(Text(f"{step} · {words[outcome]}" + (f" · {reason}" if reason else "")), align="left")
        for sample in group:
            _show_one(sample, width, console, say)


def _show_one(sample: Sample, width: int, console: Console, say: Words) -> None:
    facts = "  ".join(f"{key}={value}" for key, value in sample.metadata.items())
    length = say(f"{sample.characters:,}자", f"{sample.characters:,} characters")
    place = sample.id if sample.id.startswith(sample.source) else f"{sample.source} {sample.id}"
    console.print(Text(f"{place} ({length})  {facts}".rstrip(), style="bold"))
    if sample.outcome == "changed":
        _show_change(sample, width, console, say)
    else:
        console.print(Text(_excerpt(sample.before, 0, width, begins=True)))
    console.print()


def _show_change(sample: Sample, width: int, console: Console, say: Words) -> None:
    """From a little before the first difference, whose characters are also named: they may look alike."""
    place = first_difference(sample.before, sample.after)
    start = max(0, place - width // 4)
    old, new = (text[place : place + 1] for text in (sample.before, sample.after))
    begins = not sample.start + start
    console.print(Text("- " + _excerpt(sample.before, start, width, begins=begins), style="red"))
    console.print(Text("+ " + _excerpt(sample.after, start, width, begins=begins), style="green"))
    where = say(f"{sample.start + place + 1:,}번째 글자", f"character {sample.start + place + 1:,}")
    console.print(Text(f"  {where}: {_named(old, say)} → {_named(new, say)}", style="dim"))


def _named(character: str, say: Words) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip() if character else say("끝", "the end")


def _excerpt(text: str, start: int, width: int, *, begins: bool) -> str:
    """What cannot be seen is written as an escape; line ends stay."""
    shown = text[start : start + width]
    seen = "".join(one if one.isprintable() or one == "\n" else one.encode("unicode_escape").decode() for one in shown)
    return ("" if begins else "…") + seen + ("…" if start + width < len(text) else "")
