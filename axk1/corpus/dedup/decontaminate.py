"""Decontamination: nothing of the evaluation sets stays in what is trained on."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

from axk1.corpus.dedup.held_out import EvalFile, Item, items_of_file, items_of_task
from axk1.corpus.dedup.overlap import Containment, Overlap, Runs
from axk1.corpus.dedup.passages import grown, without
from axk1.corpus.dedup.shingles import Letters, letters
from axk1.corpus.documents import Document, Reject, Scope
from axk1.runs import write_whole

__all__ = ["Contamination", "Decontaminate", "DecontaminateSettings"]

_EXAMPLE = 200  # characters of an item in the rejects


@dataclass(frozen=True)
class DecontaminateSettings:
    """What to look for, and what to do with it. Letters are counted without white space and punctuation.

    run: so many letters in a row are no accident (about 13 eojeol). run_share: and at least this share of an item, so
    that a formula of the law, 50 letters of 5,000, does not count. contained: the share of a short item's shingles,
    weighed by their rarity among the items, within a window half as long again as the item. min_letters: a shorter
    item is not looked for; everyone asks "몇 시예요?". template: runs that more items than this have are the form of
    their set.
    """

    files: tuple[EvalFile, ...] = ()
    tasks: tuple[str, ...] = ()  # plug-ins of the kind "eval_task"
    task_questions: int = 200  # of every task
    action: Literal["drop", "cut"] = "drop"
    run: int = 50
    run_share: float = 0.2
    contained: float = 0.8
    shingle: int = 5
    min_letters: int = 20
    max_letters: int = 600  # a longer item is looked for by runs only
    template: int = 10
    report: str = ""  # a JSON file that is written after every source

    def __post_init__(self) -> None:
        if min(self.run, self.shingle, self.min_letters, self.task_questions) < 1:
            raise ValueError("run, shingle, min_letters and task_questions must be at least 1")
        if not (0 <= self.run_share <= 1 and 0.5 < self.contained <= 1):
            raise ValueError("run_share must be from 0 to 1, contained above 0.5 and at most 1")


@dataclass
class Contamination:
    """Of one evaluation set: its items, those too short to look for, and those found in so many documents."""

    items: int = 0
    too_short: int = 0
    found: dict[str, int] = field(default_factory=dict)  # item id → documents

    @property
    def share(self) -> float:
        """Of the items looked for."""
        return len(self.found) / max(1, self.items - self.too_short)


class Decontaminate:
    """Documents with an evaluation item in them go, or the passages do. The rejects name set, item and share.

    Memory: the items only, about 80 bytes a letter of them; it does not grow with the corpus.
    """

    scope: ClassVar[Scope] = "corpus"  # for the report; what happens to a document depends on it alone

    def __init__(self, settings: DecontaminateSettings = DecontaminateSettings()) -> None:
        self._settings = settings
        every = [item for file in settings.files for item in items_of_file(file)]
        every += [item for name in settings.tasks for item in items_of_task(name, settings.task_questions)]
        self.contamination: dict[str, Contamination] = {}
        self._items = [item for item in every if self._is_long_enough(item)]
        codes = [item.codes for item in self._items]
        short = [one if len(one) <= settings.max_letters else None for one in codes]
        self._runs = Runs(codes, settings.run, settings.template)
        self._containment = Containment(short, settings.shingle, settings.contained)

    def __call__(self, documents: Iterator[Document], reject: Reject) -> Iterator[Document]:
        """Drops with the reason "holds an evaluation item"; a cut passage with "passage of an evaluation item"."""
        for document in documents:
            spelled = letters(document.text)
            overlaps = self._overlaps(spelled) if self._items else []
            if not overlaps:
                yield document
            elif self._settings.action == "drop":
                reject(self._noted(document, overlaps), "holds an evaluation item")
            else:
                yield from self._cut(document, spelled, overlaps, reject)
        if self._settings.report:
            write_whole(Path(self._settings.report), self.report() + "\n")

    def report(self) -> str:
        """The contamination of every evaluation set so far, as JSON."""
        sets = {name: {"share": round(one.share, 5), **asdict(one)} for name, one in self.contamination.items()}
        return json.dumps(sets, ensure_ascii=False, indent=1)

    def _is_long_enough(self, item: Item) -> bool:
        found = self.contamination.setdefault(item.set, Contamination())
        found.items += 1
        enough = len(item.codes) >= self._settings.min_letters
        found.too_short += not enough
        return enough

    def _overlaps(self, spelled: Letters) -> list[Overlap]:
        """Most of an item first."""
        runs = [one for one in self._runs.find(spelled.codes) if one.share >= self._settings.run_share]
        overlaps = runs + self._containment.find(spelled.codes)
        for number in {one.item for one in overlaps}:
            item = self._items[number]
            found = self.contamination[item.set].found
            found[item.id] = found.get(item.id, 0) + 1
        return sorted(overlaps, key=lambda one: (-one.share, one.item, one.start))

    def _noted(self, document: Document, overlaps: Sequence[Overlap]) -> Document:
        """With the item that most is there of."""
        item = self._items[overlaps[0].item]
        return document.noted(
            eval_set=item.set,
            eval_item=item.id,
            eval_text=item.text[:_EXAMPLE],
            share=round(overlaps[0].share, 3),
            items=len({one.item for one in overlaps}),
        )

    def _cut(
        self, document: Document, spelled: Letters, overlaps: Sequence[Overlap], reject: Reject
    ) -> Iterator[Document]:
        """Whole words; a document of which nothing but white space is left goes as a whole."""
        text, places = document.text, spelled.places
        spans = [grown(text, int(places[one.start]), int(places[one.end - 1]) + 1) for one in overlaps]
        rest = without(text, spans)
        if not rest.strip():
            reject(self._noted(document, overlaps), "holds an evaluation item")
            return
        for (start, end), overlap in zip(spans, overlaps, strict=True):
            passage = replace(document, text=text[start:end])
            reject(self._noted(passage, [overlap]), "passage of an evaluation item")
        yield replace(document, text=rest).noted(cut_characters=len(text) - len(rest))
