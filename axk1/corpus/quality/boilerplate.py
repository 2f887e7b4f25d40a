"""Lines that belong to the page, not to the text: rights, menus, counters of comments and shares."""

import re

__all__ = ["without_boilerplate"]

_LONGEST = 80  # characters; longer lines are text that speaks of such things
_LINE = re.compile(
    r"""^[\s\-*·|▶▲◆■[\]<>()©ⓒ]*(?:
    (?:로그인|로그아웃|회원가입|회원\s가입|마이페이지|장바구니|고객센터|사이트맵|이용약관|개인정보\s?처리방침|개인정보\s?취급방침
      |목록|이전\s?글|다음\s?글|이전|다음|맨\s?위로|위로|TOP|홈|HOME|메뉴|검색|닫기|더보기|인쇄|프린트|스크랩|공유|공유하기|URL\s?복사|신고|신고하기
      |댓글|댓글\s?\d+개?|댓글\s?(?:쓰기|달기|등록)|답글|추천\s?\d*|비추천\s?\d*|좋아요\s?\d*|조회\s?수?\s?:?\s?\d+|페이스북|트위터|카카오스토리|카카오톡
      |본문\s?바로가기|주메뉴\s?바로가기|글자\s?크기|가\s?가|기사\s?(?:입력|수정|공유))
      (?:[\s|·>/]+(?:로그인|로그아웃|회원가입|마이페이지|장바구니|고객센터|사이트맵|이용약관|개인정보\s?처리방침|목록|이전|다음|홈|HOME|메뉴|검색
      |댓글|답글|추천|신고|공유|스크랩|인쇄|페이스북|트위터|카카오톡|\d+))*
    |.*(?:무단\s?전재|무단\s?복제|재배포\s?금지|All\s[Rr]ights\s[Rr]eserved|저작권자\s?[ⓒ©(]|Copyright\s?[ⓒ©(]).*
    |(?:입력|수정|등록|최종수정)\s?:?\s?\d{4}[-.]\s?\d{1,2}[-.]\s?\d{1,2}.*
    |로그인\s?(?:후|하신\s후|이\s필요).*
    |.*기자\s[\w.]+@[\w.]+
    )[\s|▶▲·>[\]]*$""",
    re.VERBOSE,
)
_HINT = re.compile(
    "로그|회원|장바구니|고객센터|사이트맵|약관|방침|목록|이전|다음|위로|TOP|홈|HOME|메뉴|검색|닫기|더보기|인쇄|프린트|스크랩|공유|URL|신고|댓글"
    "|답글|추천|좋아요|조회|페이스북|트위터|카카오|바로가기"
    "|글자|가 ?가|기사|무단|재배포|ights|저작권|Copyright|입력|수정|등록|기자"
)


def without_boilerplate(text: str) -> str:
    """The text without those lines; headings of Markdown (#) stay, whatever they say."""
    if _HINT.search(text) is None:
        return text
    lines = text.split("\n")
    kept = [line for line in lines if not _is_boilerplate(line)]
    return text if len(kept) == len(lines) else "\n".join(kept)


def _is_boilerplate(line: str) -> bool:
    if line.lstrip().startswith(("- ", "* ")):
        return False  # an item of a list in the text: 이전, 다음, 목록 may be what is listed
    return len(line) <= _LONGEST and _HINT.search(line) is not None and _LINE.match(line) is not None
