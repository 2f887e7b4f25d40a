"""The data card in English and Korean, from one template a language, with the front matter that hubs read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from axk1.corpus.measure import Amount
from axk1.corpus.release.contents import Contents
from axk1.corpus.release.provenance import Provenance
from axk1.corpus.release.settings import ReleaseSettings

__all__ = ["CARDS", "card", "templates"]

CARDS: Mapping[str, str] = {"README.md": "card.en.md.jinja", "README.ko.md": "card.ko.md.jinja"}
"""The cards' files and the templates that they are made from."""

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LARGEST = "n>10M"
_ON_HUBS = frozenset(
    {"apache-2.0", "mit", "cc0-1.0", "cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "pddl"}
)


def templates(*, html: bool) -> Environment:
    """The room's templates; in those for HTML every value is escaped."""
    loader = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=loader, autoescape=html, undefined=StrictUndefined, keep_trailing_newline=True)


def card(settings: ReleaseSettings, contents: Contents, provenance: Provenance, template: str) -> str:
    """The card as Markdown."""
    statistics = contents.statistics
    return (
        templates(html=False)
        .get_template(template)
        .render(
            settings=settings,
            front=_front_matter(settings, statistics.by("license"), statistics.by("split"), statistics.total),
            total=statistics.total,
            splits=statistics.by("split"),
            sources=statistics.by("source"),
            terms=contents.terms,
            licenses=statistics.by("license"),
            contents=contents,
            provenance=provenance,
            cell=_cell,
        )
    )


def _front_matter(
    settings: ReleaseSettings, licenses: Mapping[str, Amount], splits: Mapping[str, Amount], total: Amount
) -> str:
    """YAML, whose values are written as JSON: that is YAML too, and needs no second set of quoting rules."""
    values: dict[str, Any] = {
        **_licence(list(licenses)),
        "language": ["ko", "en"],
        "pretty_name": settings.name,
        "task_categories": ["text-generation"],
        "size_categories": [next((name for limit, name in _SIZES if total.documents < limit), _LARGEST)],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": f"data/{split}-*.parquet"} for split in splits],
            }
        ],
    }
    return "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())


def _licence(expressions: list[str]) -> dict[str, str]:
    """Hubs know some licences by name; anything else, and a mixture, is "other" with a link to the file that tells."""
    if len(expressions) == 1 and expressions[0].lower() in _ON_HUBS:
        return {"license": expressions[0].lower()}
    return {"license": "other", "license_name": "per-document", "license_link": "licenses.json"}


def _cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|").replace("\n", " ")
