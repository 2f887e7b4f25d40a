"""`axk1 corpus build`: a pipeline from raw text to clean documents; what was broken off goes on."""

import argparse
import importlib
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from axk1.cli import screen
from axk1.cli.texts import placed, placed_steps
from axk1.cli.words import Words
from axk1.config import load
from axk1.corpus.pipeline.pipeline import PhaseBegins, run_pipeline
from axk1.corpus.pipeline.report import PipelineReport
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.pipeline.workers import Progress as Ticks

__all__ = ["corpus_build", "report_table"]


def corpus_build(argv: list[str], say: Words) -> int:
    """Run the pipeline, here or on a cluster, and show what every step did."""
    options = _parser(say).parse_intermixed_args(argv)
    config = load(options.pipeline, PipelineConfig, options.changes)
    config = replace(
        config,
        sources=placed(config.sources, options.text),
        steps=placed_steps(config.steps, options.text),
        tasks=options.tasks or config.tasks,
    )
    if options.executor != "local":
        _on_cluster(config, options.out, options.executor, options.workers, say)
        return 0
    console = screen.console()
    try:
        with _watched(console, say) as begins:
            report = run_pipeline(config, options.out, options.workers, begins)
    except KeyboardInterrupt as interrupt:
        command = shlex.join(["axk1", "corpus", "build", *argv])
        interrupt.add_note(say(f"이어서 하려면: {command}", f"To go on: {command}"))
        raise
    console.print(report_table(report, say))
    console.print(_closing(report, options.out, say), markup=False, soft_wrap=True)
    return 0


def report_table(report: PipelineReport, say: Words) -> Table:
    """A row per step."""
    table = Table(box=None, pad_edge=False)
    table.add_column(say("단계", "step"))
    names = ("문서", "documents"), ("글자", "characters"), ("고침", "changed"), ("버림", "dropped"), ("초", "s")
    for korean, english in (*names, ("MB/초", "MB/s")):
        table.add_column(say(korean, english), justify="right")
    table.add_column(say("버린 까닭", "why dropped"))
    around = {"read": say("(읽기)", "(read)"), "between": say("(사이)", "(between)"), "write": say("(쓰기)", "(write)")}
    for one in report.steps:
        count = one.count
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in list(count.dropped.items())[:5])
        table.add_row(
            around.get(count.step, count.step),
            f"{count.kept.documents:,}",
            f"{count.kept.characters:,}",
            f"{count.changed:,}" if count.changed else "",
            f"{sum(count.dropped.values()):,}" if count.dropped else "",
            f"{count.seconds:,.1f}",
            f"{one.megabytes_per_second:,.1f}",
            reasons,
        )
    return table


def _closing(report: PipelineReport, folder: Path, say: Words) -> str:
    read, kept = report.read, report.kept
    share = 100 * kept.bytes / max(read.bytes, 1)
    return say(
        f"문서 {read.documents:,}개 가운데 {kept.documents:,}개를 남겼습니다({kept.bytes / 1e6:,.1f} MB, 원래의"
        f" {share:.1f}%). 코어 하나로 초당 {report.megabytes_per_second:,.1f} MB. 결과: {folder / 'parts'}\n"
        f"살펴보려면: axk1 corpus samples {folder}",
        f"kept {kept.documents:,} of {read.documents:,} documents ({kept.bytes / 1e6:,.1f} MB, {share:.1f}% of the"
        f" text); {report.megabytes_per_second:,.1f} MB/s a core. Result: {folder / 'parts'}\n"
        f"to look at them: axk1 corpus samples {folder}",
    )


def _on_cluster(config: PipelineConfig, folder: Path, executor: str, workers: int, say: Words) -> None:
    try:  # an optional package, imported by name when asked for
        cluster = importlib.import_module("axk1.corpus.pipeline.cluster")
    except ModuleNotFoundError as error:
        raise ValueError(
            say(
                f"--executor {executor}에는 패키지가 더 필요합니다: pip install 'axk1[corpus]'",
                f"--executor {executor} needs more packages: pip install 'axk1[corpus]'",
            )
        ) from error
    cluster.run_on_cluster(config, folder, executor, workers)
    if executor == "slurm":
        print(
            say(
                f"작업을 맡겼습니다. 끝나면: {folder / 'report.json'}",
                f"Submitted; when done: {folder / 'report.json'}",
            )
        )


@contextmanager
def _watched(console: Console, say: Words) -> Iterator[PhaseBegins]:
    """Gives what shows a bar per phase, with the documents and characters read so far."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(say("문서 {task.fields[documents]:,}개, {task.fields[millions]:,.0f}백만 자",
                       "{task.fields[documents]:,} documents, {task.fields[millions]:,.0f} M characters")),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as progress:

        def begins(steps: Sequence[str], tasks: int) -> Ticks:
            what = ", ".join(steps) or say("읽기", "read")
            bar = progress.add_task(what, total=tasks, documents=0, millions=0.0)
            seen = [0, 0]

            def ticks(ended: int, documents: int, characters: int) -> None:
                seen[0] += documents
                seen[1] += characters
                progress.update(bar, advance=ended, documents=seen[0], millions=seen[1] / 1e6)

            return ticks

        yield begins


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 corpus build",
        description=say(
            "글 모음을 여러 단계로 정제합니다. 멈추면 같은 명령으로 이어집니다.",
            "Take texts through the steps of a pipeline. The same command goes on with what was stopped.",
        ),
    )
    add = parser.add_argument
    example = "recipes/corpus/korean.toml"
    add("pipeline", type=Path, metavar="PIPELINE.toml", help=say(f"파이프라인 파일, 예: {example}", f"e.g. {example}"))
    add("changes", nargs="*", metavar="KEY=VALUE", help=say("설정 바꾸기", "settings to change"))
    add("--out", type=Path, metavar="DIR", required=True, help=say("결과 폴더", "the folder of the result"))
    add("--text", type=Path, metavar="DIR", default=Path(), help=say("글 파일이 있는 폴더", "where the sources lie"))
    add("--tasks", type=_at_least_one, metavar="N", help=say("나눌 작업 수", "into how many tasks to divide the input"))
    add("--workers", type=_at_least_one, metavar="N", default=1, help=say("동시에 할 작업 수", "tasks at a time"))
    add(
        "--executor",
        choices=("local", "datatrove", "slurm", "ray"),
        default="local",
        help=say("어디에서 실행할지 (local이 아니면 axk1[corpus] 필요)", "where to run (all but local: axk1[corpus])"),
    )
    return parser


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"wants a whole number above 0, found {text!r}")
    return int(text)
