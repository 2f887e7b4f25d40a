"""`axk1 corpus synthesize`: documents written by a model, judged and kept with their provenance."""

import argparse
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from axk1.cli import screen
from axk1.cli.engine import add_engine_options, engine_options, open_engine
from axk1.cli.synthesis_engine import engine_completer
from axk1.cli.texts import placed
from axk1.cli.words import Words
from axk1.config import load
from axk1.corpus.synthesis.budget import Amount
from axk1.corpus.synthesis.completion import Complete
from axk1.corpus.synthesis.report import SynthesisReport
from axk1.corpus.synthesis.run import Progress as Ticks
from axk1.corpus.synthesis.run import synthesize
from axk1.corpus.synthesis.settings import SynthesisConfig
from axk1.tokenizer.tokenizer import Tokenizer

__all__ = ["corpus_synthesize", "synthesis_table"]

UNFINISHED = 1


def corpus_synthesize(argv: list[str], say: Words) -> int:
    """Have the recipe's documents written; 1 when the budget was used up before the end."""
    options = _parser(say).parse_intermixed_args(argv)
    config = load(options.recipe, SynthesisConfig, options.changes)
    config = replace(config, sources=placed(config.sources, options.text))
    console, command = screen.console(), shlex.join(["axk1", "corpus", "synthesize", *argv])
    try:
        with ExitStack() as stack:
            complete = _in_process(options, stack)
            ticks = stack.enter_context(_watched(console, say))
            report = synthesize(config, options.out, options.recipe.parent, complete, ticks)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(say(f"이어서 하려면: {command}", f"To go on: {command}"))
        raise
    console.print(synthesis_table(report, say))
    console.print(_closing(report, options.out, say), markup=False, soft_wrap=True)
    return UNFINISHED if report.limit else 0


def _in_process(options: argparse.Namespace, stack: ExitStack) -> Complete | None:
    """The engine on the folder that was named; None for the endpoint of the recipe."""
    if options.model is None:
        return None
    engine = stack.enter_context(open_engine(options.model, engine_options(options)))
    return engine_completer(engine, Tokenizer.load(options.model))


def synthesis_table(report: SynthesisReport, say: Words) -> Table:
    """A row per task."""
    table = Table(box=None, pad_edge=False)
    table.add_column(say("과제", "task"))
    for korean, english in (
        ("항목", "items"),
        ("후보", "candidates"),
        ("남김", "kept"),
        ("비율", "share"),
        ("토큰", "tokens"),
    ):
        table.add_column(say(korean, english), justify="right")
    table.add_column(say("버린 까닭", "why dropped"))
    for task in report.sources:
        reasons = [f"{why.removeprefix(f'{task.source}: ')} {number:,}" for why, number in task.dropped.items()]
        table.add_row(
            task.source,
            f"{task.items:,}",
            f"{task.candidates:,}",
            f"{task.kept:,}",
            f"{100 * task.acceptance:.0f}%",
            f"{task.used.tokens:,}",
            ", ".join(reasons),
        )
    return table


def _closing(report: SynthesisReport, folder: Path, say: Words) -> str:
    spent, limits = report.spent, {"requests": "요청 수", "tokens": "토큰", "money": "돈"}
    lines = [
        say(
            f"후보 {report.candidates:,}개 가운데 {report.kept:,}개를 남겼습니다. 지금까지 {_amount(spent, say)}.",
            f"kept {report.kept:,} of {report.candidates:,} candidates; so far {_amount(spent, say)}.",
        ),
        say(
            f"결과: {folder / 'parts'}\n살펴보려면: axk1 corpus samples {folder}",
            f"Result: {folder / 'parts'}\nto look at them: axk1 corpus samples {folder}",
        ),
    ]
    if report.limit:
        left = sum(task.unfinished for task in report.sources)
        lines += [
            say(
                f"예산({limits.get(report.limit, report.limit)})을 다 써서 멈췄습니다."
                f" 항목이 {left:,}개 남았습니다. budget을 늘려 같은 명령을 내리면 이어집니다.",
                f"Stopped: the budget is used up ({report.limit}); {left:,} items are left."
                " Raise the budget, and the same command goes on.",
            )
        ]
    return "\n".join(lines)


def _amount(spent: Amount, say: Words) -> str:
    money = f", {spent.money:,.4f}" if spent.money else ""
    return say(
        f"요청 {spent.requests:,}건, 토큰 {spent.tokens:,}개{money}",
        f"{spent.requests:,} requests, {spent.tokens:,} tokens{money}",
    )


@contextmanager
def _watched(console: Console, say: Words) -> Iterator[Ticks]:
    """Gives what shows how far it is."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn(say("항목 {task.completed:,.0f}개, 남긴 문서 {task.fields[kept]:,}개, {task.fields[spent]}",
                       "{task.completed:,.0f} items, {task.fields[kept]:,} documents kept, {task.fields[spent]}")),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:
        line = progress.add_task("", total=None, kept=0, spent="")

        def ticks(task: str, items: int, kept: int, spent: Amount) -> None:
            progress.update(line, description=task, completed=items, kept=kept, spent=_amount(spent, say))

        yield ticks


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 corpus synthesize",
        description=say(
            "모델이 쓴 새 글을 하나씩 검사해 남깁니다. 멈추면 같은 명령으로 이어지고, 받은 답은 다시 사지 않습니다.",
            "Have a model write documents, judge each, keep the good ones. The same command goes on with what was"
            " stopped, and pays for no answer twice.",
        ),
    )
    add = parser.add_argument
    example = "recipes/synthesis/rephrase.toml"
    add("recipe", type=Path, metavar="RECIPE.toml", help=say(f"레시피 파일, 예: {example}", f"e.g. {example}"))
    add("changes", nargs="*", metavar="KEY=VALUE", help=say("설정 바꾸기", "settings to change"))
    add("--out", type=Path, metavar="DIR", required=True, help=say("결과 폴더", "the folder of the result"))
    add("--text", type=Path, metavar="DIR", default=Path(), help=say("씨앗 글이 있는 폴더", "where the sources lie"))
    model = say("서버 대신 쓸 모델 폴더", "a model folder that answers instead of the recipe's endpoint")
    add("--model", type=Path, metavar="DIR", help=model)
    add_engine_options(parser, say)
    return parser
