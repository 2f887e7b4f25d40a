"""Files and functions stay short enough to be read."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "axk1").rglob("*.py")) + sorted((ROOT / "axk1").rglob("*.[ch]"))
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(ROOT)}:{node.name}", node.end_lineno - node.lineno + 1


def lines(path: Path) -> int:
    return path.read_text(encoding="utf-8").count("\n")


def test_no_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): lines(path) for path in SOURCES if lines(path) > 400}
    assert not long


def test_no_function_is_longer_than_60_lines_and_half_are_short() -> None:
    sizes = [size for path in SOURCES if path.suffix == ".py" for size in functions(path)]
    assert not [size for size in sizes if size[1] > 60]
    assert statistics.median(size for _, size in sizes) <= 13


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_recipe_file_fits_on_a_screen(path: Path) -> None:
    assert lines(path) <= 40
