import errno
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from axk1.arch import active_parameters
from axk1.cli import main
from axk1.cli.recipe import QuantizeConfig, Recipe, load_recipe
from axk1.config import ConfigError, read
from axk1.export.quantize_formats import PARTS, format_name

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests/e2e/tiny"


def rows(count: int) -> str:
    return "".join(f'{{"text": "글 {number}"}}\n' for number in range(count))


FOLDERS = [path.parent for path in sorted((ROOT / "recipes").rglob("pretrain.toml"))]
TOKENIZER_TRIALS = [path for path in FOLDERS if path.name.startswith("tokenizer-")]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_recipe_reads(folder: Path, tmp_path: Path) -> None:
    named = list(read(folder / "corpus.toml").get("sources", ()))
    if (folder / "data.toml").exists():
        named += read(folder / "data.toml").get("validation", [])
    for one in named:
        (tmp_path / one["path"]).parent.mkdir(exist_ok=True)
        (tmp_path / one["path"]).touch()
    recipe = load_recipe(folder, (), tmp_path)
    assert recipe.name == folder.name
    assert recipe.pretrain.training.steps > 0


def test_the_dense_recipe_is_as_large_per_token_and_learns_from_the_same_tokens() -> None:
    sparse, dense = (load_recipe(ROOT / "recipes" / name) for name in ("nano", "nano-dense"))
    assert (sparse.corpus, sparse.tokenizer, sparse.data) == (dense.corpus, dense.tokenizer, dense.data)
    assert sparse.pretrain.training == dense.pretrain.training
    shape, experts = dense.pretrain.model.config(), sparse.pretrain.model.config()
    assert shape.sparse_layers == ()
    assert 1.0 <= active_parameters(shape) / active_parameters(experts) < 1.002


def test_the_tokenizer_trials_differ_in_nothing_but_the_tokenizer(tmp_path: Path) -> None:
    recipes = [load_trial(folder, tmp_path) for folder in TOKENIZER_TRIALS]
    assert len(recipes) == 6
    assert len({recipe.tokenizer for recipe in recipes}) == 6
    assert {recipe.tokenizer.vocab_size for recipe in recipes} == {16384}
    for one in recipes:
        assert (one.corpus, one.data, one.sft) == (recipes[0].corpus, recipes[0].data, None)
        training = replace(one.pretrain.training, tokens=1_000_000)  # as many bytes, hence not as many tokens
        assert replace(one.pretrain, training=training) == replace(
            recipes[0].pretrain, training=replace(recipes[0].pretrain.training, tokens=1_000_000)
        )


def load_trial(folder: Path, text: Path) -> Recipe:
    for source in read(folder / "corpus.toml")["sources"]:
        (text / source["path"]).touch()
    return load_recipe(folder, (), text)


def test_overrides_reach_their_stage() -> None:
    recipe = load_recipe(TINY, ["pretrain.training.learning_rate=0.5", "evals.exercises=7"])
    assert recipe.pretrain.training.learning_rate == 0.5
    assert recipe.evals.exercises == 7


def test_the_recipes_end_in_an_int4_folder() -> None:
    sparse, dense = (load_recipe(ROOT / "recipes" / name).quantize for name in ("nano", "nano-dense"))
    assert sparse is not None
    assert dense is not None
    assert sparse.folder == dense.folder == "model-int4"
    assert [format_name(sparse.formats.of(part)) for part in PARTS] == ["int4-g32", *["int8"] * 4, "none"]
    assert format_name(dense.formats.of("dense")) == "int4-g32"


def test_a_folder_is_named_after_its_fewest_bits() -> None:
    assert QuantizeConfig(format="int8").folder == "model-int8"
    assert QuantizeConfig(attention="none").folder == "model-int4"


def test_sources_lie_in_the_text_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    recipe = load_recipe(TINY, ['corpus.sources=[{path = "a.txt"}, {path = "hf:some/set"}]'], tmp_path)
    assert [source.path for source in recipe.corpus.sources] == [str(tmp_path / "a.txt"), "hf:some/set"]


def test_evaluation_sets_to_remove_lie_in_the_text_folder(tmp_path: Path) -> None:
    change = 'corpus.steps=["nfc", { name = "decontaminate", files = [{ path = "e.jsonl", fields = ["text"] }] }]'
    steps = load_recipe(TINY, [change], tmp_path).corpus.steps
    assert steps[0] == "nfc"
    assert not isinstance(steps[1], str)
    assert steps[1]["files"] == [{"path": str(tmp_path / "e.jsonl"), "fields": ["text"]}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.tokens=1", "'training.tokens=1': write stage.key=value with a stage of corpus"),
        ("pretrain", "write stage.key=value"),
        ("pretrain.training.tokns=1", "unknown key 'tokns'; did you mean 'tokens'"),
        ("pretrain.model.overrides.max_position_embeddings=64", "seq_len 128 is longer than the model's context of 64"),
        (
            "pretrain.model.overrides.max_position_embeddings=200",
            "seq_len 256 is longer than the model's context of 200",
        ),
        ("tokenizer.vocab_size=2048", "vocabulary of 2048, the model has 1024"),
        ("pretrain.model.overrides.n_group=3", "n_group"),
        ("pretrain.model.preset=nanno", "no preset 'nanno'"),
        ("data.thinking_share=2", "thinking_share must lie between 0 and 1"),
        ("quantize.experts=int5", "no format 'int5'"),
        ("quantize.conversations=0", "conversations 1 or more"),
        ('corpus.sources=[{path = "no/such.txt"}]', "no/such.txt: no such file or folder; .* --text FOLDER"),
    ],
)
def test_mistakes_are_found_before_anything_runs(change: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe(TINY, [change])


def test_a_file_that_no_stage_reads_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pretrian.toml").touch()
    with pytest.raises(ConfigError, match="no stage is called 'pretrian'"):
        load_recipe(tmp_path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.txt", b"", "gave no document"),
        ("a.jsonl", rows(3).encode("cp949"), "not UTF-8"),
        ("a.parquet", b"PAR1 and no more", "a.parquet"),
        ("a.jsonl", b'{"txt": "x"}\n', "text"),
        ("a.jsonl.zst", b"\x28\xb5\x2f\xfd\x04", "truncated"),
    ],
)
def test_bad_text_is_one_clear_line(
    name: str, data: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(data)
    source = f'corpus.sources=[{{path = "{name}"}}]'
    out = tmp_path / "run"
    assert main(["run", str(TINY), source, "--text", str(tmp_path), "--out", str(out), "--until", "corpus"]) == 2
    shown = capsys.readouterr().err
    assert message in shown
    assert shown.count("\n") == 1
    assert not (out / "corpus").exists()


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_clear_line_and_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", str(TINY), "--out", str(tmp_path / "run"), "--until", "corpus"]
    with monkeypatch.context() as patch:
        patch.setattr("axk1.corpus.documents.JsonLines.write", full_disk)
        assert main(command) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert {path.name for path in (tmp_path / "run").iterdir()} == {".lock", "run.json"}
    assert main(command) == 0


def test_a_dry_run_shows_the_settings_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(TINY), "--out", str(tmp_path / "run"), "--dry-run"]) == 0
    assert '"vocab_size": 1024' in capsys.readouterr().out
    assert not (tmp_path / "run").exists()


def test_an_unknown_stage_to_stop_at(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(TINY), "--until", "stf", "--dry-run"]) == 2
    assert "known: corpus, tokenizer, data, pretrain, sft, evals, quantize" in capsys.readouterr().err
