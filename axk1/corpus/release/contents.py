"""What went into a release, for its card and pages."""

from dataclasses import dataclass

from axk1.corpus.release.samples import Samples
from axk1.corpus.release.settings import SourceTerms
from axk1.corpus.release.statistics import Statistics

__all__ = ["Contents"]


@dataclass
class Contents:
    """Gathered while the documents stream by."""

    statistics: Statistics
    samples: Samples
    terms: dict[str, SourceTerms]  # by source, the first that was met; documents may say otherwise
    personal: dict[str, int]  # found by the scan, by kind
    scanned: bool
    repeated: int = 0
    opted_out: int = 0
