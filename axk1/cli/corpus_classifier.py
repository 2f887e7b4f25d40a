"""`axk1 corpus classifier train | eval | show`: text classifiers from labelled texts, and how good they are."""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from axk1.cli import screen
from axk1.cli.texts import placed
from axk1.cli.words import Words
from axk1.config import from_mapping, load, to_mapping
from axk1.corpus.classifier.fit import Seen
from axk1.corpus.classifier.measure import Report
from axk1.corpus.classifier.model import read_classifier, write_classifier
from axk1.corpus.classifier.seeds import Seed, SeedFile, labelled
from axk1.corpus.classifier.train import ClassifierConfig, Mistake, evaluate, train

__all__ = ["corpus_classifier", "report_tables"]

_WIDTH = 300  # characters of a mistake


def corpus_classifier(argv: list[str], say: Words) -> int:
    """Train, measure or describe a classifier."""
    if argv and argv[0] not in (*_VERBS, "-h", "--help"):
        known = ", ".join(_VERBS)
        raise ValueError(say(f"{argv[0]}: 없는 명령입니다. ({known})", f"no verb {argv[0]!r} (known: {known})"))
    if not argv or argv[0] not in _VERBS:
        print(
            say(
                "사용법: axk1 corpus classifier train | eval | show …",
                "usage: axk1 corpus classifier train | eval | show …",
            )
        )
        return 0
    return _VERBS[argv[0]](argv[1:], say)


def _train(argv: list[str], say: Words) -> int:
    parser = _parser(say, "train", "레이블이 있는 글로 분류기 학습하기", "train a classifier from labelled texts")
    example = "recipes/classifiers/domain.toml"
    parser.add_argument("recipe", type=Path, metavar="RECIPE.toml", help=say(f"예: {example}", f"e.g. {example}"))
    parser.add_argument("--out", type=Path, metavar="FILE", required=True, help=say("쓸 파일", "the file to write"))
    _add_texts(parser, say)
    options = parser.parse_intermixed_args(argv)
    config = load(options.recipe, ClassifierConfig, options.changes)
    config = replace(config, seeds=_placed(config.seeds, options.text))
    console = screen.console()
    with _watched(Console(stderr=True) if options.json else console, say) as begins:
        trained = train(config, begins)
    write_classifier(trained.classifier, options.out)
    _show(trained.report, trained.mistakes, options, console, say)
    size = options.out.stat().st_size / 1e6
    if not options.json:
        line = say(f"{options.out}에 썼습니다({size:.1f} MB).", f"wrote {options.out} ({size:.1f} MB)")
        console.print(line, markup=False, soft_wrap=True)
    return 0


def _evaluate(argv: list[str], say: Words) -> int:
    parser = _parser(say, "eval", "다른 글로 분류기 채점하기", "measure a classifier on other labelled texts")
    parser.add_argument("model", type=Path, help=say("분류기 파일", "the classifier"))
    parser.add_argument("seeds", type=Path, metavar="SEEDS.toml", help=say("글과 레이블", "texts and labels"))
    _add_texts(parser, say)
    options = parser.parse_intermixed_args(argv)
    classifier = read_classifier(options.model)
    file = load(options.seeds, SeedFile, options.changes)
    texts = labelled(_placed(file.seeds, options.text), file.total_bytes, file.seed)
    report, mistakes = evaluate(classifier, texts)
    _show(report, mistakes, options, screen.console(), say)
    return 0


def _describe(argv: list[str], say: Words) -> int:
    parser = _parser(say, "show", "분류기가 무엇인지 보기", "show what a classifier is")
    parser.add_argument("model", type=Path, help=say("분류기 파일", "the classifier"))
    options = parser.parse_args(argv)
    classifier = read_classifier(options.model)
    if options.json:
        print(json.dumps({"name": classifier.name, **classifier.about}, ensure_ascii=False))
        return 0
    console = screen.console()
    console.print(Text(f"{classifier.name}: {', '.join(classifier.labels)}", style="bold"))
    console.print(Text(str(classifier.about.get("meaning", ""))))
    if "held_out" in classifier.about:
        report = from_mapping(classifier.about["held_out"], Report, str(options.model))
        for table in report_tables(report, say):
            console.print(table)
    return 0


def _placed(seeds: Sequence[Seed], text: Path) -> tuple[Seed, ...]:
    sources = placed([one.source for one in seeds], text)
    return tuple(replace(one, source=source) for one, source in zip(seeds, sources, strict=True))


def _show(
    report: Report, mistakes: Sequence[Mistake], options: argparse.Namespace, console: Console, say: Words
) -> None:
    if options.json:
        print(json.dumps(to_mapping(report), ensure_ascii=False))
        return
    for table in report_tables(report, say):
        console.print(table)
        console.print()
    for one in mistakes[: options.mistakes]:
        console.print(Text(f"{one.id}: {one.label} → {one.chosen} ({one.probability:.2f})", style="bold"))
        console.print(Text(" ".join(one.text[:_WIDTH].split())))


def report_tables(report: Report, say: Words) -> Iterator[Table]:
    """The labels with their scores, and what was taken for what."""
    yield _scores(report, say)
    yield _confusion(report, say)


def _scores(report: Report, say: Words) -> Table:
    title = say(
        f"글 {report.texts:,}개 · 정확도 {report.accuracy:.3f} · macro F1 {report.macro_f1:.3f}"
        f" · 확률의 오차(ECE) {report.calibration_error:.3f}",
        f"{report.texts:,} texts, accuracy {report.accuracy:.3f}, macro F1 {report.macro_f1:.3f},"
        f" calibration error {report.calibration_error:.3f}",
    )
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column(say("레이블", "label"))
    for name in (say("글", "texts"), say("정밀도", "precision"), say("재현율", "recall"), "F1"):
        table.add_column(name, justify="right")
    thresholds = list(next(iter(report.labels.values())).at) if report.labels else []
    for least in thresholds[2:]:
        table.add_column(say(f"{least} 이상", f"from {least}"), justify="right")
    for label, one in report.labels.items():
        figures = (f"{value:.3f}" for value in (one.precision, one.recall, one.f1))
        at = (f"{precision:.3f} / {recall:.3f}" for precision, recall in list(one.at.values())[2:])
        table.add_row(label, f"{one.texts:,}", *figures, *at)
    return table


def _confusion(report: Report, say: Words) -> Table:
    """Rows are the true labels."""
    table = Table(box=None, pad_edge=False)
    table.add_column(say("실제 \\ 고른 것", "true \\ chosen"))
    for label in report.labels:
        table.add_column(label, justify="right")
    for label, chosen in report.confusion.items():
        table.add_row(label, *(_count(chosen, other) for other in report.labels))
    return table


def _count(chosen: Mapping[str, int], label: str) -> str:
    return f"{chosen[label]:,}" if label in chosen else "·"


@contextmanager
def _watched(console: Console, say: Words) -> Iterator[Callable[[int], Seen]]:
    """Gives what shows a bar: first the reading of the texts, of unknown length, then the learning."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(say("글 읽기", "reading"), total=None)

        def begins(texts: int) -> Seen:
            progress.update(bar, description=say("학습", "learning"), total=texts)
            return lambda seen: progress.advance(bar, seen)

        yield begins


def _parser(say: Words, verb: str, korean: str, english: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"axk1 corpus classifier {verb}", description=say(korean, english))
    parser.add_argument("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    return parser


def _add_texts(parser: argparse.ArgumentParser, say: Words) -> None:
    """What the verbs that read labelled texts have in common; after their own positional arguments."""
    add = parser.add_argument
    add("changes", nargs="*", metavar="KEY=VALUE", help=say("설정 바꾸기", "settings to change"))
    add("--text", type=Path, metavar="DIR", default=Path(), help=say("글이 있는 폴더", "where the texts lie"))
    add("--mistakes", type=int, metavar="N", default=0, help=say("틀린 글을 몇 개 볼지", "how many mistakes to show"))


_VERBS: Mapping[str, Callable[[list[str], Words], int]] = {"train": _train, "eval": _evaluate, "show": _describe}
