import json
import random
import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.config import ConfigError
from axk1.corpus.build import CorpusConfig, build
from axk1.corpus.documents import Document, read_documents
from axk1.corpus.privacy.checks import birth_date, business_check, is_card, resident_check
from axk1.corpus.privacy.fake import Pseudonyms
from axk1.corpus.privacy.finding import LABELS
from axk1.corpus.privacy.keys import new_key, read_key
from axk1.corpus.privacy.policy import PrivacySettings
from axk1.corpus.privacy.report import privacy_report
from axk1.corpus.privacy.step import Privacy
from axk1.corpus.source import Source
from axk1.corpus.steps import make_step
from labelled_privacy import VALUES

TEXT = "성명: 김민수, 주민등록번호 900101-1234568, 전화 010-2345-6789, 사업자 220-81-62517."
SECRETS = ("김민수", "900101-1234568", "010-2345-6789")


def through(settings, *texts, **metadata):
    rejected = []
    documents = (Document(text, f"doc:{number}", "source", metadata) for number, text in enumerate(texts))
    kept = list(Privacy(settings)(documents, lambda document, reason: rejected.append((document, reason))))
    return kept, rejected


@pytest.fixture
def key_file(tmp_path):
    new_key(tmp_path / "key")
    return str(tmp_path / "key")


def test_masks_say_the_kind_and_the_metadata_say_how_many_and_where():
    (kept,), rejected = through(PrivacySettings(), TEXT)
    assert kept.text == "성명: <이름>, 주민등록번호 <주민등록번호>, 전화 <전화번호>, 사업자 220-81-62517."
    assert not rejected
    assert kept.metadata["privacy.rrn"] == kept.metadata["privacy.business_number"] == 1
    places = dict(re.findall(r"(\w+):\w+:(\d+-\d+)", str(kept.metadata["privacy_spans"])))
    start, end = map(int, places["phone"].split("-"))
    assert kept.text[start:end] == "<전화번호>"


def test_a_clean_document_passes_untouched():
    (kept,), _ = through(PrivacySettings(), "제12조의2를 본다.", license="CC0")
    assert kept == Document("제12조의2를 본다.", "doc:0", "source", {"license": "CC0"})


def test_values_in_the_metadata_are_treated_too():
    (kept,), _ = through(PrivacySettings(), "글", author="성명: 김민수")
    assert kept.metadata["author"] == "성명: <이름>"
    assert kept.metadata["privacy.name"] == 1


@pytest.mark.parametrize("policy", ["mask", "pseudonymise", "reversible"])
def test_rejects_hold_the_masked_text(policy, key_file):
    settings = PrivacySettings({"rrn": "drop", "phone": policy, "name": policy}, key_file=key_file)
    kept, ((document, reason),) = through(settings, TEXT, note="연락 010-2345-6789")
    assert not kept
    assert reason == "holds rrn"
    assert not [value for value in SECRETS if value in repr(document)]
    assert document.metadata["note"] == "연락 <전화번호>"


def test_a_build_leaves_no_value_in_any_file(tmp_path):
    lines = [{"text": TEXT}, {"text": "연락처 010-2345-6789"}, *({"text": f"글 {n}"} for n in range(300))]
    (tmp_path / "in.jsonl").write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    step = {"name": "privacy", "policies": {"rrn": "drop"}}
    config = CorpusConfig(steps=("nfc", step, "drop_empty"), sources=(Source(path=str(tmp_path / "in.jsonl")),))
    build(config, tmp_path / "out")
    documents = [one for file in (tmp_path / "out").glob("*.zst") for one in read_documents(file)]
    shown = repr(documents) + (tmp_path / "out" / "report.json").read_text(encoding="utf-8")
    assert len(documents) == len(lines)
    assert "<전화번호>" in shown
    assert not [value for value in SECRETS if value in shown]
    report = privacy_report(documents)
    assert (report.documents, report.affected, report.found["phone"]) == (len(lines), 2, 2)
    assert report.treated["rrn"] == {"drop": 1}


def test_pseudonyms_hold_within_their_scope(key_file):
    twice = "전화 010-2345-6789, 다시 01023456789"
    settings = {"policies": {"phone": "pseudonymise"}, "key_file": key_file}
    in_document, _ = through(PrivacySettings(**settings), twice, twice)
    in_corpus, _ = through(PrivacySettings(**settings, scope="corpus"), twice, twice)
    first, second = re.findall(r"010[-\d]+", in_document[0].text)
    assert first.replace("-", "") == second
    assert first not in twice
    assert in_document[0].text != in_document[1].text
    assert in_corpus[0].text == in_corpus[1].text


@given(st.integers(0, 10_000))
def test_stand_ins_have_the_form_and_belong_to_nobody(seed):
    rng, names = random.Random(seed), Pseudonyms(seed.to_bytes(32))
    rrn, phone, card, firm = (VALUES[kind](rng) for kind in ("rrn", "phone", "card", "business_number"))
    fakes = [names.of(*pair) for pair in (("rrn", rrn), ("phone", phone), ("card", card), ("business_number", firm))]
    digits = ["".join(filter(str.isdecimal, fake)) for fake in fakes]
    forms = [re.sub(r"\d", "0", value) for value in (fakes[0], *fakes[2:], rrn, card, firm)]
    assert forms[:3] == forms[3:]
    assert resident_check(digits[0]) != int(digits[0][12])
    assert birth_date(digits[0], date(2059, 1, 1)) is None
    assert not is_card(digits[2])
    assert business_check(digits[3]) != int(digits[3][9])
    assert re.search(r"^\D*(?:82\D*(?:10|2|\d\d)|0?2|0\d\d)\D*0", fakes[1]), fakes[1]


@given(st.sampled_from(sorted(set(VALUES) & set(LABELS))), st.integers(0, 10_000))
def test_every_kind_has_a_stand_in_that_is_another_value(kind, seed):
    value = VALUES[kind](random.Random(seed))
    names = Pseudonyms(b"0" * 32)
    assert names.of(kind, value) == names.of(kind, value) != value


def test_sealed_values_come_back_with_the_key_only(key_file, tmp_path):
    pytest.importorskip("cryptography")
    from axk1.corpus.privacy.seal import Sealer

    settings = PrivacySettings(dict.fromkeys(("name", "rrn", "phone"), "reversible"), key_file=key_file)
    (kept, other), _ = through(settings, TEXT, TEXT)
    assert not [value for value in SECRETS if value in repr(kept)]
    assert kept.text != other.text, "equal values of two documents cannot be told to be equal"
    assert through(settings, TEXT)[0][0].text == kept.text, "a build can be repeated"
    assert Sealer(read_key(tmp_path / "key")).unsealed(kept).text == TEXT
    new_key(tmp_path / "other")
    with pytest.raises(ValueError, match="not sealed with this key"):
        Sealer(read_key(tmp_path / "other")).unseal(kept.text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policies": {"rnn": "mask"}}, "no kind 'rnn'; known: .*rrn"),
        ({"policies": {"rrn": "hide"}}, "no policy 'hide'; known: keep"),
        ({"policies": {"rrn": "reversible"}}, "needs a key_file"),
        ({"scope": "world"}, 'must be "document" or "corpus"'),
        ({"recognizers": []}, "recognizers is empty"),
        ({"recognizers": ["magic"]}, "unknown privacy_recogniser 'magic'; known: .*rules"),
    ],
)
def test_wrong_options_say_what_is_known(options, message):
    with pytest.raises((ValueError, ConfigError), match=message):
        make_step({"name": "privacy", **options})


def test_a_wrong_key_file_is_named(tmp_path):
    (tmp_path / "key").write_text("abc", encoding="utf-8")
    with pytest.raises(ValueError, match="is no key file"):
        Privacy(PrivacySettings({"rrn": "pseudonymise"}, key_file=str(tmp_path / "key")))


def test_a_key_is_private_and_never_replaced(tmp_path):
    new_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        new_key(tmp_path / "key")
