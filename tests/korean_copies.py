"""Korean documents and copies of them, made by rule: particles, spacing, typing errors, order, headers; and others
that only look alike."""

import random
import re
from collections.abc import Callable, Mapping

NAMES = ["김민서", "이도현", "박서연", "최지우", "정하준", "강수아", "조은우", "윤지호", "장예린", "임시우"]
PLACES = [
    "금강",
    "낙동강",
    "한강",
    "섬진강",
    "영산강",
    "서울",
    "부산",
    "대구",
    "광주",
    "대전",
    "울산",
    "전주",
    "청주",
    "춘천",
    "제주",
]
THINGS = [
    "계약",
    "건물",
    "토지",
    "물품",
    "권리",
    "채권",
    "시설",
    "차량",
    "장비",
    "자료",
    "문서",
    "기금",
    "사업",
    "설비",
    "허가",
    "면허",
    "보조금",
    "하천",
    "도로",
    "항만",
]
ACTS = [
    "신청하",
    "검토하",
    "승인하",
    "취소하",
    "변경하",
    "등록하",
    "관리하",
    "조사하",
    "보고하",
    "공고하",
    "설치하",
    "이전하",
    "보관하",
    "제출하",
]
WHEN = ("지난해 봄", "올해 여름", "다음 달", "매년 초", "그날 저녁", "처음부터", "이듬해 겨울", "사흘 만에")
ENDINGS = ("였다.", "기로 정했다.", "지 못했다.", "려고 애썼다.", "는 일이 많았다.", "면 안 된다고 여겼다.")
PARTICLES = {"은": "이", "는": "가", "이": "은", "가": "는", "을": "도", "를": "도", "에": "에서", "의": ""}


def story(rng: random.Random, sentences: int = 24) -> str:
    """Sentences that no other story has."""
    lines = []
    for _ in range(sentences):
        parts = [
            rng.choice(WHEN), f"{rng.choice(NAMES)}{rng.choice(['은', '이', '도'])}", f"{rng.choice(PLACES)}에서",
            f"{word(rng)} {rng.choice(THINGS)}을",
            f"{rng.choice(THINGS)}의 {word(rng)}{rng.choice(['와', '로', '까지'])}",
        ]  # fmt: skip
        rng.shuffle(parts)
        lines.append(" ".join(parts) + f" {rng.choice(ACTS)}{rng.choice(ENDINGS)}")
    return "\n".join(" ".join(lines[start : start + 4]) for start in range(0, sentences, 4))


def word(rng: random.Random) -> str:
    """Two to four syllables at random."""
    return "".join(chr(0xAC00 + 588 * rng.randrange(19) + 28 * rng.randrange(21)) for _ in range(rng.randint(2, 4)))


def particles(text: str, rng: random.Random) -> str:
    """One particle in five is another."""

    def other(match: "re.Match[str]") -> str:
        found = match.group()
        change = len(found) > 1 and found[-1] in PARTICLES and rng.random() < 0.2
        return found[:-1] + PARTICLES[found[-1]] if change else found

    return re.sub(r"\w+", other, text)


def spacing(text: str, rng: random.Random) -> str:
    """One space in three is missing."""
    return "".join("" if letter == " " and rng.random() < 1 / 3 else letter for letter in text)


def typos(text: str, rng: random.Random) -> str:
    """One syllable in a hundred has another final."""
    wrong = (chr(ord(one) + 1) if "가" <= one < "힣" and rng.random() < 0.01 else one for one in text)
    return "".join(wrong)


def reordered(text: str, rng: random.Random) -> str:
    """The paragraphs in another order."""
    lines = text.split("\n")
    rng.shuffle(lines)
    return "\n".join(lines)


def framed(text: str, _rng: random.Random) -> str:
    """A header and a footer, as web pages have."""
    return f"이 문서는 자동으로 번역되었습니다. 원문을 확인하세요.\n\n{text}\n\n목록으로 돌아가기 | 인쇄하기 | 공유하기"


def all_of_it(text: str, rng: random.Random) -> str:
    """Spacing, typing errors and a frame together."""
    return framed(typos(spacing(text, rng), rng), rng)


COPIES: Mapping[str, Callable[[str, random.Random], str]] = {
    "particles": particles, "spacing": spacing, "typos": typos, "reordered": reordered, "framed": framed,
    "spacing+typos+frame": all_of_it,
}  # fmt: skip


def statute(rng: random.Random) -> str:
    """The form of a decree with contents of its own: half of the letters are the form's."""
    place, thing, one, other = rng.choice(PLACES), word(rng), word(rng), word(rng)
    name = f"{place}{thing}위원회"
    articles = "\n\n".join(
        f"제{number}조 ({word(rng)} {rng.choice(THINGS)}의 {word(rng)}) 위원회는 {word(rng)} {rng.choice(THINGS)}을 "
        f"{word(rng)} 때에는 {word(rng)}로 정하는 바에 따라 {word(rng)} {rng.choice(THINGS)}을 "
        f"{rng.choice(ACTS)}여야 한다."
        for number in range(3, 12)
    )
    return (
        f"{name} 규정\n\n제1조 (목적) 이 영은 {thing} 및 {one} 등에 관한 법률 제{rng.randint(2, 90)}조에 따라 "
        f"{name}의 구성 및 운영에 필요한 사항을 규정함을 목적으로 한다.\n\n제2조 (기능) 위원회는 {other}에 관한 "
        f"사항을 심의ㆍ의결한다.\n\n{articles}\n\n부칙 이 영은 공포한 날부터 시행한다."
    )


def judgement(rng: random.Random) -> str:
    """The form of a decision with facts of its own."""
    facts = story(rng, 10)
    return (
        f"【원고】 {rng.choice(NAMES)}\n【피고】 {rng.choice(NAMES)}\n\n"
        "【주문】 원고의 청구를 기각한다. 소송비용은 원고가 부담한다.\n\n"
        f"【이유】 1. 기초사실\n{facts}\n\n2. 판단\n위 인정사실에 비추어 보면 원고의 주장은 이유 없으므로 "
        "이를 기각하기로 하여 관여 법관의 일치된 의견으로 주문과 같이 판결한다."
    )
