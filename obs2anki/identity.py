"""Which Anki note a flashcard is: its GUID, by which an import finds the note again.

    Capital of Norway;; Oslo        ->  guid_for("obs2anki", "Capital of Norway")

Two people, or two copies of a vault, get the same GUIDs for the same text without talking.
Reviews, decks, tags, the kind of flashcard and the document play no part.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from obs2anki import cloze, markdown
from obs2anki.data import Flashcard, Guid, VaultPath


@dataclass(frozen=True, slots=True)
class Key:
    """What tells one flashcard from another: its question and its answer, for comparing."""

    question: str
    answer: str


def key(flashcard: Flashcard) -> Key:
    """The question and the answer as they are shown, in one form of Unicode and white space.

    A cloze's question is its text with every answer in place, so that marking other words
    asks the same; its answer is the text with its marks.
    """
    first = flashcard.shown[0]
    if flashcard.cloze is not None:
        solved = cloze.solved(first, flashcard.cloze)
        return Key(markdown.normalised(solved), markdown.normalised(first))
    return Key(markdown.normalised(first), markdown.normalised(flashcard.shown[1]))


def assign(
    flashcards: Sequence[Flashcard], namespace: str, known: Collection[Guid] = ()
) -> tuple[Guid, ...]:
    """A GUID for each flashcard, all different and none of `known`; flashcards in vault order.

    Of several flashcards with one question the first has the question alone, the next question
    and answer, exact duplicates also path and count within it.
    """
    from genanki.util import guid_for

    taken = set(known)
    seen: Counter[Key] = Counter()
    copies: Counter[tuple[Key, VaultPath]] = Counter()
    guids: list[Guid] = []
    for flashcard in flashcards:
        own = key(flashcard)
        candidates: list[tuple[object, ...]] = [(own.question,), (own.question, own.answer)]
        guid = Guid("")
        if not seen[own]:
            guid = next(
                (g for c in candidates if (g := guid_for(namespace, *c)) not in taken), guid
            )
        while not guid or guid in taken:
            place = (own, flashcard.path)
            copies[place] += 1
            guid = guid_for(namespace, own.question, own.answer, flashcard.path, copies[place])
        seen[own] += 1
        taken.add(guid)
        guids.append(guid)
    return tuple(guids)


def note_id(guid: Guid) -> str:
    """16 hexadecimal digits that stand for a GUID in Anki's searches, where it cannot stand.

    A GUID may hold `<`, `&` or `"`; the Id field must not.
    """
    return hashlib.sha256(guid.encode()).hexdigest()[:16]


def digest(*texts: str) -> str:
    """12 hexadecimal digits that change when any of the texts does."""
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:12]
