"""Advertising and pages made for search engines, by the phrases that give them away."""

import re

__all__ = ["ad_phrases"]

# A low line stands for a space.
_WRITTEN = """
    무료상담 무료_상담 상담문의 상담_문의 문의주세요 문의_주세요 연락주세요 연락_주세요
    전화주세요 전화_주세요 카톡문의 카톡_문의 카카오톡_상담 텔레그램 클릭하세요
    클릭_하세요 바로가기_클릭 여기를_클릭 추천업체 추천_업체 업체추천 업체_추천 잘하는곳
    잘하는_곳 가격비교 가격_비교 최저가 할인쿠폰 할인_쿠폰 이벤트_진행중 당일대출
    당일_대출 무직자 신용불량 소액결제 현금화 먹튀 토토사이트 카지노 바카라 슬롯 가입머니
    첫충 꽁머니 출장마사지 출장안마 성형외과_추천 견적문의 견적_문의 무료견적 무료_견적
    24시간_상담 24시_상담 친절상담 친절_상담 예약문의 예약_문의 원고료 제공받아_작성
    업체로부터 전국_어디든 당일배송 특가 문의전화 대표번호 후불제 정품보장
"""
_PHRASES = tuple(phrase.replace("_", " ") for phrase in _WRITTEN.split())
_LONGEST = 5000  # characters: a page of advertising is shorter, and in a longer text all phrases together count little
_PHONE = re.compile(r"(?<![\d-])(?:01[016-9]|0\d{1,2}|15\d\d|16\d\d|18\d\d)[-. ]\d{3,4}(?:[-. ]\d{4})?(?![\d-])")
_PRICE = re.compile(r"\d[\d,]*(?:만원|만 원|원대|원부터|% ?할인)")


def ad_phrases(text: str) -> float:
    """Different phrases of advertising, telephone numbers and prices per 100 characters of text."""
    if len(text) > _LONGEST:
        return 0.0
    found = sum(map(text.__contains__, _PHRASES))
    if not found:
        return 0.0
    found += min(2, len(_PHONE.findall(text))) + min(2, len(_PRICE.findall(text)))
    return 100 * found / max(100, len(text)) if found >= 3 else 0.0
