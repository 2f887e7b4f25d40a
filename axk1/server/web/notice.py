"""What people are told of talking to AI, unless the operator has words of their own (`NoticeSettings`).

Korea's AI Basic Act, article 31: who offers generative AI tells its users beforehand and marks what it makes.
"""

from __future__ import annotations

from axk1.server.settings import NoticeSettings

__all__ = ["before", "label"]

_BEFORE_KOREAN = (
    "이 서비스는 생성형 인공지능으로 답합니다. 답이 틀릴 수 있으니 중요한 내용은 꼭 확인해 주세요. "
    "답변에는 AI가 만들었다는 표시가 붙습니다."
)
_BEFORE_ENGLISH = (
    "This service answers by generative artificial intelligence. Answers may be wrong: check what matters. "
    "Every answer is marked as made by AI."
)
_LABEL_KOREAN = "AI가 만든 답변"
_LABEL_ENGLISH = "Answer made by AI"


def before(settings: NoticeSettings) -> dict[str, str]:
    """What is said before the first message, by language."""
    return {
        "ko": settings.before_korean or _BEFORE_KOREAN,
        "en": settings.before_english or _BEFORE_ENGLISH,
    }


def label(settings: NoticeSettings) -> dict[str, str]:
    """What stands at every answer, by language."""
    return {"ko": settings.label_korean or _LABEL_KOREAN, "en": settings.label_english or _LABEL_ENGLISH}
