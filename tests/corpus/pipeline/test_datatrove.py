"""datatrove's blocks as our steps, our steps as its blocks, and its executors."""

import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from axk1.config import ConfigError
from axk1.corpus.documents import Document
from axk1.corpus.pipeline.phases import phases_of
from axk1.corpus.pipeline.pipeline import run_pipeline
from axk1.corpus.pipeline.settings import PipelineConfig
from axk1.corpus.source import Source
from axk1.corpus.steps import make_step
from pipeline_folders import contents, lines, write_jsonl

pytest.importorskip("datatrove")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

FILTERS = "datatrove.pipeline.filters"
PARAGRAPHS = {"name": "datatrove", "block": f"{FILTERS}:C4ParagraphFilter"}


def _through(entry, documents):
    dropped = []
    kept = make_step(entry)(iter(documents), lambda document, reason: dropped.append((document, reason)))
    return list(kept), dropped


def test_a_filter_drops_with_its_reason_and_leaves_the_documents_as_they_were():
    long = "\n".join(["가" * 200] * 3)
    documents = [
        Document("짧다", "1", "s"),
        Document(long, "1", "s").noted(license="CC0", n=1),
        Document("x", "3", "s"),
    ]
    kept, dropped = _through(PARAGRAPHS, documents)
    assert kept == [documents[1]]
    assert dropped == [(documents[0], "< 3 paragraphs"), (documents[2], "< 3 paragraphs")]


def test_options_and_a_block_that_changes_texts():
    entry = {"name": "datatrove", "block": "datatrove.pipeline.formatters:SymbolLinesFormatter"}
    documents = [Document("가\n|||\n나", "1", "s").noted(n=1)]
    kept, dropped = _through({**entry, "options": {"symbols_to_remove": ["|"], "replace_char": ""}}, documents)
    assert (kept[0].text, dict(kept[0].metadata), dropped) == ("가\n나", {"n": 1}, [])


def test_documents_that_a_block_swallows_are_dropped_with_its_name():
    entry = {"name": "datatrove", "block": f"{FILTERS}:SamplerFilter", "options": {"rate": 0.5, "seed": 1}}
    documents = [Document(f"글 {number}", "same id", "s") for number in range(100)]
    kept, dropped = _through(entry, documents)
    assert 20 < len(kept) < 80
    assert Counter(one.text for one in kept) + Counter(one.text for one, _ in dropped) == Counter(
        one.text for one in documents
    )
    assert {reason for _, reason in dropped} == {"🎲 Sampler"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "name a block"),
        ({"block": "datatrove.pipeline.filters:NoFilter"}, "NoFilter"),
        ({"block": "no.such.module:Filter"}, "No module named 'no'"),
        ({"block": f"{FILTERS}:C4ParagraphFilter", "options": {"size": 1}}, "unexpected keyword argument 'size'"),
        ({"block": "collections:Counter"}, "is no block of a datatrove pipeline"),
    ],
)
def test_a_wrong_block_is_one_clear_error(settings, message):
    with pytest.raises(ConfigError, match=message):
        make_step({"name": "datatrove", **settings})


def test_blocks_are_named_in_reports_and_run_side_by_side():
    (phase,) = phases_of(["nfc", PARAGRAPHS])
    assert phase.labels == ("nfc", "C4ParagraphFilter")


def test_our_steps_between_datatroves_readers_and_writers(tmp_path):
    from datatrove.executor.local import LocalPipelineExecutor
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    from axk1.corpus.pipeline.datatrove_step import StepBlock, blocks

    write_jsonl(tmp_path / "a.jsonl", ["한\r\n줄", " ", "한\n줄", "둘"])
    excluded = JsonlWriter(str(tmp_path / "excluded"), compression=None)
    steps = [*blocks(["newlines", "drop_empty"]), StepBlock("exact_dedup", excluded)]
    pipeline = [
        JsonlReader(str(tmp_path), glob_pattern="a.jsonl"),
        *steps,
        JsonlWriter(str(tmp_path / "out"), compression=None),
    ]
    LocalPipelineExecutor(pipeline, tasks=1, workers=1, logging_dir=str(tmp_path / "logs")).run()
    written = [json.loads(line) for line in (tmp_path / "out/00000.jsonl").read_text("utf-8").strip().split("\n")]
    assert [one["text"] for one in written] == ["한\n줄", "둘"]
    assert '"filter_reason":"seen before"' in (tmp_path / "excluded/00000.jsonl").read_text("utf-8")


def test_a_step_that_remembers_refuses_to_run_in_many_datatrove_tasks():
    from axk1.corpus.pipeline.datatrove_step import StepBlock

    with pytest.raises(ValueError, match="exact_dedup remembers across documents: run it with one task"):
        list(StepBlock("exact_dedup").run(iter([]), 0, 2))


def _config(texts: Path, **cluster) -> PipelineConfig:
    source = Source(str(texts), name="s")
    return PipelineConfig((source,), ("newlines", "drop_empty", "exact_dedup", "nfc"), tasks=2, cluster=cluster)


def test_datatroves_executor_gives_the_same_bytes(texts, tmp_path):
    from axk1.corpus.pipeline.cluster import run_on_cluster

    run_pipeline(_config(texts), tmp_path / "ours")
    run_on_cluster(_config(texts), tmp_path / "theirs", "datatrove", 1)
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    assert (tmp_path / "theirs/report.json").exists()
    assert not (tmp_path / "theirs/work").exists()


def test_missing_and_unknown_options_of_an_executor_are_named(texts, tmp_path):
    from axk1.corpus.pipeline.cluster import run_on_cluster

    with pytest.raises(ValueError, match=r"cluster: slurm needs time, partition: write them under \[cluster\]"):
        run_on_cluster(_config(texts), tmp_path / "out", "slurm", 1)
    with pytest.raises(ValueError, match="cluster: slurm has no option 'memory'"):
        run_on_cluster(_config(texts, memory=1, time="1:00:00", partition="cpu"), tmp_path / "out", "slurm", 1)


SBATCH = """#!/bin/bash
# Runs every element of the job array at once, in the order in which jobs are handed in.
script="${@: -1}"
array=$(sed -n 's/^#SBATCH --array=\\([0-9]*\\)-\\([0-9]*\\).*/\\1 \\2/p' "$script")
for id in $(seq $array); do
  SLURM_ARRAY_TASK_ID=$id SLURM_JOB_ID=7 SLURM_NODEID=0 SLURM_NODELIST=localhost \\
    SLURM_NNODES=1 SLURM_CPUS_PER_TASK=1 SLURM_MEM_PER_CPU=2048 bash "$script" >> "$SLURM_LOG" 2>&1 || exit 1
done
echo "$*" >> "$SLURM_LOG.calls"
echo "Submitted batch job 7"
"""
SRUN = '#!/bin/bash\nshift 3\nexec "$@"\n'


@pytest.mark.slow
def test_a_cluster_of_slurm_gives_the_same_bytes(texts, tmp_path, monkeypatch):
    """With an sbatch that runs the jobs on the spot."""
    from axk1.corpus.pipeline.cluster import run_on_cluster

    (tmp_path / "bin").mkdir()
    for name, script in (("sbatch", SBATCH), ("srun", SRUN), ("scontrol", "#!/bin/bash\necho localhost\n")):
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_LOG", str(tmp_path / "slurm.log"))
    monkeypatch.chdir(tmp_path)
    run_pipeline(_config(texts), tmp_path / "ours")
    run_on_cluster(_config(texts, time="1:00:00", partition="cpu"), tmp_path / "theirs", "slurm", 2)
    assert (tmp_path / "slurm.log.calls").read_text().count("--export") == 4, "three phases and the report"
    assert contents(tmp_path / "ours") == contents(tmp_path / "theirs")
    assert len(list(lines(tmp_path / "theirs/parts"))) == 430
