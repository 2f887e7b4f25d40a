"""A page of samples that needs no server: one HTML file with the documents inside, in Korean and English."""

import json

from axk1.corpus.release.card import templates
from axk1.corpus.release.samples import Samples
from axk1.corpus.release.settings import ReleaseSettings
from axk1.corpus.release.statistics import Statistics

__all__ = ["viewer"]

_LONGEST = 4000  # characters of a document on the page
_SHOWN = ("id", "source", "split", "license", "attribution", "url", "metadata")


def viewer(settings: ReleaseSettings, statistics: Statistics, samples: Samples) -> str:
    """The page. Texts are data in it, never markup."""
    documents = [
        {
            "text": row["text"][:_LONGEST],
            "cut": max(len(row["text"]) - _LONGEST, 0),
            **{key: row[key] for key in _SHOWN},
        }
        for row in samples.chosen()
    ]
    # "</script>" in a text must not end the block it lies in
    data = json.dumps(documents, ensure_ascii=False).replace("<", "\\u003c")
    sources = statistics.by("source")
    largest = max(amount.bytes for amount in sources.values())
    return (
        templates(html=True)
        .get_template("viewer.html.jinja")
        .render(settings=settings, total=statistics.total, sources=sources, largest=largest, data=data)
    )
