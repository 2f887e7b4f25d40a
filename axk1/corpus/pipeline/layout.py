"""Where everything of a pipeline lies in its folder.

    pipeline.json                       settings and plan
    parts/part-00000.jsonl.zst …        the result: documents in their order
    rejects/0-00000.jsonl.zst …         dropped documents with the reason, per phase and task
    samples/0-00000.jsonl.zst …         documents to look at, per phase and task
    done/0-00000.json …                 a task that is finished: its counts
    work/0/part-00000.jsonl.zst …       between two phases; removed when the later one is finished
    report.json

A task writes its files whole, and its marker in done/ last: without it the task begins again and gives the same bytes.
"""

import os
import shutil
import uuid
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from axk1.runs import whole_file

__all__ = ["Layout", "written_whole"]


@dataclass(frozen=True)
class Layout:
    """The paths in the folder of a pipeline of so many phases and parts."""

    folder: Path
    phases: int
    parts: int

    def part(self, phase: int, part: int) -> Path:
        """The documents of one part after this phase."""
        last = phase == self.phases - 1
        folder = self.folder / "parts" if last else self.folder / "work" / str(phase)
        return folder / f"part-{part:05d}.jsonl.zst"

    def rejects(self, phase: int, task: int) -> Path:
        """What the task dropped."""
        return self.folder / "rejects" / f"{phase}-{task:05d}.jsonl.zst"

    def samples(self, phase: int, task: int) -> Path:
        """What the task kept to be looked at."""
        return self.folder / "samples" / f"{phase}-{task:05d}.jsonl.zst"

    def marker(self, phase: int, task: int) -> Path:
        """There when the task is finished."""
        return self.folder / "done" / f"{phase}-{task:05d}.json"

    def begin(self) -> None:
        """Create the folders; what a killed process left half written goes."""
        for name in ("parts", "rejects", "samples", "done", *(f"work/{phase}" for phase in range(self.phases - 1))):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.sweep()

    def sweep(self) -> None:
        """Remove what tasks that no longer run have left half written."""
        for leftover in self.folder.rglob(".*.partial"):
            leftover.unlink(missing_ok=True)

    def end_phase(self, phase: int) -> None:
        """Remove the documents that the phase, now finished, has read."""
        if phase:
            shutil.rmtree(self.folder / "work" / str(phase - 1), ignore_errors=True)
            if phase == self.phases - 1:
                shutil.rmtree(self.folder / "work", ignore_errors=True)


def written_whole(path: Path) -> AbstractContextManager[Path]:
    """A file of a task. Its unfinished form has a name of its own, in case the task runs twice at the same time."""
    return whole_file(path, f".{os.getpid()}-{uuid.uuid4().hex[:8]}")
