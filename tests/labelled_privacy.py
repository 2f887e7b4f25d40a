"""Made-up documents whose personal data are labelled, to measure recognisers with: valid numbers of every kind in many
forms, and hard negatives that only look alike."""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from axk1.corpus.privacy.checks import business_check, corporate_check, foreign_check, luhn, resident_check
from axk1.corpus.privacy.finding import Finding

__all__ = ["VALUES", "Labelled", "documents", "filled"]


@dataclass(frozen=True)
class Labelled:
    """A text and what a perfect recogniser finds in it."""

    text: str
    labels: tuple[Finding, ...]


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices("0123456789", k=count))


def _born(rng: random.Random, ages: tuple[str, str]) -> str:
    year = rng.randint(1940, 2019)
    return f"{year % 100:02}{rng.randint(1, 12):02}{rng.randint(1, 28):02}{rng.choice(ages[year >= 2000])}"


def _rrn(rng: random.Random) -> str:
    body = _born(rng, ("12", "34")) + _digits(rng, 5)
    whole = body + str(resident_check(body))
    return rng.choice((f"{whole[:6]}-{whole[6:]}", f"{whole[:6]}-{whole[6:]}", f"{whole[:6]} - {whole[6:]}"))


def _rrn_said(rng: random.Random) -> str:
    """Forms, and numbers without a check digit, that only a word before them tells."""
    whole = _born(rng, ("12", "34")) + _digits(rng, 6)
    split = " ".join(whole[:6]) + " - " + " ".join(whole[6:])
    wide = f"{whole[:6]}-{whole[6:]}".translate({ord(str(n)): 0xFF10 + n for n in range(10)})
    return rng.choice((f"{whole[:6]}-{whole[6:]}", whole, f"{whole[:6]} {whole[6:]}", split, wide))


def _frn(rng: random.Random) -> str:
    body = _born(rng, ("56", "78")) + _digits(rng, 5)
    return f"{body[:6]}-{body[6:]}{foreign_check(body)}"


def _phone(rng: random.Random) -> str:
    line, last = f"{rng.randint(2000, 9999)}", _digits(rng, 4)
    sign = rng.choice("--- .")
    area = rng.choice(("02", "031", "042", "051", "062", "064"))
    wide = f"010-{line}-{last}".translate({ord(str(n)): 0xFF10 + n for n in range(10)})
    forms = (
        f"010{sign}{line}{sign}{last}", f"010{sign}{line}{sign}{last}", f"010{line}{last}", f"+82 10-{line}-{last}",
        f"+82-10-{line}-{last}", f"+8210{line}{last}", f"{area}-{line[:3]}-{last}", f"{area}){line[:3]}-{last}",
        f"({area}) {line}-{last}", f"070-{line}-{last}", f"011-{line[:3]}-{last}", wide,
    )  # fmt: skip
    return rng.choice(forms)


def _card(rng: random.Random) -> str:
    body = rng.choice(("4", "51", "54", "62", "3528")) + _digits(rng, 15)
    body = body[:15]
    whole = next(f"{body}{last}" for last in range(10) if luhn(f"{body}{last}"))
    return rng.choice("- ").join(whole[at : at + 4] for at in range(0, 16, 4))


def _business(rng: random.Random) -> str:
    body = str(rng.randint(101, 899)) + _digits(rng, 6)
    return f"{body[:3]}-{body[3:5]}-{body[5:]}{business_check(body)}"


def _corporate(rng: random.Random) -> str:
    body = "1" + _digits(rng, 11)
    return f"{body[:6]}-{body[6:]}{corporate_check(body)}"


def _account(rng: random.Random) -> str:
    form = rng.choice(
        ("000-000-000000", "000000-00-000000", "000-00-000000", "0000-000-000000", "000-000000-00-000", "0000000000000")
    )
    return re.sub("0", lambda _: rng.choice("123456789"), form)


_SURNAMES = "김이박최정강조윤장임한오서신권황안송홍유고문양손배백허남심노하곽성차주"
_FIRST, _SECOND = "민서지하도예수은유준태현승영재상동경", "준서우윤아진호영빈원연현희수경미정철석훈"


def _name(rng: random.Random) -> str:
    while True:
        first, second = rng.choice(_FIRST), rng.choice(_SECOND)
        if first != second:
            return rng.choice(_SURNAMES) + first + second


def _address(rng: random.Random) -> str:
    place, road, lot = rng.choice(
        (
            ("서울특별시 강남구", "테헤란로", "역삼동"), ("서울 마포구", "월드컵북로", "상암동"),
            ("부산 해운대구", "센텀중앙로", "우동"),
            ("경기도 성남시 분당구", "판교로", "정자동"), ("대전광역시 유성구", "대학로", "궁동"),
            ("전남 여수시", "시청로", "학동"),
            ("제주특별자치도 제주시", "연북로", "노형동"), ("강원도 춘천시", "중앙로", "퇴계동"),
            ("충북 청주시 흥덕구", "가경로", "가경동"),
        )
    )  # fmt: skip
    number = rng.randint(3, 480)
    flat = rng.choice(("", f", {rng.randint(101, 120)}동 {rng.randint(101, 2004)}호", f" {rng.randint(2, 20)}층"))
    street = rng.choice(
        (f"{road} {number}", f"{road}{rng.randint(2, 90)}번길 {number}", f"{road} {number}-{rng.randint(1, 30)}")
    )
    return f"{place} {rng.choice((street, street, f'{lot} {number}-{rng.randint(1, 40)}'))}{flat}"


def _email(rng: random.Random) -> str:
    user = rng.choice(("minsu.kim", "jh_lee", "park", "happy", "sun.flower")) + str(rng.randint(1, 999))
    host = rng.choice(("naver.com", "gmail.com", "daum.net", "snu.ac.kr", "hanmail.net"))
    return f"{user}{rng.choice(('@', '@', '@', ' (at) '))}{host}"


def _plate(rng: random.Random) -> str:
    letter = rng.choice("가나다라마거너더러머고노도로모허하호")
    return f"{rng.randint(10, 399)}{letter}{rng.choice(('', ' '))}{rng.randint(1000, 9999)}"


def _ip(rng: random.Random) -> str:
    return f"{rng.choice((211, 218, 121, 59, 175))}.{rng.randint(21, 250)}.{rng.randint(21, 250)}.{rng.randint(1, 254)}"


def _mac(rng: random.Random) -> str:
    return rng.choice(":-").join(["3c", *(f"{rng.randrange(256):02x}" for _ in range(5))])


def _token(
    rng: random.Random, count: int, letters: str = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"
) -> str:
    return "".join(rng.choices(letters, k=count))


def _secret(rng: random.Random) -> str:
    upper = "ABCDEFGHJKLMNPQRSTUVWXYZ234567"
    return rng.choice(
        (
            f"AKIA{_token(rng, 16, upper)}",
            f"ghp_{_token(rng, 36)}",
            f"sk-proj-{_token(rng, 40)}",
            f"AIza{_token(rng, 35)}",
        )
    )


VALUES: Mapping[str, Callable[[random.Random], str]] = {
    "rrn": _rrn,
    "rrn_said": _rrn_said,
    "frn": _frn,
    "driver_licence": lambda rng: f"{rng.randint(11, 26)}-{_digits(rng, 2)}-{_digits(rng, 6)}-{_digits(rng, 2)}",
    "passport": lambda rng: rng.choice(
        (f"M{_digits(rng, 8)}", f"M{_digits(rng, 3)}{rng.choice('ABCD')}{_digits(rng, 4)}")
    ),
    "business_number": _business,
    "corporate_number": _corporate,
    "phone": _phone,
    "service_phone": lambda rng: f"{rng.choice((1588, 1544, 1577, 1899, 1600))}-{rng.randint(2200, 9999)}",
    "card": _card,
    "account": _account,
    "email": _email,
    "address": _address,
    "name": _name,
    "plate": _plate,
    "ip": _ip,
    "mac": _mac,
    "credentials": lambda rng: f"deploy{rng.randint(1, 9)}:{_token(rng, 12)}",
    "secret": _secret,
}

_TEMPLATES = tuple(
    """
주민등록번호는 {rrn}입니다.
{rrn} 본인 확인이 끝났습니다.
신분증 사본({rrn})을 냈다.
주민번호 {rrn_said}로 조회해 주세요.
주민등록번호: {rrn_said}
외국인등록번호 {frn}
등록증에 {frn}라고 적혀 있다.
운전면허번호 {driver_licence}를 적어 주세요.
면허증: {driver_licence}
여권번호 {passport}로 예약했습니다.
passport no. {passport}
사업자등록번호 {business_number}
공급자 {business_number} 세금계산서
법인등록번호는 {corporate_number}이다.
연락처 {phone}
{phone}으로 전화 주세요.
제 번호는 {phone}이에요.
문의는 {phone}, 저녁에는 {phone}.
고객센터 {service_phone}로 문의하세요.
대표번호 {service_phone}
카드번호 {card}로 결제했습니다.
신용카드 {card} 승인
국민은행 {account} 예금주 {name}
입금 계좌는 신한 {account}입니다.
농협 {account}로 보내 주세요.
메일은 {email}입니다.
{email}로 보내 주십시오.
주소: {address}
{address}에 살고 있습니다.
택배는 {address}로 보내 주세요.
성명: {name}
이름: {name}, 연락처: {phone}
담당자 {name}에게 물어보세요.
{name} 씨가 왔다.
{name}님 안녕하세요.
피고인 {name}은 항소하였다.
예금주: {name}
제 이름은 {name}입니다.
{name} 과장과 회의했다.
차량 {plate}가 주차되어 있습니다.
차량번호 {plate}
접속 IP {ip}에서 로그인했습니다.
서버 주소는 {ip}이다.
MAC 주소 {mac}
git clone https://{credentials}@git.hanbit.kr/app.git
export TOKEN={secret}
키는 {secret}입니다.
""".strip().split("\n")
)

_NEGATIVES = tuple(
    """
주문번호 {d6}-{d7}를 확인하세요.
주문번호: 010{d8}
송장번호 {d4}-{d4}-{d4}
ISBN 978-89-{d4}-{d3}-1
ISBN 97889{d8}
대법원 2019다{d5} 판결
대법원 98다{e4} 판결을 본다.
서울고등법원 2003누{d4}
형법 제{d2}조 제2항
제12조의2 제3항 제4호
2024. 3. 15. 10:30에 만났다.
1985-03-12부터 2001-11-30까지
버전 10.0.{d5}.1
version 4.7.2.0
가격은 1,{d3},{d3}원이다.
합계 {d6}원
3.14159265358979
123456789 + 987654321 = 1111111110
커밋 {h40}
md5 {h32}
1592-1598년의 전쟁
범위는 1600-1800이다.
김치는 맛있다. 김장을 담갔다.
이름이 없는 함수
원고 주장은 이유 없다.
피고인 신문을 마쳤다.
선생님, 고객님, 하느님
담당자에게 문의하세요.
이 사건 주식의 가액
지난번 모임은 강남구에서 했다.
제2조로 3일을 준다.
로그 12개
user@example.com에 보냅니다.
admin@contoso.com
logo@2x.png
192.168.0.{d2}
10.0.0.5와 127.0.0.1
192.0.2.44
2001:db8::1
00:00:00:00:00:00
api_key = YOUR_API_KEY
password: changeme
https://user:password@example.com
특허 제10-{d7}호
우편번호 06236
좌표 (3, 4)
SKU-{d8}
std::vector<int>
2019가합{d5}
체크카드 4111 1111 1111 1111
문서번호 {d3}-{d2}-{d5}
방 12호 3456
12시 3456명
100만 5000원
예약번호 M{d8}
학번 2019{d5}
파이 = 3.{d8}
UUID 123e4567-e89b-12d3-a456-4266{d8}
총 4,{d3} 편의 님비 현상
이양 받은 권한
조용한 군 병원
이메일: 없음
성명: 미상
""".strip().split("\n")
)


def filled(template: str, rng: random.Random) -> Labelled:
    """The template with {kind} as labelled values, and {d7}, {e4}, {h40} as digits, such a number and hexadecimal."""
    text, labels = "", []
    for piece in re.split(r"(\{\w+\})", template):
        name = piece[1:-1]
        if piece[:1] == "{" and name in VALUES:
            value = VALUES[name](rng)
            kind = name.removesuffix("_said")
            labels.append(Finding(kind, len(text), len(text) + len(value)))
            text += value
        elif piece[:1] == "{":
            count, letters = int(name[1:]), "0123456789abcdef" if name[0] == "h" else "0123456789"
            text += "".join(rng.choices(letters, k=count))
        else:
            text += piece
    return Labelled(text, tuple(labels))


def documents(seed: int, count: int) -> Iterator[Labelled]:
    """Documents of one to six lines, half of which hold nothing to find. The same seed gives the same ones."""
    rng = random.Random(f"privacy {seed}")
    for _ in range(count):
        lines = [rng.choice(_TEMPLATES if rng.random() < 0.5 else _NEGATIVES) for _ in range(rng.randint(1, 6))]
        yield filled("\n".join(lines), rng)
