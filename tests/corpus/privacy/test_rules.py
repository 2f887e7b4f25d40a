from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from axk1.corpus.privacy.finding import Finding, settle
from axk1.corpus.privacy.rules import Rules
from labelled_privacy import documents


def found(text: str, **options: bool) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in settle(Rules(**options)(text))]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("번호 900101-1234568 확인", "rrn", "900101-1234568"),  # right check digit
        ("주민번호 9 0 0 1 0 1 - 1 2 3 4 5 6 7", "rrn", "9 0 0 1 0 1 - 1 2 3 4 5 6 7"),
        ("주민등록번호 ９００１０１-１２３４５６７", "rrn", "９００１０１-１２３４５６７"),
        ("주민등록번호 201105-3123456", "rrn", "201105-3123456"),  # issued without a check digit
        ("외국인등록번호 900101-5234567", "frn", "900101-5234567"),
        ("면허 11-12-345678-90", "driver_licence", "11-12-345678-90"),
        ("여권 M123A4567", "passport", "M123A4567"),
        ("여권번호: M12345678", "passport", "M12345678"),
        ("사업자 220-81-62517", "business_number", "220-81-62517"),
        ("(02) 123-4567", "phone", "(02) 123-4567"),
        ("010 1234 5678", "phone", "010 1234 5678"),
        ("01098765432로", "phone", "01098765432"),
        ("+82-10-1234-5678", "phone", "+82-10-1234-5678"),
        ("전화 1588-2345", "service_phone", "1588-2345"),
        ("카드 4539 1488 0343 6467", "card", "4539 1488 0343 6467"),
        ("국민은행 123456-01-123456", "account", "123456-01-123456"),
        ("kim@naver.com으로", "email", "kim@naver.com"),
        ("a@example.com, kim (at) naver.com", "email", "kim (at) naver.com"),
        ("서울 강남구 테헤란로 152, 101동 1203호에", "address", "서울 강남구 테헤란로 152, 101동 1203호"),
        ("성남시 분당구 정자동 178-1번지", "address", "성남시 분당구 정자동 178-1번지"),
        ("담당자: 김민수", "name", "김민수"),
        ("이영자 씨가 왔다", "name", "이영자"),
        ("피고인 남궁민수는", "name", "남궁민수"),
        ("차량 12가 3456", "plate", "12가 3456"),
        ("접속 211.45.12.9", "ip", "211.45.12.9"),
        ("00:1b:63:84:45:e6", "mac", "00:1b:63:84:45:e6"),
        ("https://bob:hunter9Zx@git.hanbit.kr", "credentials", "bob:hunter9Zx"),
        ('api_key = "9fK2mZ81qLwP0aXc77"', "secret", "9fK2mZ81qLwP0aXc77"),
        ("위치 37.5665, 126.9780", "coordinates", "37.5665, 126.9780"),
    ],
)
def test_each_kind_is_found_whole(text, kind, value):
    assert found(text) == [(kind, value)]


def test_a_private_key_is_found_over_its_lines():
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "MIIEpAIBAAKCAQEA7bq1\n" * 8 + "-----END RSA PRIVATE KEY-----"
    assert found(f"키\n{key}\n끝") == [("secret", key)]


@pytest.mark.parametrize(
    "text",
    [
        "900101-1234567",  # wrong check digit, and nothing says what it is
        "주문번호 900101-1234568",
        "주민등록번호 901301-1234568",  # no such month
        "주민등록번호 900101-9234568",  # of the 19th century
        "카드 4539 1488 0343 6468",  # Luhn
        "카드 4111 1111 1111 1111",  # a published test number
        "사업자등록번호 220-81-62518",
        "계산 123456-01-123456",
        "M12345678",
        "대법원 98다1234 판결, 2019다12345",
        "12호 3456",
        "전쟁은 1592-1598년, 값은 1600-1800원",
        "ISBN 978-89-1234-567-8",
        "제12조의2 제3항, 1,234,567원, 2024. 3. 15.",
        "a@example.com, b@contoso.com, noreply@naver.com, logo@2x.png",
        "192.168.0.1, 10.0.0.5, 127.0.0.1, 192.0.2.44, 8.8.8.8",
        "버전 10.20.30.40",
        "00:00:00:00:00:00, ff:ff:ff:ff:ff:ff",
        "https://user:password@example.com",
        "password: changeme1",
        "김치와 김장, 원고 명의로, 피고인 주장은, 선생님과 고객님, 지하주차장",
        "경주정씨 양경공파",
        "홍길동 씨, 김국장님",
        "함수\n선생님",
        "예금주\n공급자 123-45-67890",
        "서울 강남구에서 제2조로 3일을",
        "육군 준사관으로 200",
        "위치변경 신청을 다시 하기로 12교육지원청과 협의했다",
        "유상증자에 참여하여 주주 신주식을 취득하였고, '노조아님 통보'를",
        "8f14e45fceea167a5a36dedd4bea2543",
    ],
)
def test_what_only_looks_alike_is_left(text):
    assert found(text) == []


def test_spoken_digits_are_an_option():
    text = "전화는 공일공 일이삼사 오육칠팔"
    assert found(text) == []
    assert found(text, spoken_digits=True) == [("phone", "공일공 일이삼사 오육칠팔")]


def test_a_name_that_was_told_once_is_found_everywhere_in_the_document():
    text = "담당자: 김민수\n김민수는 왔고, 강김민수리는 아니다."
    assert found(text) == [("name", "김민수"), ("name", "김민수")]


def test_labelled_documents_are_found_almost_all():
    """The rules were made with these templates: this guards against a rule that breaks, and is no measure of recall."""
    labels, right, wrong = 0, 0, 0
    for one in documents(1, 400):
        findings = set(settle(Rules()(one.text)))
        labels += len(one.labels)
        right += len(findings & set(one.labels))
        wrong += len(findings - set(one.labels))
    assert labels > 500
    assert right >= 0.97 * labels
    assert wrong <= 0.02 * labels


@given(st.text(st.sampled_from("0123456789-.@:/ 김민수씨동로가차여권\n()+ＡaF０１"), max_size=80))
def test_any_text_gives_findings_inside_it_that_do_not_overlap(text):
    findings = settle(Rules(spoken_digits=True)(text))
    assert all(0 <= one.start < one.end <= len(text) for one in findings)
    assert all(a.end <= b.start for a, b in pairwise(findings))


def test_the_more_telling_kind_wins_an_overlap():
    findings = [Finding("phone", 0, 14), Finding("rrn", 2, 10), Finding("name", 20, 23)]
    assert settle(findings) == [Finding("rrn", 2, 10), Finding("name", 20, 23)]
