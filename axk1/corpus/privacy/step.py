"""The corpus step `privacy`: finds personal data in each document and does with it what the policy of its kind says.

Give it before the steps that drop documents, right after `nfc`: what an earlier step drops lies in the rejects as it
was.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from typing import ClassVar

from axk1.corpus.documents import Document, Fact, Reject, Scope
from axk1.corpus.privacy.finding import FOUND, SPANS, Finding, Recogniser, settle
from axk1.corpus.privacy.policy import PrivacySettings, masked, replacer, rewritten
from axk1.registry import load

__all__ = ["Privacy"]

_DEFAULT = PrivacySettings()


class Privacy:
    """Documents leave with the found values replaced, and with counts and places in their metadata.

    ValueError for a wrong key file or an unknown recogniser.
    """

    scope: ClassVar[Scope] = "document"

    def __init__(self, settings: PrivacySettings = _DEFAULT) -> None:
        self._settings = settings
        self._recognisers = [_made(name, settings) for name in settings.recognizers]
        self._replacers = replacer(settings)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "holds <kind>" where that is the kind's policy; the rejected document is masked."""
        for document in documents:
            found = self._found(document.text)
            facts = {key: self._found(value) for key, value in _texts(document)}
            kinds = [one.kind for one in chain(found, *facts.values())]
            if not kinds:
                yield document
            elif forbidden := [kind for kind in kinds if self._settings.policy_of(kind) == "drop"]:
                reject(self._treated(document, found, facts, self._masked), f"holds {forbidden[0]}")
            else:
                yield self._treated(document, found, facts, self._replaced)

    def _found(self, text: str) -> list[Finding]:
        return settle(chain.from_iterable(recognise(text) for recognise in self._recognisers))

    def _treated(
        self,
        document: Document,
        found: list[Finding],
        facts: dict[str, list[Finding]],
        change: Callable[[Finding, str, str], str | None],
    ) -> Document:
        text, places = self._changed(document.text, found, document.id, change)
        metadata: dict[str, Fact] = dict(document.metadata)
        for key, there in facts.items():
            metadata[key], _ = self._changed(str(metadata[key]), there, document.id, change)
        counts = Counter(one.kind for one in chain(found, *facts.values()))
        metadata |= {FOUND + kind: count for kind, count in sorted(counts.items())}
        spans = " ".join(f"{one.kind}:{self._settings.policy_of(one.kind)}:{one.start}-{one.end}" for one in places)
        return replace(document, text=text, metadata={**metadata, **({SPANS: spans} if spans else {})})

    def _changed(
        self, text: str, found: list[Finding], scope: str, change: Callable[[Finding, str, str], str | None]
    ) -> tuple[str, list[Finding]]:
        return rewritten(text, ((one, change(one, text[one.start : one.end], scope) or "") for one in found))

    def _replaced(self, one: Finding, value: str, document: str) -> str:
        policy = self._settings.policy_of(one.kind)
        if policy == "keep":
            return value
        return self._replacers[policy](one.kind, value, document if self._settings.scope == "document" else "")

    def _masked(self, one: Finding, value: str, _document: str) -> str:
        return value if self._settings.policy_of(one.kind) == "keep" else masked(one.kind)


def _texts(document: Document) -> Iterator[tuple[str, str]]:
    return ((key, value) for key, value in document.metadata.items() if isinstance(value, str) and key != SPANS)


def _made(name: str, settings: PrivacySettings) -> Recogniser:
    make = load("privacy_recogniser", name)
    takes = "spoken_digits" in inspect.signature(make).parameters
    made: Recogniser = make(spoken_digits=settings.spoken_digits) if takes else make()
    return made
