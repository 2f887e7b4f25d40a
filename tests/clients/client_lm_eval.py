"""lm-evaluation-harness through /v1/completions gives the scores of transformers' own model."""

import json
from pathlib import Path

import lm_eval
import pytest
from conftest import Server
from lm_eval.api.instance import Instance
from lm_eval.api.registry import get_model


def test_log_probabilities_equal_those_of_transformers(server: Server) -> None:
    settings = f"base_url={server.url}/v1/completions,model={server.model},tokenizer={server.folder}"
    model = get_model("local-completions").create_from_arg_string(f"{settings},tokenizer_backend=huggingface")
    rows = [
        json.loads(line) for line in (server.folder / "scores.jsonl").read_text(encoding="utf-8").split("\n") if line
    ]
    asked = [
        Instance("loglikelihood", {}, (row["question"], answer), number)
        for row in rows
        for number, answer in enumerate(row["choices"])
    ]
    found = model.loglikelihood(asked)
    expected = [score for row in rows for score in row["scores"]]
    assert [score for score, _ in found] == pytest.approx(expected, abs=1e-3)
    assert lm_eval.__version__
    assert Path(server.folder).is_dir()
