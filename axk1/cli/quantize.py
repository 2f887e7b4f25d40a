"""`axk1 quantize`: a model folder with smaller weights, or a random one of a named shape."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from axk1.arch import PRESETS, preset
from axk1.cli.screen import console
from axk1.cli.words import Words
from axk1.export.quantize import REPORT, quantize
from axk1.export.quantize import Progress as Hear
from axk1.export.quantize_formats import PARTS, Formats, format_name, parse_format
from axk1.export.quantize_random import random_folder
from axk1.export.quantize_report import Report
from axk1.export.shards import SHARD_BYTES
from axk1.export.statistics import ChannelStatistics

__all__ = ["quantize_folder"]

KEPT = ("head", "embedding")  # parts that stay as they are unless asked for


def quantize_folder(argv: list[str], say: Words) -> int:
    """Write the quantised folder and say how far it is from the source."""
    options = _parser(say).parse_args(argv)
    formats, out = _formats(options), options.folders[-1]
    screen = console()
    if options.skew and not options.random:
        raise ValueError(say("--skew는 --random과 함께 씁니다.", "--skew goes with --random."))
    if len(options.folders) != (1 if options.random else 2):
        raise ValueError(say("폴더를 IN OUT으로, --random이면 OUT만 적어 주세요.", "give IN OUT, or --random and OUT."))
    with _progress(screen, say("양자화", "quantising")) as hear:
        if options.random:
            random_folder(preset(options.random), out, formats, options.seed, hear, options.shard_bytes, options.skew)
            return 0
        statistics = _statistics(options.calibrate, options.folders[0])
        report = quantize(options.folders[0], out, formats, statistics, hear, options.shard_bytes)
    _print(report, out, screen, say)
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
    formats = "int4-g32|g64|g128, int8, int8-g32|g64|g128 (+ -asym), none"
    add("--format", default="int4-g64", metavar="F", help=f"{formats} (int4-g64)")
    for part, korean, english in (
        ("experts", "골라 쓰는 전문가", "routed experts"),
        ("shared", "공유 전문가", "shared experts"),
        ("dense", "밀집 MLP", "dense MLPs"),
        ("attention", "어텐션", "attention projections"),
        ("head", "출력층 (없으면 그대로)", "the head (kept unless given)"),
        (
            "embedding",
            "임베딩 (없으면 그대로; 다른 프로그램은 못 엶)",
            "the embedding (kept unless given; few read it)",
        ),
    ):
        add(f"--{part}", metavar="F", help=say(korean, english))
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
    return parser


def _formats(options: argparse.Namespace) -> Formats:
    """Each part's own option, else `--format`; head and embedding only by their own."""
    names = {part: getattr(options, part) or ("none" if part in KEPT else options.format) for part in PARTS}
    if options.shard_bytes < 1:
        raise ValueError(f"--shard-bytes must be at least 1, found {options.shard_bytes}")
    return Formats(**{part: parse_format(name) for part, name in names.items()})


def _statistics(file: Path | None, model: Path) -> ChannelStatistics | None:
    if file is None:
        return None
    if file.suffix == ".npz":
        return ChannelStatistics.load(file)
    # loaded when it is asked for, as a verb is: who does not calibrate never loads torch
    measured: ChannelStatistics = import_module("axk1.export.calibrate").measure(model, file)
    return measured


@contextmanager
def _progress(screen: Console, title: str) -> Iterator[Hear]:
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=screen, disable=not screen.is_terminal) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: Report, out: Path, screen: Console, say: Words) -> None:
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
    screen.print(table)
    screen.print(f"{out / REPORT}", markup=False)


def _warn(formats: Formats, screen: Console, say: Words) -> None:
    """What transformers cannot open (docs/rooms/checkpoint.md); our own reader and vLLM's are not meant."""
    experts = formats.experts
    if experts is None or not experts.symmetric or formats.embedding:
        korean = "참고: transformers 5.19는 비대칭이거나 그대로 둔 전문가, 양자화한 임베딩을 열지 못합니다."
        english = "Note: transformers 5.19 opens no asymmetric or kept experts, and no quantised embedding."
        screen.print(say(korean, english), markup=False)
