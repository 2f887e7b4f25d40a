"""Names, imports and text handling that the house style rules out."""

import ast
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "axk1").rglob("*.py"))
FORBIDDEN = {"utils", "util", "common", "helpers", "helper", "core", "misc"}
SIXTEEN_MIB = 16 << 20
# The USE half and the shared floor: who only runs a model never loads torch.
WITHOUT_TORCH = {"config", "registry", "runs", "arch", "tokenizer", "chat", "checkpoint", "corpus"} | {
    "engine", "server", "agent", "apps", "evals", "native", "testbed",
}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tracked() -> list[Path]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_no_room_without_a_meaning() -> None:
    assert not [path for path in SOURCES if FORBIDDEN & {*path.relative_to(ROOT).with_suffix("").parts}]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_are_at_the_top_and_lines_are_cut_at_newline_only(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            inside = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
            assert not inside, f"line {inside[0].lineno}: an import inside {function.name}"
    cut = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "splitlines"]
    assert not cut, f"line {cut[0].lineno}: str.splitlines also cuts at U+2028"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_exported_name_exists(path: Path) -> None:
    module = import_module(module_name(path))
    for name in getattr(module, "__all__", ()):
        assert hasattr(module, name), name
    assert module.__doc__ or path.stat().st_size == 0, "no docstring that says what the file is for"


def test_no_file_is_above_16_mib() -> None:
    assert not [path for path in tracked() if path.stat().st_size > SIXTEEN_MIB]


def test_every_room_of_the_use_half_is_in_the_import_contract() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contract = next(c for c in settings["tool"]["importlinter"]["contracts"] if c["type"] == "forbidden")
    there = {path.stem for path in (ROOT / "axk1").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert set(contract["source_modules"]) == {f"axk1.{room}" for room in WITHOUT_TORCH & there}
    assert "torch" in contract["forbidden_modules"]
