"""Which card of a cloze note a deletion is, for as long as it lives.

    The ==sun== lights the ==moon==        c1 = sun, c2 = moon
    The sun lights the ==moon==            c2 = moon; c1 stays free for ever
    The sun lights the ==moon== at ==dawn==    c2 = moon, c3 = dawn

Anki keeps a card's history by its ordinal, while the plugin counts deletions anew each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from obs2anki import cloze
from obs2anki.data import Cloze, Entry, Flashcard, Ordinal
from obs2anki.identity.digests import digest
from obs2anki.markdown import normalised


@dataclass(frozen=True, slots=True)
class Ordinals:
    """Anki's ordinal for each of the plugin's cards, and what the ledger is to remember."""

    places: tuple[int, ...]
    """By the plugin's order; -1 = a card that asks nothing, or for which Anki has no place left."""
    remembered: tuple[Ordinal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """One of the plugin's cards, by what it asks for."""

    card: int
    answer: str
    digest: str


def keep(flashcard: Flashcard, entry: Entry | None, patterns: cloze.Patterns) -> Ordinals:
    """The ordinals of a flashcard; of a cloze that is known those that its deletions have had."""
    if flashcard.cloze is None:
        return Ordinals(tuple(range(flashcard.card_count)))
    asked = _asked(flashcard.cloze)
    if entry is None or not entry.ordinals:
        found = {one.card: one.card for one in asked}
        return _result(flashcard.card_count, asked, found, ())
    found = _known(asked, entry, patterns)
    free = max(o.ordinal for o in entry.ordinals) + 1
    for one in asked:
        if one.card not in found:
            found[one.card] = free if free < cloze.MAX_CARDS else -1
            free += 1
    return _result(flashcard.card_count, asked, found, entry.ordinals)


def asked_digests(flashcard: Flashcard) -> tuple[str, ...]:
    """Digests of what each card of a cloze asks for; nothing for other flashcards."""
    return tuple(one.digest for one in _asked(flashcard.cloze)) if flashcard.cloze else ()


def _asked(deletions: Cloze) -> list[_Asked]:
    return [
        _Asked(card, answer := normalised(" / ".join(answers)), digest(answer))
        for card, answers in cloze.asked(deletions).items()
    ]


def _result(
    cards: int, asked: Sequence[_Asked], found: dict[int, int], before: Sequence[Ordinal]
) -> Ordinals:
    live = tuple(Ordinal(found[one.card], one.digest) for one in asked if found[one.card] >= 0)
    taken = {ordinal.ordinal for ordinal in live}
    freed = tuple(replace(o, gone=True) for o in before if o.ordinal not in taken)
    places = tuple(found.get(card, -1) for card in range(cards))
    return Ordinals(places, live + tuple(sorted(freed, key=lambda o: o.ordinal)))


def _known(asked: Sequence[_Asked], entry: Entry, patterns: cloze.Patterns) -> dict[int, int]:
    """The cards that are known again, from strong evidence to weak."""
    live = [ordinal for ordinal in entry.ordinals if not ordinal.gone]
    found: dict[int, int] = {}
    reworded: list[tuple[Ordinal, _Asked]] = []
    matcher = SequenceMatcher(None, [o.digest for o in live], [a.digest for a in asked], False)
    for tag, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        pairs = list(zip(live[old_start:old_end], asked[new_start:new_end], strict=False))
        if tag == "equal":
            found |= {one.card: old.ordinal for old, one in pairs}
        elif tag == "replace" and old_end - old_start == new_end - new_start == 1:
            reworded += pairs
    # The same answer elsewhere in the text: moved, or back again.
    for old in entry.ordinals:
        same = [one for one in asked if one.digest == old.digest and one.card not in found]
        if same and old.ordinal not in found.values():
            found[same[0].card] = old.ordinal
    answers = _answers(entry, patterns)
    for old, one in reworded:
        free = one.card not in found and old.ordinal not in found.values()
        if free and _is_reworded(answers.get(old.digest), one.answer, entry, asked):
            found[one.card] = old.ordinal
    return found


def _answers(entry: Entry, patterns: cloze.Patterns) -> dict[str, str]:
    """The answers of then by their digests, as far as the ledger keeps the text."""
    then, _ = cloze.parse(entry.answer, patterns)
    texts = (normalised(" / ".join(a)) for a in cloze.asked(then).values())
    return {digest(text): text for text in texts}


def _is_reworded(old: str | None, new: str, entry: Entry, asked: Sequence[_Asked]) -> bool:
    """Whether the one deletion that changed between its neighbours is the same one, reworded.

    It is another if both answers stood in the text before: then the mark went to other words.
    """
    if old is None:
        return False
    from rapidfuzz import fuzz

    return bool(fuzz.ratio(old, new) >= 50) or new not in entry.question
