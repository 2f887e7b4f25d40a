"""The examples run, say what they should, and the tour shows what they print."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
WITHOUT_TORCH = (
    *("01_shapes", "02_curriculum", "03_text_to_tokens", "05_read_a_checkpoint", "06_grade_anything", "07_engine"),
)
CHECKED = "import runpy, sys; runpy.run_path(sys.argv.pop(1), run_name='__main__'); assert 'torch' not in sys.modules"


def run(name: str, *arguments: Path) -> str:
    start = ["-c", CHECKED] if name in WITHOUT_TORCH else []
    command = [sys.executable, *start, str(ROOT / "examples" / f"{name}.py"), *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", env=environment, timeout=300, cwd=ROOT.parent, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that both halves of the tour leave, and what they print."""
    folder = tmp_path_factory.mktemp("tour")
    return folder, run("03_text_to_tokens", folder) + run("04_train_and_answer", folder)


def test_examples_are_numbered_and_short() -> None:
    assert [path.name[:3] for path in EXAMPLES] == [f"{number:02}_" for number in range(1, len(EXAMPLES) + 1)]
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 60, path.name
        assert f"Run: python examples/{path.name}" in text, path.name


def test_shapes() -> None:
    printed = run("01_shapes")
    assert re.search(r"^k1 +518,983,052,288 +6\.3% +70,272 B$", printed, re.MULTILINE)
    assert "refused: n_routed_experts 30 is not divisible by n_group 4" in printed


def test_curriculum() -> None:
    verdicts = [line[:5] for line in run("02_curriculum").split("\n") if line.startswith(("right", "wrong"))]
    assert verdicts == ["right", "wrong", "wrong", "right"]


def test_the_tour_ends_in_the_lesson(tour: tuple[Path, str]) -> None:
    assert (
        tour[1]
        .strip()
        .endswith("Reply(reasoning='거실, 24도', content='거실 온도를 24도로 맞췄어요.', tool_calls=(), malformed='')")
    )


def test_the_tour_page_shows_what_the_scripts_print(tour: tuple[Path, str]) -> None:
    page = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    shown = "".join(re.findall(r"^```text\n(.*?)^```", page, re.MULTILINE | re.DOTALL))
    assert lasting(shown) == lasting(tour[1]), "print the tour again and paste it into docs/tour.md"


def lasting(text: str) -> list[str]:
    """The lines without headings, and without what the last digits of a sum decide, which differ between processors."""
    lines = [re.sub(r"-?\d+\.\d+|load \[.*\]", "#", line) for line in text.split("\n")]
    return [line for line in lines if line and not line.startswith("# ")]


def test_the_folder_is_read_without_torch(tour: tuple[Path, str]) -> None:
    printed = run("05_read_a_checkpoint", tour[0] / "model")
    assert "model.layers.1.mlp.experts.gate_up_proj comes from 16 tensors" in printed
    assert "refused: tensor model.norm.weight [64] is missing" in printed


def test_a_calculator_can_add_but_not_solve_word_problems() -> None:
    printed = run("06_grade_anything")
    assert "sum2 thinking: 100%" in printed
    assert "sum2 direct: 100%" in printed
    assert "word2 direct: 0%" in printed


def test_the_engine_answers_from_the_folder_without_torch(tour: tuple[Path, str]) -> None:
    printed = run("07_engine", tour[0] / "model")
    assert "거실, 24도</think>거실 온도를 24도로 맞췄어요. (stop)" in printed
    assert "3 of 3 streams said the same" in printed
    assert "refused: token id 5000 is outside" in printed
