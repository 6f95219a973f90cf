"""What is worth telling about flashcards that are exported all the same.

One rule, one function, in CHECKS; adding a rule is adding a line. A rule is handed one flashcard
and yields findings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from obs2anki import diagnostics, markdown
from obs2anki.data import Diagnostic, Flashcard


def empty_sides(flashcard: Flashcard) -> Iterator[Diagnostic]:
    """A question without an answer, or the other way round."""
    if flashcard.cloze is None:
        for name, side in zip(("front", "back"), flashcard.shown, strict=True):
            if not markdown.trim(side):
                yield diagnostics.at("O301", flashcard.path, flashcard.line, name)


CHECKS: tuple[Callable[[Flashcard], Iterator[Diagnostic]], ...] = (empty_sides,)


def flashcards(checked: Iterable[Flashcard]) -> list[Diagnostic]:
    """All findings about `checked`, in its order."""
    return [found for flashcard in checked for rule in CHECKS for found in rule(flashcard)]
