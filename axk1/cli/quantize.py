"""`axk1 quantize`: a model folder with smaller weights, or a random one of a named shape."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from axk1.arch import PRESETS, preset
from axk1.cli.compare import compare_folders, divergence_table
from axk1.cli.engine import add_engine_options, engine_options
from axk1.cli.screen import console
from axk1.cli.words import Words
from axk1.corpus.source import Source, files_of
from axk1.evals.divergence import Divergence
from axk1.export.quantize import REPORT, quantize
from axk1.export.quantize import Progress as Hear
from axk1.export.quantize_formats import DEFAULTS, PARTS, Formats, format_name, named_formats
from axk1.export.quantize_random import random_folder
from axk1.export.quantize_report import Report
from axk1.export.shards import SHARD_BYTES
from axk1.export.statistics import ChannelStatistics
from axk1.runs import write_whole

__all__ = ["progress_of", "quantize_folder", "report_table"]

_PARTS: Mapping[str, tuple[str, str]] = {
    "experts": ("골라 쓰는 전문가", "routed experts"),
    "shared": ("공유 전문가", "shared experts"),
    "dense": ("밀집 MLP", "dense MLPs"),
    "attention": ("어텐션", "attention projections"),
    "head": ("출력층", "the head"),
    "embedding": ("임베딩", "the embedding"),
}


def quantize_folder(argv: list[str], say: Words) -> int:
    """Write the quantised folder and say how far it is from the source."""
    options = _parser(say).parse_args(argv)
    formats, out = _formats(options, say), options.folders[-1]
    screen = Console(stderr=True) if options.json else console()
    if options.random:
        with progress_of(screen, say) as hear:
            random_folder(preset(options.random), out, formats, options.seed, hear, options.shard_bytes, options.skew)
        return 0
    source, texts = options.folders[0], [Source(path, max_bytes=options.compare_bytes) for path in options.compare]
    with progress_of(screen, say) as hear:
        statistics = _statistics(options.calibrate, source)
        report = quantize(source, out, formats, statistics, hear, options.shard_bytes)
    compared = compare_folders(source, out, texts, engine_options(options)) if texts else []
    mapping = {**report.to_json(), "compared": [one.to_mapping() for one in compared]}
    if compared:
        write_whole(out / REPORT, json.dumps(mapping, ensure_ascii=False, indent=2) + "\n")
    if options.json:
        print(json.dumps(mapping, ensure_ascii=False, indent=1))
    else:
        _print(report, compared, out, screen, say)
    _warn(formats, screen, say)
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 quantize",
        description=say(
            "모델 폴더의 가중치를 int4나 int8로 줄여 compressed-tensors 폴더로 씁니다.",
            "writes a model folder with int4 or int8 weights, in the compressed-tensors layout.",
        ),
    )
    add = parser.add_argument
    add(
        "folders", nargs="+", type=Path, metavar="IN OUT", help=say("원래 폴더와 새 폴더", "the source, the new folder")
    )
    _add_formats(parser, say)
    add(
        "--calibrate",
        type=Path,
        metavar="TEXT",
        help=say(
            "이 글(.jsonl, .txt)에서 잰 활성값으로 오차의 무게를 정함 (torch 필요), 또는 잰 값의 .npz",
            "weigh errors by activations measured on this text (.jsonl, .txt; needs torch), or a .npz of them",
        ),
    )
    shapes = ", ".join(PRESETS)
    add("--random", metavar="NAME", help=say("원래 폴더 대신 무작위 가중치: ", "random weights of a shape: ") + shapes)
    add("--seed", type=int, default=0)
    add(
        "--skew",
        type=float,
        default=0.0,
        metavar="S",
        help=say(
            "--random의 라우터가 전문가를 고르는 빈도: 지수 S의 지프 법칙 (0: 고르게)",
            "with --random: how often experts are chosen follows Zipf's law of exponent S (0: evenly)",
        ),
    )
    add("--shard-bytes", type=int, default=SHARD_BYTES, metavar="N", help=say("파일 하나의 크기", "size of a file"))
    _add_comparison(parser, say)
    return parser


def _add_formats(parser: argparse.ArgumentParser, say: Words) -> None:
    formats = "int4-g32|g64|g128, int8, int8-g32|g64|g128 (+ -asym), none"
    every = say("출력층과 임베딩을 뺀 모두", "all but head and embedding")
    parser.add_argument("--format", default="", metavar="F", help=f"{every}: {formats}")
    for part in PARTS:
        parser.add_argument(f"--{part}", metavar="F", help=f"{say(*_PARTS[part])} [{DEFAULTS[part]}]")


def _add_comparison(parser: argparse.ArgumentParser, say: Words) -> None:
    add = parser.add_argument
    add(
        "--compare",
        action="append",
        default=[],
        metavar="TEXT",
        help=say(
            "이 글에서 혼란도와 KL을 원래 모델과 비교 (여러 번)",
            "perplexity and KL divergence from the source on this text; may be repeated",
        ),
    )
    most = say("글마다 최대 바이트", "at most so much of each text")
    add("--compare-bytes", type=int, default=200_000, metavar="N", help=f"{most} (200,000)")
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    add_engine_options(parser, say)


def _formats(options: argparse.Namespace, say: Words) -> Formats:
    """What was asked for, once it is certain that the rest makes sense too."""
    formats = named_formats({part: getattr(options, part) for part in PARTS}, options.format)
    if options.shard_bytes < 1:
        raise ValueError(f"--shard-bytes must be at least 1, found {options.shard_bytes}")
    if len(options.folders) != (1 if options.random else 2):
        raise ValueError(say("폴더를 IN OUT으로, --random이면 OUT만 적어 주세요.", "give IN OUT, or --random and OUT."))
    if options.skew and not options.random:
        raise ValueError(say("--skew는 --random과 함께 씁니다.", "--skew goes with --random."))
    if options.random and (options.compare or options.calibrate):
        raise ValueError(
            say("무작위 가중치에는 견줄 원래 모델이 없습니다.", "random weights have no source to compare.")
        )
    for path in options.compare:
        files_of(path)  # found missing now, not after the work
    return formats


def _statistics(file: Path | None, model: Path) -> ChannelStatistics | None:
    if file is None:
        return None
    if file.suffix == ".npz":
        return ChannelStatistics.load(file)
    # loaded when it is asked for, as a verb is: who does not calibrate never loads torch
    measured: ChannelStatistics = import_module("axk1.export.calibrate").measure(model, file)
    return measured


@contextmanager
def progress_of(screen: Console, say: Words) -> Iterator[Hear]:
    """A bar of the bytes written, on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(say("양자화", "quantising"))
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: Report, compared: Sequence[Divergence], out: Path, screen: Console, say: Words) -> None:
    screen.print(report_table(report, say))
    if compared:
        screen.print(divergence_table(compared, say))
    screen.print(f"{out / REPORT}", markup=False)


def report_table(report: Report, say: Words) -> Table:
    """The relative error of every part that was quantised."""
    title = say("원래 가중치와의 차이", "difference from the source")
    table = Table(title=title, title_justify="left")
    table.add_column(say("부분", "part"))
    table.add_column(say("형식", "format"))
    for heading in (
        *(say("가중치", "weights"), say("비트/가중치", "bits per weight")),
        *(say("상대 오차", "relative error"), say("가장 큰 것", "the largest")),
    ):
        table.add_column(heading, justify="right")
    for part in PARTS:
        if found := report.parts.get(part):
            cells = (f"{found.weights:,}", f"{found.bits:.2f}", f"{found.relative_error:.4f}", f"{found.worst[0]:.4f}")
            table.add_row(part, format_name(report.formats.of(part)), *cells)
    return table


def _warn(formats: Formats, screen: Console, say: Words) -> None:
    """What transformers cannot open (docs/rooms/checkpoint.md); our own reader and vLLM's are not meant."""
    experts = formats.experts
    if experts is None or not experts.symmetric or formats.embedding:
        korean = "참고: transformers 5.19는 비대칭이거나 그대로 둔 전문가, 양자화한 임베딩을 열지 못합니다."
        english = "Note: transformers 5.19 opens no asymmetric or kept experts, and no quantised embedding."
        screen.print(say(korean, english), markup=False)
