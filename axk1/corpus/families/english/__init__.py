"""English: sums, talk, tool calls, and words and phrases from and into Korean."""

from __future__ import annotations

from axk1.corpus.families.english import commands, talk, translation

FAMILIES = (talk.FAMILY, commands.FAMILY, translation.FAMILY)
