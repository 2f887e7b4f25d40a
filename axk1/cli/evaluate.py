"""`axk1 eval`: grade a model folder."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from axk1.cli import screen
from axk1.cli.compare import compare_folders, divergence_table
from axk1.cli.engine import add_engine_options, engine_options
from axk1.cli.grade import Wanted, grade, save
from axk1.cli.recipe import EvalsConfig
from axk1.cli.words import Words
from axk1.corpus.source import Source
from axk1.evals.table import tables
from axk1.runs import write_whole

__all__ = ["evaluate"]


def evaluate(argv: list[str], say: Words) -> int:
    """Grade a model on held-out exercises, and on texts that are named."""
    options = _parser(say).parse_args(argv)
    settings = EvalsConfig(options.exercises, options.max_new_tokens, options.seed)
    sources = tuple(Source(path, fields=tuple(options.fields), max_bytes=options.text_bytes) for path in options.text)
    wanted = Wanted(
        settings, options.plugin, tuple(options.task), sources, tasks=not options.text or bool(options.task)
    )
    console = screen.console()
    if options.against:
        return _compare(options, sources, console, say)
    graded = grade(options.folder, wanted, Console(stderr=True) if options.json else console, engine_options(options))
    if options.out:
        save(graded, options.out)
    if options.json:
        print(json.dumps(graded.to_mapping(), ensure_ascii=False, indent=1))
    else:
        console.print(tables(graded, say.language))
    return 0


def _compare(options: argparse.Namespace, sources: Sequence[Source], console: Console, say: Words) -> int:
    """The model beside a reference on the texts."""
    if not sources or options.task:
        raise ValueError(say("--against는 --text와 함께 씁니다", "--against compares on texts: give --text, no --task"))
    found = compare_folders(options.against, options.folder, sources, engine_options(options))
    mapping = {
        "model": str(options.folder),
        "reference": str(options.against),
        "texts": [one.to_mapping() for one in found],
    }
    text = json.dumps(mapping, ensure_ascii=False, indent=1)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        write_whole(options.out / "divergence.json", text + "\n")
    if options.json:
        print(text)
    else:
        console.print(divergence_table(found, say))
    return 0


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="axk1 eval", description=say("모델 폴더를 채점하기", "grade a model folder"))
    add = parser.add_argument
    add("folder", type=Path, help=say("모델 폴더", "the model's folder"))
    add(
        "--task",
        action="append",
        default=[],
        metavar="NAME",
        help=say("이 종류만 (여러 번)", "only this task; may be repeated"),
    )
    add("--plugin", default="curriculum", help=say("과제 묶음", "the set of tasks"))
    add("--exercises", type=int, default=100, metavar="N", help=say("종류마다 문항 수", "questions per task"))
    add("--max-new-tokens", type=int, default=256, metavar="N")
    add("--seed", type=int, default=0)
    add(
        "--text",
        action="append",
        default=[],
        metavar="PATH",
        help=say("이 글의 비트/바이트만 (여러 번)", "bits per byte of these texts instead; may be repeated"),
    )
    add(
        "--against",
        type=Path,
        metavar="FOLDER",
        help=say("--text의 글에서 이 모델과의 KL", "KL divergence from this model on the texts of --text"),
    )
    add("--fields", nargs="+", default=["text"], metavar="FIELD", help=say("JSON 글의 칸", "the fields of JSON texts"))
    add(
        "--text-bytes",
        type=int,
        default=1_000_000,
        metavar="N",
        help=say("파일마다 최대 바이트", "at most so much of each file"),
    )
    add("--out", type=Path, metavar="DIR", help=say("보고서를 둘 폴더", "a folder for the report"))
    add("--json", action="store_true", help=say("기계가 읽을 JSON으로", "as JSON, for machines"))
    add_engine_options(parser, say)
    return parser
