import json
from pathlib import Path

import pytest

from axk1.arch import ModelConfig, preset
from axk1.cli import main

torch = pytest.importorskip("torch")

from axk1.export.huggingface import save  # noqa: E402
from axk1.model import Transformer  # noqa: E402
from axk1.tokenizer.train import train  # noqa: E402

SHAPE = {"hidden_size": 32, "intermediate_size": 48, "moe_intermediate_size": 16, "num_hidden_layers": 2}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same random model with and without a tokenizer."""
    root = tmp_path_factory.mktemp("generate")
    tokenizer = train(["거실 불을 켜 줘. 네, 켰어요."] * 4, 320)
    torch.manual_seed(0)
    config = ModelConfig(**{**vars(preset("nano")), **SHAPE, "vocab_size": 320, "max_position_embeddings": 64})
    state = Transformer(config).state_dict()
    save(state, config, root / "text", tokenizer.files())
    save(state, config, root / "ids", {})
    return root / "text", root / "ids"


def test_text_and_json_agree(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["generate", str(folders[0]), "--prompt", "거실", "--max-tokens", "8", "--ignore-eos"]
    assert main(asked) == 0
    shown = capsys.readouterr().out
    assert main([*asked, "--json", "--logprobs", "2"]) == 0
    output = json.loads(capsys.readouterr().out)
    assert output["text"] + "\n" == shown
    assert len(output["token_ids"]) == len(output["logprobs"]) == 8
    assert output["finish_reason"] == "length"


def test_speculation_is_counted_and_changes_nothing(
    folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["generate", str(folders[1]), "--ids", "5 6 7 5 6 7 5 6", "--max-tokens", "30", "--ignore-eos", "--json"]
    found = []
    for way in ("off", "lookup", "auto"):
        assert main([*asked, "--speculation", way]) == 0
        found.append(json.loads(capsys.readouterr().out))
    counts = [(one.pop("drafted_tokens"), one.pop("accepted_tokens")) for one in found]
    assert counts[0] == (0, 0)
    assert counts[1] == counts[2]
    assert counts[1][0] > 0
    assert found[0] == found[1] == found[2]


def test_ids_go_in_and_out_without_a_tokenizer(folders: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(folders[1]), "--ids", "1 2,3", "--ids", "4", "--max-tokens", "3", "--ignore-eos"]) == 0
    assert [len(line.split()) for line in capsys.readouterr().out.strip().split("\n")] == [3, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --prompt or --ids"),
        (["--ids", "1 a"], "--ids wants token ids"),
        (["--prompt", "a"], "the folder has no tokenizer"),
        (["--ids", "1", "--temperature", "-1"], "temperature must be 0 or more"),
        (["--ids", "1", "--speculation", "mtp"], "no MTP layer that this back end can draft with"),
        (["--ids", "1", "--backend", "warp"], "unknown engine_backend 'warp'"),
        (["--ids", "400"], "token id 400 is outside"),
    ],
)
def test_mistakes_are_one_line(
    folders: tuple[Path, Path], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", "en", "generate", str(folders[1]), *arguments]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
