"""A recipe in stages, with held-out files and a tokenizer of its own, from text to a pre-trained model."""

import json
import random
from pathlib import Path

import pytest

pytest.importorskip("torch")

from axk1.cli import main

TINY = Path(__file__).parent / "tiny"
WORDS = ("나무", "바람", "강", "산", "하늘", "구름", "비", "눈", "길", "집", "마을", "사람", "노래", "아침", "저녁")


def write(path: Path, documents: int, seed: int) -> None:
    rng = random.Random(seed)
    lines = (json.dumps({"text": " ".join(rng.choices(WORDS, k=40))}, ensure_ascii=False) for _ in range(documents))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def recipe(folder: Path, stages: str, tokenizer: str = "") -> Path:
    folder.mkdir()
    for stage in ("corpus", "tokenizer", "pretrain"):
        (folder / f"{stage}.toml").write_text(f'extends = "{TINY / stage}.toml"\n', encoding="utf-8")
    with open(folder / "corpus.toml", "a", encoding="utf-8") as file:
        file.write(
            'sources = [{ path = "a.jsonl" }, { path = "b.jsonl" }]\n[curriculum]\ndocuments = 40\nexercises = 0\n'
        )
    with open(folder / "tokenizer.toml", "a", encoding="utf-8") as file:
        file.write(tokenizer)
    with open(folder / "pretrain.toml", "a", encoding="utf-8") as file:
        file.write(stages)
    (folder / "data.toml").write_text('validation = [{ path = "c.jsonl", name = "clean" }]\n', encoding="utf-8")
    return folder


STAGES = """
[training]
tokens = 5120  # ten steps
validate_steps = 5
[[stages]]
share = 0.5
weights = { a = 1, curriculum = 1 }
[[stages]]
share = 0.5
weights = { b = 1 }
"""


def test_a_recipe_in_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, documents in (("a", 60), ("b", 6), ("c", 5)):
        write(tmp_path / f"{name}.jsonl", documents, ord(name))
    rest = ["--until", "pretrain", "--text", str(tmp_path)]
    first = recipe(tmp_path / "first", STAGES)
    assert main(["--lang", "en", "run", str(first), "--out", str(tmp_path / "one"), *rest]) == 0
    told = capsys.readouterr()
    assert "read more than 4 times: b" in told.out + told.err
    done = json.loads((tmp_path / "one/pretrain/done.json").read_text(encoding="utf-8"))
    assert done["validation"].keys() == {"bits_per_byte", "real_bits_per_byte", "clean_bits_per_byte"}
    use = done["sources"]
    assert use.keys() == {"a", "b", "curriculum"}
    assert use["b"]["epochs"] * use["b"]["tokens"] == pytest.approx(2560)
    assert use["a"]["epochs"] * use["a"]["tokens"] == pytest.approx(1280)
    second = recipe(tmp_path / "second", STAGES, f'folder = "{tmp_path / "one/tokenizer"}"\n')
    assert main(["--lang", "en", "run", str(second), "--out", str(tmp_path / "two"), *rest]) == 0
    tokenizers = [(tmp_path / run / "tokenizer/tokenizer.json").read_bytes() for run in ("one", "two")]
    assert tokenizers[0] == tokenizers[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("pretrain.stages=[{ share = 1.0, weights = { z = 1 } }]", "no source 'z'"),
        ("pretrain.stages=[{ share = 0.5, weights = { a = 1 } }]", "add up to 0.5"),
        ('corpus.sources=[{ path = "a.jsonl", repeat = 2 }, { path = "b.jsonl" }]', "exclude each other"),
        ('data.validation=[{ path = "c.jsonl", name = "real" }]', "taken"),
        ('data.validation=[{ path = "missing.jsonl", name = "m" }]', "missing.jsonl"),
    ],
)
def test_mistakes_in_stages_are_one_clear_line(
    change: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.jsonl", 3, 0)
    made = recipe(tmp_path / "made", STAGES)
    assert main(["--lang", "en", "run", str(made), change, "--dry-run", "--text", str(tmp_path)]) != 0
    assert message in capsys.readouterr().err
