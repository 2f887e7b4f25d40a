"""What is done with each kind of finding."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from axk1.corpus.privacy.fake import Pseudonyms
from axk1.corpus.privacy.finding import LABELS, Finding
from axk1.corpus.privacy.keys import derived, read_key

__all__ = ["POLICIES", "PrivacySettings", "Replace", "masked", "replacer", "rewritten"]

POLICIES = ("keep", "mask", "pseudonymise", "reversible", "drop")
_KEPT = frozenset({"business_number", "corporate_number", "service_phone", "coordinates"})  # of firms and places
_KEYED = frozenset({"pseudonymise", "reversible"})

Replace = Callable[[str, str, str], str]
"""(kind, value, scope) → what stands in the text instead."""


@dataclass(frozen=True)
class PrivacySettings:
    """The options of the step `privacy`.

    policies: per kind keep, mask, pseudonymise, reversible or drop (the document); kinds not named are masked, and
    numbers of firms, service lines and coordinates kept. scope: whether one value has one pseudonym or token within a
    "document" or in the whole "corpus". key_file: 64 hexadecimal digits, for pseudonymise and reversible.
    recognizers: plug-ins of the kind "privacy_recogniser". spoken_digits: also find 공일공 일이삼사.
    """

    policies: Mapping[str, str] = field(default_factory=dict)
    scope: str = "document"
    key_file: str = ""
    recognizers: tuple[str, ...] = ("rules",)
    spoken_digits: bool = False

    def __post_init__(self) -> None:
        for kind, policy in self.policies.items():
            if kind not in LABELS:
                raise ValueError(f"policies: no kind {kind!r}; known: {', '.join(LABELS)}")
            if policy not in POLICIES:
                raise ValueError(f"policies.{kind}: no policy {policy!r}; known: {', '.join(POLICIES)}")
        if self.scope not in ("document", "corpus"):
            raise ValueError(f'scope must be "document" or "corpus", found {self.scope!r}')
        if not self.recognizers:
            raise ValueError("recognizers is empty: nothing would be found")
        if not self.key_file and (keyed := _KEYED.intersection(self.policies.values())):
            raise ValueError(f"policy {min(keyed)} needs a key_file (axk1 corpus new-key FILE makes one)")

    def policy_of(self, kind: str) -> str:
        """What is done with this kind."""
        return self.policies.get(kind, "keep" if kind in _KEPT else "mask")


def masked(kind: str, _value: str = "", _scope: str = "") -> str:
    """<주민등록번호> and so on."""
    return f"<{LABELS[kind]}>"


def replacer(settings: PrivacySettings) -> Mapping[str, Replace]:
    """A function per policy that the settings use; the key file is read here. ValueError, OSError for a bad one."""
    functions: dict[str, Replace] = {"mask": masked}
    if _KEYED.intersection(settings.policies.values()):
        key = read_key(Path(settings.key_file))
        functions["pseudonymise"] = Pseudonyms(derived(key, "pseudonym")).of
        if "reversible" in settings.policies.values():
            functions["reversible"] = _sealer(key).seal
    return functions


def _sealer(key: bytes) -> Any:
    try:
        return import_module("axk1.corpus.privacy.seal").Sealer(key)
    except ModuleNotFoundError as error:
        raise ValueError('policy reversible needs the package cryptography: pip install "axk1[privacy]"') from error


def rewritten(text: str, replaced: Iterable[tuple[Finding, str]]) -> tuple[str, list[Finding]]:
    """The text with each finding (by position, none overlapping) replaced, and where the replacements lie in it."""
    parts: list[str] = []
    places: list[Finding] = []
    taken = length = 0
    for finding, new in replaced:
        parts += (text[taken : finding.start], new)
        start = length + finding.start - taken
        length, taken = start + len(new), finding.end
        places.append(Finding(finding.kind, start, length))
    return "".join((*parts, text[taken:])), places
