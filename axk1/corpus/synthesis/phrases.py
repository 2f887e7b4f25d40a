"""Phrases of models that do not belong into a document, as patterns.

Each was tried on text that people wrote: 물론, 네 가지, "파일을 제공할 수 없습니다" and an apology inside a story are
no signs of a model, so the patterns ask for a place or for somebody who speaks of himself.
"""

import re

__all__ = ["ASKS", "BLANKS", "LEANS", "REFUSES", "TO_ASKER"]

REFUSES = re.compile(
    r"^\W*(?:정말 |대단히 )?(?:죄송|미안)(?:합니다|하지만|해요|하게도)"
    r"|(?:AI|인공 ?지능|언어) ?(?:언어 ?)?(?:모델|비서|어시스턴트)(?:로서|이기 때문|이므로|이라서)"
    r"|(?<![가-힣])(?:저는|나는|전|제가) [^.!?\n]{0,20}(?:AI|인공 ?지능|언어 ?모델)"
    r"|(?<![가-힣])(?:저는|제가|요청하신|질문하신|해당 (?:요청|질문))[^.!?\n]{0,40}"
    r"(?:제공|작성|답변|생성|대답)(?:할|해 드릴|을 드릴|드릴) 수(?:가)? 없"
    r"|(?:도와|도움을) ?드릴 수(?:가)? 없|(?:답변|대답)(?:을|해)? ?드릴 수(?:가)? 없"
    r"|\b[Aa]s an AI\b|\bI(?:'m| am) sorry\b|\bI can(?:'t|not) (?:help|assist|provide)\b"
)
"""An apology at the beginning, and what a model says of itself."""

TO_ASKER = re.compile(
    r"^\W*(?:네|예|물론(?:입니다|이죠|이에요|이지요)?|알겠습니다|좋습니다|당연하죠)[,.!]"
    r"|^\W*(?:다음은|아래는|여기) [^\n]{0,60}(?:입니다|드립니다|있습니다|예요|이에요)[.:!]?\s*\n"
    r"|(?:더|다른|추가로) (?:궁금|필요|알고 싶|도움)[^\n]{0,30}(?:물어|말씀|알려|문의|질문)[^\n]{0,12}(?:주세요|십시오)"
    r"|(?:도움이 되(?:셨|었)|이해에 도움이 되)(?:기를|길|으면)"
    r"|위(?:와| 글은| 내용은) [^\n]{0,30}(?:작성|정리|요약)(?:했|하였|해 보았)"
    r"|^\W*(?:Sure|Certainly|Here is|Here's|Of course)\b"
)
"""What is said to the person who asked: yes, here is your text, ask again."""

BLANKS = re.compile(
    r"\[(?:이름|날짜|주제|내용|제목|회사|숫자|여기)[^\]\n]{0,12}\]|[○◯]{2,}|\((?:질문|답|응답|시키는 말)\)"
)
"""Places that somebody was to fill in."""

ASKS = re.compile(r"(?:\?|(?:[까요오죠]|시오|줘|줄래|해라|하라|이란|인지|인가|는가|은가|나|니|냐|지)[.!]?)[\s\"'”’)]*$")
"""How a question ends, or the wish of somebody who wants something done."""

LEANS = re.compile(
    r"(?<![가-힣])(?:이|위|해당|본|주어진|아래|다음) ?(?:의 )?(?:글|본문|지문|문서|문단|내용|텍스트|자료|문장)"
    r"(?:에서|에|의|은|는|을|를|이|과|에는|에서는|에 따르면)?(?![가-힣])"
    r"|글쓴이(?:는|가|의)|본문(?:에서|에|의)|(?<![가-힣])글(?:에서|에 따르면|에 나온)"
)
"""A question that only a reader of the passage understands."""
