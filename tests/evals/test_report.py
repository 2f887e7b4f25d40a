import json
import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from axk1.evals import report
from axk1.evals.bits import TextScore
from axk1.evals.interval import Share
from axk1.evals.result import Answer, Report, TaskResult
from axk1.evals.table import tables

GOOD = Answer("1+1?", "2", "2", right=True, flaws=(), tokens=2)
BAD = Answer("1+2?", "3", "5", right=False, flaws=(), tokens=2)
BROKEN = Answer("a|b\n<b>*", "`4`", "<tool_call>{", right=False, flaws=("malformed", "too_long"), tokens=9)
SUMS = TaskResult(
    "sums", "더하기", "sums",
    {"thinking": (GOOD, GOOD, GOOD, BAD), "direct": (BAD, GOOD, BROKEN, BAD)},
    {"guess": Share(0, 4), "majority": Share(1, 4)},
)  # fmt: skip
SURE = TaskResult(
    "sure", "쉬운 것", "easy ones", {"thinking": (GOOD,) * 50, "direct": (BAD,) * 50}, {"guess": Share(0, 50)}
)
TEXT = TextScore("글/판결.jsonl", 3, 3000, 1000, 1.25)
REPORT = Report("runs/nano/model", 50, 160, 0, (SUMS, SURE), (TEXT,))


def test_shares_flaws_and_means() -> None:
    assert SUMS.share("thinking") == Share(3, 4)
    assert SUMS.share("direct") == Share(1, 4)
    assert SUMS.flaws("direct") == {"malformed": 1, "empty_thinking": 0, "too_long": 1}
    assert SUMS.baseline == ("majority", Share(1, 4))
    assert REPORT.mean("thinking") == (0.75 + 1) / 2
    assert REPORT.mean_baseline == 0.125


def test_the_worst_are_wrong_and_broken_ones_come_first() -> None:
    assert SUMS.worst("direct", 2) == [BROKEN, BAD]
    assert SUMS.worst("thinking", 3) == [BAD]


def test_the_mapping_is_json_with_every_figure() -> None:
    values: dict[str, Any] = json.loads(json.dumps(REPORT.to_mapping()))
    assert values["tasks"][0] == {
        "name": "sums",
        "title_ko": "더하기",
        "title_en": "sums",
        "thinking": {"right": 3, "total": 4, "share": 0.75, "low": 0.3006, "high": 0.9544,
                     "malformed": 0, "empty_thinking": 0, "too_long": 0},
        "direct": {"right": 1, "total": 4, "share": 0.25, "low": 0.0456, "high": 0.6994,
                   "malformed": 1, "empty_thinking": 0, "too_long": 1},
        "baseline": "majority",
        "baselines": {"guess": {"right": 0, "total": 4, "share": 0.0, "low": 0.0, "high": 0.4899},
                      "majority": {"right": 1, "total": 4, "share": 0.25, "low": 0.0456, "high": 0.6994}},
    }  # fmt: skip
    assert values["mean"] == {"thinking": 0.875, "direct": 0.125, "baseline": 0.125}
    assert values["texts"][0]["bits_per_byte"] == 1.25
    assert values["texts"][0]["bytes_per_token"] == 3.0


def test_the_files(tmp_path: Path) -> None:
    report.write(REPORT, tmp_path / "evals")
    folder = tmp_path / "evals"
    assert json.loads((folder / "report.json").read_text(encoding="utf-8")) == REPORT.to_mapping()
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(lines) == 4 + 4 + 50 + 50
    assert json.loads(lines[6])["got"] == BROKEN.got
    report.write(REPORT, folder)  # again, over the old one
    assert sorted(path.name for path in folder.iterdir()) == ["answers.jsonl", "report.json", "report.md"]


def test_the_markdown_shows_examples_and_cannot_be_broken_by_them() -> None:
    text = report.markdown(REPORT)
    row = next(line for line in text.split("\n") if "a\\|b" in line)
    assert row == "| 바로 · direct | a\\|b ⏎ &lt;b>\\* | \\`4\\` | &lt;tool\\_call>{ |"
    assert "### 더하기 · sums (`sums`)" in text
    assert "| 더하기 · sums | 4 | 75% \\[30–95\\] | 25% \\[5–70\\] | 25% (majority) |" in text
    assert "판결.jsonl | 3,000 | 3.00 | 1.2500 |" in text


def test_a_long_answer_is_cut_in_the_markdown_only() -> None:
    long = Answer("?", "1", "0" * 5000, right=False, flaws=(), tokens=1)
    task = TaskResult("long", "긴 것", "long", {"thinking": (long,), "direct": (long,)}, {"guess": Share(0, 1)})
    assert len(report.markdown(Report("m", 1, 1, 0, (task,)))) < 2500


@pytest.mark.parametrize(("language", "title", "thinking"), [("ko", "더하기", "생각하고"), ("en", "sums", "thinking")])
def test_the_table_in_both_languages(language: Any, title: str, thinking: str) -> None:
    console = Console(width=120, record=True, file=StringIO())
    console.print(tables(REPORT, language))
    shown = console.export_text()
    for part in (title, thinking, "75% [30–95]", "25% [5–70]", "87.5%", "1.2500"):
        assert part in shown


def test_colours_say_whether_a_share_is_above_its_baseline() -> None:
    unsure = replace(SUMS, answers={"thinking": (GOOD, GOOD, BAD, BAD), "direct": (BAD,) * 4})
    console = Console(width=120, record=True, file=StringIO(), force_terminal=True)
    console.print(tables(replace(REPORT, tasks=(SUMS, SURE, unsure)), "en"))
    styled = console.export_text(styles=True)
    assert re.search(r"\x1b\[32m *100% \[93–100\]", styled)
    assert re.search(r"\x1b\[31m *0% \[0–7\]", styled)  # equal to its baseline
    assert re.search(r"\x1b\[31m *25% \[5–70\]", styled)  # also equal
    assert re.search(r"\x1b\[32m *75% \[30–95\]", styled)
    assert "50% [15–85]" in styled  # above 25 %, but not surely
    assert not re.search(r"\x1b\[3[12]m *50%", styled)


def test_texts_alone_and_tasks_alone() -> None:
    for alone in (Report("m", 1, 1, 0, (), (TEXT,)), Report("m", 1, 1, 0, (SUMS,))):
        console = Console(width=120, record=True, file=StringIO())
        console.print(tables(alone, "en"))
        assert ("1.2500" in console.export_text()) == bool(alone.texts)
        assert report.markdown(alone)
        assert json.dumps(alone.to_mapping())


def test_the_chart_is_a_picture_even_of_none_and_all(tmp_path: Path) -> None:
    chart = pytest.importorskip("axk1.evals.chart")
    chart.draw(REPORT, tmp_path / "deep" / "grades.png")
    assert (tmp_path / "deep" / "grades.png").read_bytes().startswith(b"\x89PNG")


def test_who_evaluates_loads_neither_torch_nor_matplotlib() -> None:
    code = (
        "import sys\n"
        "from axk1.evals import bits, curriculum, evaluate, interval, report, result, table, task\n"
        "assert not {'torch', 'matplotlib', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
