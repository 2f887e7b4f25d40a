"""`axk1 data`: publish a corpus, and check what somebody published."""

import argparse
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from axk1 import config
from axk1.cli.words import Words
from axk1.corpus.privacy.report import personal_data
from axk1.corpus.release.check import check_release
from axk1.corpus.release.settings import ReleaseSettings
from axk1.corpus.release.write import write_release

__all__ = ["data"]


def data(argv: list[str], say: Words) -> int:
    """`axk1 data release CORPUS SETTINGS --out FOLDER`, `axk1 data check FOLDER`."""
    options = _parser(say).parse_args(argv)
    return _check(options.folder, say) if options.verb == "check" else _release(options, say)


def _parser(say: Words) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="axk1 data", description=say("말뭉치 공개하기", "publish a corpus, or check a published one")
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    release = verbs.add_parser("release", help=say("공개할 폴더 만들기", "write a folder to publish"))
    add = release.add_argument
    add("corpus", type=Path, help=say("말뭉치 폴더", "the folder of the corpus"))
    add("settings", type=Path, help=say("이름과 이용 조건을 적은 TOML 파일", "a TOML file with names and licences"))
    add("--out", type=Path, required=True, metavar="FOLDER", help=say("만들 폴더", "the folder to write"))
    check = verbs.add_parser("check", help=say("공개본 확인하기", "check a release"))
    check.add_argument("folder", type=Path, help=say("공개본 폴더", "the folder of the release"))
    return parser


def _release(options: argparse.Namespace, say: Words) -> int:
    settings = config.load(options.settings, ReleaseSettings)
    opt_out = options.settings.parent / settings.opt_out if settings.opt_out else None
    console = Console(stderr=True)
    with console.status("") as status:
        contents = write_release(
            options.corpus,
            options.out,
            settings,
            opt_out,
            personal_data,
            lambda _, count: status.update(say(f"문서 {count:,}개", f"{count:,} documents")),
        )
    total = contents.statistics.total
    print(
        say(
            f"{options.out}: 문서 {total.documents:,}개, {total.bytes / 1e6:,.1f} MB"
            f" (되풀이 {contents.repeated:,}개, 제외 요청 {contents.opted_out:,}개는 뺌)",
            f"{options.out}: {total.documents:,} documents, {total.bytes / 1e6:,.1f} MB"
            f" (left out: {contents.repeated:,} repeated, {contents.opted_out:,} opted out)",
        )
    )
    return 0


def _check(folder: Path, say: Words) -> int:
    console = Console(highlight=False, soft_wrap=True)
    bad = 0
    for finding in check_release(folder, personal_data):
        bad += bool(finding.problems)
        mark = "[red]✗[/]" if finding.problems else "[green]✓[/]"
        console.print(f"{mark} {say(finding.korean, finding.english)}")
        for problem in finding.problems:
            console.print(f"    {escape(problem)}")
    console.print(
        say("모두 맞습니다.", "All is as it says.") if not bad else say(f"{bad}가지가 다릅니다.", f"{bad} differ.")
    )
    return 1 if bad else 0
