"""What the README tells people to type exists."""

import re
from pathlib import Path

import pytest

from axk1.cli import VERBS

ROOT = Path(__file__).parents[2]
READMES = sorted(ROOT.glob("README*.md")) + sorted((ROOT / "docs").rglob("*.md"))
BLOCK = re.compile(r"^```(?:sh|bash|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def commands(path: Path) -> list[str]:
    lines = "\n".join(BLOCK.findall(path.read_text(encoding="utf-8"))).split("\n")
    return [line.removeprefix("$ ").strip() for line in lines if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("path", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_exists(path: Path) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in commands(path):
        words = command.split()
        if words[0] == "make":
            assert words[1] in targets, command
        if words[0].endswith("axk1") and len(words) > 1 and not words[1].startswith("-"):
            assert words[1] in VERBS, command
        for word in words:
            if re.match(r"(recipes|examples|benchmarks|docs)/[\w./-]+$", word):
                assert (ROOT / word).exists(), command


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_the_two_commands_stand_on_the_first_screen(name: str) -> None:
    first_screen = "\n".join((ROOT / name).read_text(encoding="utf-8").split("\n")[:40])
    assert "make quickstart" in first_screen
    assert "make test" in first_screen


def test_the_page_of_the_command_lists_every_verb() -> None:
    page = (ROOT / "docs/rooms/cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)[: len(VERBS)] == list(VERBS)
