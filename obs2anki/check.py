"""What is worth telling about flashcards that are exported all the same.

One rule, one function, in CHECKS; adding a rule is adding a line. A rule is handed one flashcard
and yields findings.

    What makes ATP?::        O301, for the back is empty
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from obs2anki import diagnostics, markdown
from obs2anki.data import Diagnostic, Flashcard


def empty_sides(flashcard: Flashcard) -> Iterator[Diagnostic]:
    """A question without an answer, or the other way round."""
    if flashcard.cloze is None:
        for name, side in zip(("front", "back"), flashcard.shown, strict=True):
            if _shows_nothing(side):
                yield diagnostics.at("O301", flashcard.path, flashcard.line, name)


_COMMENT_MARK = re.compile("%%|<!--|-->")
_CLOSING = {"%%": "%%", "<!--": "-->"}


def _shows_nothing(side: str) -> bool:
    """Whether there are but blanks, thematic breaks and comments: a card shows none of them."""
    if markdown.trim(side)[:1] not in ("", "-", "*", "_", "%", "<"):
        return False
    lines = _without_comments(side).split("\n")
    return all(not markdown.trim(line) or markdown.is_break(line) for line in lines)


def _without_comments(text: str) -> str:
    """A text without `%%these%%` and `<!-- these -->`; one that never closes stays."""
    kept: list[str] = []
    start, closing = 0, ""
    for mark in _COMMENT_MARK.finditer(text):
        if not closing and mark[0] in _CLOSING:
            kept.append(text[start : mark.start()])
            start, closing = mark.start(), _CLOSING[mark[0]]
        elif mark[0] == closing:
            start, closing = mark.end(), ""
    return "".join((*kept, text[start:]))


CHECKS: tuple[Callable[[Flashcard], Iterator[Diagnostic]], ...] = (empty_sides,)


def flashcards(checked: Iterable[Flashcard]) -> list[Diagnostic]:
    """All findings about `checked`, in its order."""
    return [found for flashcard in checked for rule in CHECKS for found in rule(flashcard)]
