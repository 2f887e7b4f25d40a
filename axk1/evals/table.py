"""The report as a person reads it in a terminal, in Korean or English."""

from typing import Literal

from rich.box import SIMPLE
from rich.console import Group
from rich.table import Table
from rich.text import Text

from axk1.evals.interval import Share
from axk1.evals.result import MODES, Mode, Report, TaskResult

__all__ = ["tables"]

Language = Literal["ko", "en"]

_WORDS = {
    "ko": {
        "task": "문제 종류",
        "count": "문항",
        "thinking": "생각하고",
        "direct": "바로",
        "baseline": "기준선",
        "flaws": "형식 오류",
        "mean": "평균",
        "note": "초록 = 95 % 신뢰 구간이 기준선보다 위, 빨강 = 기준선 이하",
        "file": "글",
        "bytes": "바이트",
        "bytes_per_token": "바이트/토큰",
        "bits_per_byte": "비트/바이트",
        "guess": "어림",
        "majority": "최빈값",
    },
    "en": {
        "task": "task",
        "count": "questions",
        "thinking": "thinking",
        "direct": "direct",
        "baseline": "baseline",
        "flaws": "format errors",
        "mean": "mean",
        "note": "green: the 95 % interval lies above the baseline; red: not above the baseline",
        "file": "text",
        "bytes": "bytes",
        "bytes_per_token": "bytes/token",
        "bits_per_byte": "bits/byte",
        "guess": "guess",
        "majority": "majority",
    },
}


def tables(report: Report, language: Language) -> Group:
    """The shares of every task beside its baseline, and the bits per byte of every text; only what was measured."""
    parts = [_tasks(report, language)] if report.tasks else []
    parts += [_texts(report, language)] if report.texts else []
    return Group(*parts)


def _tasks(report: Report, language: Language) -> Table:
    words = _WORDS[language]
    table = Table(caption=words["note"], show_footer=True, box=SIMPLE)
    table.add_column(words["task"], words["mean"], no_wrap=True)
    table.add_column(words["count"], justify="right")
    for mode in MODES:
        table.add_column(words[mode], f"{report.mean(mode):.1%}", justify="right")
    table.add_column(words["baseline"], f"{report.mean_baseline:.1%}", justify="right")
    table.add_column(words["flaws"], justify="right")
    for task in report.tasks:
        name, best = task.baseline
        title = task.title_ko if language == "ko" else task.title_en
        shares = [_share(task.share(mode), best) for mode in MODES]
        baseline = f"{best.value:.0%} {words.get(name, name)}"
        table.add_row(Text(title), str(best.total), *shares, baseline, _flaws(task))
    return table


def _share(share: Share, baseline: Share) -> Text:
    low, high = share.interval
    style = "green" if low > baseline.value else "red" if share.value <= baseline.value else ""
    return Text(f"{share.value:.0%} [{low * 100:.0f}–{high * 100:.0f}]", style=style)


def _flaws(task: TaskResult) -> str:
    """The share of replies with any flaw, by mode."""
    return " / ".join(f"{_flawed(task, mode):.0%}" for mode in MODES)


def _flawed(task: TaskResult, mode: Mode) -> float:
    answers = task.answers[mode]
    return sum(bool(answer.flaws) for answer in answers) / len(answers)


def _texts(report: Report, language: Language) -> Table:
    words = _WORDS[language]
    table = Table()
    table.add_column(words["file"])
    for column in ("bytes", "bytes_per_token", "bits_per_byte"):
        table.add_column(words[column], justify="right")
    for text in report.texts:
        table.add_row(Text(text.file), f"{text.bytes:,}", f"{text.bytes_per_token:.2f}", f"{text.bits_per_byte:.4f}")
    return table
