"""The register of Korean sentences, read off their last word: 문어체, 반말, 해요체, 합쇼체; and signs of dialect."""

import re
from typing import Literal

__all__ = ["Register", "dialect_of", "honorific_share", "register_of"]

Register = Literal["plain", "banmal", "haeyo", "hapsyo", "none"]
"""plain: 문어체 (한다, 이다); banmal: 반말 (해, 하니, 하자); haeyo: 해요체; hapsyo: 합쇼체; none: no predicate."""

_TAIL = re.compile(r"[\s.!?…~^ㄱ-ㅎㅏ-ㅣ;:,*\"'”’」』)\]]+$")
_LAST_SYLLABLES = 12
_HAPSYO = re.compile(
    r"(?:[습읍]니[다까]|[갑합입됩랍답깁줍봅옵킵십랩웁립집칩릅]니[다까]|[십]시[오요]|[읍합갑봅집십]시다|니다)$"
)
_HAEYO = re.compile(r"(?:요|[죠쥬]|세용|에용|어용|아용|네용|여용)$")
_PLAIN = re.compile(r"(?:다|는가|은가|한가|도다|노라|더라|으랴)$")
_NOUNS_IN_DA = re.compile(r"(?:^|\s)(?:바다|소다|판다|람다|캐나다|우간다|르완다|아그네스다|마다|보다|부터다가)$")
_BANMAL = re.compile(
    r"(?:[어아해돼줘봐워와여네지냐니자래게군걸데까나라려켜져써쳐춰꿔애서둬놔야마]|거든|잖아|는데|을래|구나|려고|한가|던데|ㄹ까|거야)$"
)
_NOUNS_LIKE_BANMAL = re.compile(
    r"(?:드라마|영화|코미디|스타|이야기|소리|가지|까지|아버지|어머니|언니|할머니|나라|마지막|사이|노래|미래|아래|그래프|오래|페이지|이미지|메시지|패키지"
    r"|에서|에게|하나|누나|의자|여자|남자|사자|감자|피자|기자|문자|독자|환자|모자|숫자|카드나|다시마|엄마|아마|무엇까|[을를이가은는의에]|하러|위해서"
    r"|리뷰어|한국어|영어|단어|용어|언어|국어|중국어|일본어|인터페이스나|만들기|데이터|컴포넌트나|바나나|교과서|문서|순서|비서|부서|질서|때문에|회사|진짜)$"
)
_HONORIFIC = re.compile(
    r"[가-힣](?:시[는던고며면지]|신다|십니|셨|세요|시어|으시|께서)|께서|여쭈|드리|드렸|드립|뵙|뵈|계시|계신|말씀|댁에"
)
_DIALECTS: dict[str, re.Pattern[str]] = {
    "gyeongsang": re.compile(
        r"(?:했|하|왔|갔|먹|뭐|있|없|카)(?:노|데이|심더|능교|십니꺼|니더)(?![가-힣])|카더라|머라카|우야노|억수로|단디|가시나|문디|쌔리|하이소|드이소|오이소|마카다"
    ),
    "jeolla": re.compile(
        r"(?:했|하|것|있|없|그라|허)(?:당께|랑께|제잉|지라|는갑소|는디)(?![가-힣])|거시기|허벌나게|워메|아따(?![가-힣])|징하게|오메|그랑께|그라제|잉\?"
    ),
    "jeju": re.compile(
        r"(?:했|하|이|있|없|감|왔|갔)(?:수다|수과|우꽈|우다|엄수다|암수다|쑤과|쑤다)(?![가-힣])"
        r"|혼저옵|하르방|마씸|게메|폭삭 속았수다|도새기"
    ),
}


def register_of(sentence: str) -> Register:
    """The register of one sentence by its last word; what stands after it (ㅋㅋ, ~, quotes) is passed over."""
    body = _TAIL.sub("", sentence)[-_LAST_SYLLABLES:]
    if _HAPSYO.search(body):
        return "hapsyo"
    if _HAEYO.search(body):
        return "haeyo"
    if _PLAIN.search(body) and not _NOUNS_IN_DA.search(body):
        return "plain"
    return "banmal" if _BANMAL.search(body) and not _NOUNS_LIKE_BANMAL.search(body) else "none"


def honorific_share(sentences: list[str]) -> float:
    """Share of the sentences that honour their subject or listener (시, 께서, 드리다, 말씀)."""
    return sum(_HONORIFIC.search(one) is not None for one in sentences) / len(sentences) if sentences else 0.0


def dialect_of(text: str) -> str:
    """The dialect with the most markers, at least two and one in 1,000 characters; "" for none. A hint, no more."""
    counts = {name: len(pattern.findall(text)) for name, pattern in _DIALECTS.items()}
    name = max(counts, key=counts.__getitem__)
    return name if counts[name] >= max(2, len(text) / 1000) else ""
