"""Phrases of models that do not belong into a document, as patterns."""

import re

__all__ = ["BLANKS", "LEANS", "REFUSES", "TO_ASKER"]

REFUSES = re.compile(
    r"(?:인공 ?지능|AI) ?(?:언어)? ?(?:모델|비서|어시스턴트)(?:로서|이기|이므로|이라|입니다|이에요|예요)|언어 ?모델로서"
    r"|(?:죄송|미안)(?:합니다|하지만|해요|하게도)|(?:도와|도움을) ?드릴 수 (?:없|가 없)"
    r"|(?:답변|대답)(?:을|해)? ?드릴 수 없|(?:제공|작성|답변|생성)할 수 없(?:습니다|어요|는 점)"
    r"|\b[Aa]s an AI\b|\bI(?:'m| am) sorry\b|\bI can(?:'t|not) (?:help|assist|provide)\b"
)
"""Apologies, and what a model says of itself."""

TO_ASKER = re.compile(
    r"^\W*(?:네|예|물론(?:입니다|이죠|이에요)?|알겠습니다|좋습니다|당연하죠)[,.! ]"
    r"|^\W*(?:다음은|아래는|여기) [^\n]{0,60}(?:입니다|드립니다|있습니다|예요|이에요)[.:!]?\s*\n"
    r"|(?:더|다른|추가로) (?:궁금|필요|알고 싶|도움)[^\n]{0,30}(?:물어|말씀|알려|문의|질문)[^\n]{0,12}(?:주세요|십시오)"
    r"|(?:도움이 되(?:셨|었)|이해에 도움이 되)(?:기를|길|으면)"
    r"|위(?:와| 글은| 내용은) [^\n]{0,30}(?:작성|정리|요약)(?:했|하였|해 보았)"
    r"|^\W*(?:Sure|Certainly|Here is|Here's|Of course)\b"
)
"""What is said to the person who asked: yes, here is your text, ask again."""

BLANKS = re.compile(
    r"\{\{|\}\}|\[(?:이름|날짜|주제|내용|제목|회사|숫자|여기)[^\]\n]{0,12}\]|[○◯]{2,}|\((?:질문|답|응답|시키는 말)\)"
)
"""Places that somebody was to fill in."""

LEANS = re.compile(
    r"(?<![가-힣])(?:이|위|해당|본|주어진|아래|다음) ?(?:의 )?(?:글|본문|지문|문서|문단|내용|텍스트|자료|문장)"
    r"(?:에서|에|의|은|는|을|를|이|과|에는|에서는|에 따르면)?(?![가-힣])"
    r"|글쓴이(?:는|가|의)|본문(?:에서|에|의)|(?<![가-힣])글(?:에서|에 따르면|에 나온)"
)
"""A question that only a reader of the passage understands."""
