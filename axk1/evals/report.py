"""The report as files: report.json for machines, report.md for readers, answers.jsonl with every single answer."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from axk1.evals.interval import Share
from axk1.evals.result import MODES, Answer, Mode, Report, TaskResult
from axk1.runs import write_whole

__all__ = ["markdown", "write"]

_EXAMPLES = 3  # wrong answers shown per task and mode
_SHOWN = 300  # characters of each text in an example
_TITLES = {"thinking": "생각하고 · thinking", "direct": "바로 · direct"}
_ESCAPED = str.maketrans(
    {**{mark: f"\\{mark}" for mark in "\\`*_|[]~"}, "<": "&lt;", "&": "&amp;", "\n": " ⏎ ", "\r": " "}
)


def write(report: Report, folder: Path) -> None:
    """Write the three files into the folder, created if it is not there. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "report.json", json.dumps(report.to_mapping(), ensure_ascii=False, indent=1) + "\n")
    write_whole(folder / "report.md", markdown(report))
    lines = (json.dumps(line, ensure_ascii=False) + "\n" for line in _answers(report))
    write_whole(folder / "answers.jsonl", "".join(lines))


def markdown(report: Report) -> str:
    """The figures and, for every task, a few wrong answers; headings in Korean and English."""
    parts = [f"# 평가 · evaluation: {_escaped(report.model)}"]
    if report.tasks:
        parts += [_figures(report), "## 틀린 답 · wrong answers", *map(_examples, report.tasks)]
    if report.texts:
        parts.append(_texts(report))
    return "\n\n".join(parts) + "\n"


def _answers(report: Report) -> Iterator[dict[str, object]]:
    for task in report.tasks:
        for mode in MODES:
            for answer in task.answers[mode]:
                yield {"task": task.name, "mode": mode, **asdict(answer)}


def _figures(report: Report) -> str:
    head = (
        f"문제 종류마다 처음 보는 문제 {report.exercises}개까지, 답은 {report.max_new_tokens}토큰까지,"
        f" 시드 {report.seed}. 대괄호는 95 % 신뢰 구간 (Wilson).\n"
        f"Up to {report.exercises} held-out questions per task, replies of up to {report.max_new_tokens} tokens,"
        f" seed {report.seed}. In brackets: 95 % intervals (Wilson).\n\n"
        "| 문제 종류 · task | 문항 · questions | 생각하고 · thinking | 바로 · direct | 기준선 · baseline"
        " | 형식 오류 · format errors |\n|---|---:|---:|---:|---:|---|\n"
    )
    means = " | ".join(f"{value:.1%}" for value in (*map(report.mean, MODES), report.mean_baseline))
    return head + "".join(map(_row, report.tasks)) + f"| **평균 · mean** | | {means} | |"


def _row(task: TaskResult) -> str:
    name, best = task.baseline
    shares = " | ".join(_share(task.share(mode)) for mode in MODES)
    return f"| {_title(task)} | {best.total} | {shares} | {best.value:.0%} ({_escaped(name)}) | {_flaws(task)} |\n"


def _share(share: Share) -> str:
    low, high = share.interval
    return f"{share.value:.0%} \\[{low * 100:.0f}–{high * 100:.0f}\\]"


def _flaws(task: TaskResult) -> str:
    found = [
        f"{mode} {flaw.replace('_', ' ')} {count}"
        for mode in MODES
        for flaw, count in task.flaws(mode).items()
        if count
    ]
    return ", ".join(found)


def _title(task: TaskResult) -> str:
    return f"{_escaped(task.title_ko)} · {_escaped(task.title_en)}"


def _examples(task: TaskResult) -> str:
    rows = [_example(mode, answer) for mode in MODES for answer in task.worst(mode, _EXAMPLES)]
    heading = f"### {_title(task)} (`{task.name}`)"
    if not rows:
        return f"{heading}\n\n없음 · none"
    return f"{heading}\n\n| | 물음 · question | 바른 답 · wanted | 모델의 답 · got |\n|---|---|---|---|\n" + "\n".join(
        rows
    )


def _example(mode: Mode, answer: Answer) -> str:
    texts = " | ".join(map(_escaped, (answer.question, answer.wanted, answer.got)))
    return f"| {_TITLES[mode]} | {texts} |"


def _escaped(text: str) -> str:
    short = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return short.translate(_ESCAPED)


def _texts(report: Report) -> str:
    head = (
        "## 글 · texts\n\n"
        "| 파일 · file | 바이트 · bytes | 바이트/토큰 · bytes/token | 비트/바이트 · bits/byte |\n"
        "|---|---:|---:|---:|\n"
    )
    rows = [
        f"| {_escaped(text.file)} | {text.bytes:,} | {text.bytes_per_token:.2f} | {text.bits_per_byte:.4f} |"
        for text in report.texts
    ]
    return head + "\n".join(rows)
