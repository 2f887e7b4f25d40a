"""The pages' tables are complete and their links lead somewhere."""

import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from axk1.arch import PRESETS, facts
from axk1.cli.recipe import Recipe
from axk1.corpus.curriculum import FAMILIES
from axk1.corpus.synthesis.budget import Budget
from axk1.corpus.synthesis.rules import RULES, Checks
from axk1.corpus.synthesis.settings import Judge, Model, Passages, SynthesisConfig, Task

DOCS = Path(__file__).parents[2] / "docs"
PACKAGE = DOCS.parent / "axk1/corpus/synthesis"
SHARED = ("model", "training")  # tables of pretrain.toml and sft.toml alike
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \|$", re.MULTILINE)


def rows(page: str) -> dict[str, list[str]]:
    """The tables' rows whose first cell is code, by that code."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {name: cells.split(" | ") for name, cells in ROW.findall(text)}


def keys(cls: type, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every key of a settings class, and its default as the page shows it; what several stages share stands once."""
    hints = get_type_hints(cls)
    for field in dataclasses.fields(cls):
        nested = [kind for kind in (hints[field.name], *get_args(hints[field.name])) if dataclasses.is_dataclass(kind)]
        name = field.name if nested and field.name in SHARED else f"{prefix}{field.name}"
        if nested:
            yield from keys(nested[0], f"{name}.")
        elif prefix:
            yield name, shown(field)


def shown(field: "dataclasses.Field[Any]") -> str:
    if field.default is not dataclasses.MISSING:
        default = field.default
    elif field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    else:
        return "required"
    return "" if default in (None, "", {}) else f"`{json.dumps(default, ensure_ascii=False)}`"


def test_every_recipe_key_is_in_the_table_with_its_default() -> None:
    assert {name: cells[0] for name, cells in rows("rooms/recipes.md").items()} == dict(keys(Recipe))


def test_every_family_is_in_the_table_with_its_title() -> None:
    table = {name: cells[0] for name, cells in rows("rooms/corpus.md").items() if name in FAMILIES}
    assert table == {family.name: family.title_ko for family in FAMILIES.values()}


def test_every_preset_is_in_the_table_with_its_figures() -> None:
    figures = {name: facts(config, name) for name, config in PRESETS.items()}
    assert {name: cells[:3] for name, cells in rows("rooms/arch.md").items()} == {
        name: [f"{one.parameters:,}", f"{one.active_parameters:,}", f"{one.kv_cache_bytes['bf16']:,} B"]
        for name, one in figures.items()
    }


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_every_key_of_a_synthesis_is_in_its_table() -> None:
    page = (DOCS / "rooms/synthesis.md").read_text(encoding="utf-8").partition("## Keys")[2]
    shown = set(re.findall(r"`([a-z_.]+)`", "\n".join(row.split("|")[1] for row in page.split("\n") if "|" in row)))
    parts = {"model": Model, "budget": Budget, "passages": Passages, "judge": Judge, "tasks": Task, "checks": Checks}
    known = {f"{name}.{field.name}" for name, kind in parts.items() for field in dataclasses.fields(kind)}
    known |= {field.name for field in dataclasses.fields(SynthesisConfig)}
    assert shown == known - set(parts) - {"tasks.checks"}


def test_every_reason_of_a_synthesis_is_in_its_table_and_no_other() -> None:
    page = (DOCS / "rooms/synthesis.md").read_text(encoding="utf-8")
    table = page.partition("## What is not kept")[2].partition("## Provenance")[0]
    shown = set(re.findall(r"`([^`]+)`", "\n".join(row.split("|")[1] for row in table.split("\n") if "|" in row)))
    code = "".join((PACKAGE / name).read_text(encoding="utf-8") for name in ("rules.py", "writing.py"))
    assert {reason for reason in shown - {"quality", "nearly a copy"} if f'"{reason}"' not in code} == set()
    assert {found for rule in RULES for found in re.findall(r'"([a-z ]+)"', rule.__doc__ or "")} <= shown
