"""`axk1 eval --against` and `axk1 quantize --compare` against KL divergence written out from the back end's logits."""

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from axk1.checkpoint import CheckpointFolder
from axk1.cli import main
from axk1.engine.backend import Batch
from axk1.engine.reference import ReferenceBackend
from axk1.export.quantize import REPORT
from axk1.tokenizer.tokenizer import Tokenizer
from axk1.tokenizer.train import train

LINES = ["거실 불을 켜 줘.", "온도는 23도예요. 네, 거실 불을 켰어요."]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    lines = "".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in LINES)
    (tmp_path / "text.jsonl").write_text(lines, encoding="utf-8")
    return tmp_path / "text.jsonl"


def log_probabilities(folder: Path, ids: list[int]) -> npt.NDArray[np.float64]:
    """Of the token after each id, by the NumPy back end itself."""
    backend = ReferenceBackend(CheckpointFolder(folder), 8, 16)
    count = len(ids)
    arrays = (ids, [0, count], [0])
    blocks, wanted = np.arange(8, dtype=np.int32)[None], np.arange(count, dtype=np.int32)
    logits = backend.logits(Batch(*(np.array(one, np.int32) for one in arrays), blocks, wanted)).astype(np.float64)
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


@pytest.mark.parametrize("verb", ["eval", "quantize"])
def test_the_figures_are_those_of_the_logits(
    verb: str, small_model: Path, small_int4: Path, small_tokenizer: Tokenizer, text: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if verb == "eval":
        command = [verb, str(small_int4), "--against", str(small_model), "--text", str(text)]
    else:
        formats = ["--experts", "int4-g32", "--head", "int8"]
        command = [verb, str(small_model), str(tmp_path / "out"), *formats, "--compare", str(text)]
    assert main([*command, "--backend", "reference", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["texts" if verb == "eval" else "compared"]
    kl, nats = [], []
    for line in LINES:
        ids = [0, *small_tokenizer.encode(line)]
        p, q = (log_probabilities(folder, ids[:-1]) for folder in (small_model, small_int4))
        kl += list((np.exp(p) * (p - q)).sum(1))
        nats += [-q[place, token] for place, token in enumerate(ids[1:])]
    assert found["tokens"] == len(kl)
    assert found["bytes"] == sum(len(line.encode()) for line in LINES)
    assert found["mean_kl"] == pytest.approx(np.mean(kl), rel=1e-4)
    assert found["mean_kl"] > 1e-4
    assert found["kl_99"] == pytest.approx(np.percentile(kl, 99), rel=1e-4)
    assert found["model"]["perplexity"] == pytest.approx(np.exp(np.mean(nats)), rel=1e-4)
    if verb == "quantize":
        written = json.loads((tmp_path / "out" / REPORT).read_text(encoding="utf-8"))
        assert written["compared"] == [found]
        assert written["parts"]["attention"]["format"] == "int8"


@pytest.mark.parametrize("backend", ["reference", "auto"])
def test_a_folder_beside_itself(backend: str, small_int4: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["eval", str(small_int4), "--against", str(small_int4), "--text", str(text), "--backend", backend]
    assert main([*command, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["texts"]
    assert abs(found["mean_kl"]) < 1e-6
    assert found["agreement"] == 1
    assert found["model"] == pytest.approx(found["reference"], rel=1e-6)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_table_for_people(
    language: str, small_model: Path, small_int4: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", str(small_int4), "--against", str(small_model), "--text", str(text), "--lang", language]
    assert main([*command, "--out", str(tmp_path / "report")]) == 0
    assert ("혼란도" if language == "ko" else "perplexity") in capsys.readouterr().out
    assert json.loads((tmp_path / "report/divergence.json").read_text(encoding="utf-8"))["texts"][0]["documents"] == 2


def test_folders_with_other_tokens_cannot_be_compared(
    small_model: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(small_model, tmp_path / "other")
    command = ["eval", str(tmp_path / "other"), "--against", str(small_model), "--text", str(text)]
    train(["전혀 다른 글입니다. 하늘과 바다"] * 4, 340).save(tmp_path / "other")
    assert main(command) == 2
    assert "different tokenizers" in capsys.readouterr().err
    (tmp_path / "other/tokenizer.json").unlink()
    assert main(command) == 2
    assert "a folder has none" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "IN", "--against", "IN"], "give --text"),
        (["eval", "IN", "--against", "IN", "--text", "TEXT", "--task", "sum2"], "no --task"),
        (["eval", "IN", "--against", "IN", "--text", "gone.txt"], "gone.txt: no such file"),
        (["quantize", "IN", "OUT", "--experts", "int4-g32", "--compare", "gone.txt"], "gone.txt: no such file"),
        (["quantize", "--random", "nano", "OUT", "--compare", "TEXT"], "random weights have no source"),
    ],
)
def test_mistakes_are_one_line_and_found_before_the_work(
    arguments: list[str], message: str, small_model: Path, text: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    places = {"IN": str(small_model), "OUT": str(tmp_path / "out"), "TEXT": str(text)}
    assert main([*(places.get(one, one) for one in arguments), "--lang", "en"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
