"""Where morphemes begin, by Kiwi (package `kiwipiepy`, extra `study`). To study tokenizers; none needs it to run."""

import importlib
from collections.abc import Callable

__all__ = ["morpheme_starts"]


def morpheme_starts() -> Callable[[str], frozenset[int]]:
    """A function from a text to the characters that a morpheme begins with. ValueError without the package.

    Where a syllable holds the end of one morpheme and the begin of the next (합니다), there is no such character.
    """
    try:
        library = importlib.import_module("kiwipiepy")
    except ModuleNotFoundError as error:
        raise ValueError("morphemes need a package: pip install kiwipiepy") from error
    analyser = library.Kiwi(num_workers=1)

    def starts(text: str) -> frozenset[int]:
        found, end = set(), 0
        for morpheme in sorted(analyser.tokenize(text), key=lambda one: (one.start, one.end)):
            if morpheme.start >= end:
                found.add(morpheme.start)
            end = max(end, morpheme.end)
        return frozenset(found)

    return starts
