"""What the step `privacy` found in a corpus: counts per kind, source and policy, for the report of a data release."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from axk1.corpus.documents import Document
from axk1.corpus.privacy.finding import FOUND, SPANS, settle
from axk1.corpus.privacy.policy import PrivacySettings
from axk1.corpus.privacy.rules import Rules

__all__ = ["PrivacyReport", "personal_data", "privacy_report"]

_RULES, _DEFAULT = Rules(), PrivacySettings()


@dataclass(frozen=True)
class PrivacyReport:
    """documents: all, and affected: with a finding. found: per kind; by_source: per source and kind; treated: per kind
    and policy, of the texts (metadata values are in `found` only). No value and no place is in here."""

    documents: int
    affected: int
    found: Mapping[str, int]
    by_source: Mapping[str, Mapping[str, int]]
    treated: Mapping[str, Mapping[str, int]]


def personal_data(text: str) -> dict[str, int]:
    """How much of each kind the rules find in a text, without the kinds that the default policy keeps."""
    kinds = Counter(one.kind for one in settle(_RULES(text)))
    return {kind: count for kind, count in sorted(kinds.items()) if _DEFAULT.policy_of(kind) != "keep"}


def privacy_report(documents: Iterable[Document]) -> PrivacyReport:
    """Counted from the metadata that the step left, streamed: the kept documents of a build, or its rejects."""
    total = affected = 0
    by_source: dict[str, Counter[str]] = {}
    treated: dict[str, Counter[str]] = {}
    for document in documents:
        total += 1
        counts = {key[len(FOUND) :]: int(value) for key, value in document.metadata.items() if key.startswith(FOUND)}
        affected += bool(counts)
        if counts:
            by_source.setdefault(document.source, Counter()).update(counts)
        for span in str(document.metadata.get(SPANS, "")).split():
            kind, policy, _ = span.split(":")
            treated.setdefault(kind, Counter())[policy] += 1
    found = sum(by_source.values(), Counter[str]())
    return PrivacyReport(total, affected, dict(found.most_common()), by_source, treated)
