"""Which card of a cloze note a deletion is, for as long as it lives.

    The ==sun== lights the ==moon==        c1 = sun, c2 = moon
    The sun lights the ==moon==            c2 = moon; c1 stays free for ever
    The sun lights the ==moon== at ==dawn==    c2 = moon, c3 = dawn

Anki keeps a card's history by its ordinal, while the plugin counts deletions anew each time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from msgspec import structs

from obs2anki import cloze
from obs2anki.data import Cloze, Entry, Flashcard, Ordinal, Value
from obs2anki.identity.texts import comparable, digest
from obs2anki.markdown import normalised


class Ordinals(Value, frozen=True):
    """Anki's ordinal for each of the plugin's cards, and what the ledger is to remember."""

    places: tuple[int, ...]
    """By the plugin's order; -1 = a card that asks nothing, or for which Anki has no place left."""
    remembered: tuple[Ordinal, ...] = ()


class _Asked(Value, frozen=True):
    """One of the plugin's cards, by what it asks for."""

    card: int
    answer: str
    digest: str


def new_places(flashcard: Flashcard) -> tuple[int, ...]:
    """The ordinals of a flashcard that is new, as `Ordinals.places`."""
    if flashcard.cloze is None:
        return (0, 1) if flashcard.type.reversed else (0,)
    asking = {card for deletion in flashcard.cloze.deletions for card in deletion.asked}
    return tuple(card if card in asking else -1 for card in range(flashcard.cloze.cards))


def keep(flashcard: Flashcard, entry: Entry | None, patterns: cloze.Patterns) -> Ordinals:
    """The ordinals of a flashcard; of a cloze that is known those that its deletions have had."""
    if flashcard.cloze is None:
        return Ordinals(new_places(flashcard))
    asked = _asked(flashcard.cloze)
    if entry is None or not entry.ordinals:
        found = {one.card: one.card for one in asked}
        return _result(flashcard.card_count, asked, found, ())
    text = flashcard.shown[0]
    live = [ordinal for ordinal in entry.ordinals if not ordinal.gone]
    if digest(comparable(text)) == entry.answer_digest and [o.digest for o in live] == [
        one.digest for one in asked
    ]:
        found = {one.card: ordinal.ordinal for one, ordinal in zip(asked, live, strict=True)}
        return _result(flashcard.card_count, asked, found, entry.ordinals)
    solved = comparable(cloze.solved(text, flashcard.cloze))
    if digest(solved) == entry.question_digest:
        # Only marks came and went, so that the place in the text says which is which.
        spans = _spans(comparable(text), patterns)
        found = _by_place(asked, entry, spans, _spans(entry.answer, patterns))
    else:
        found = _known(asked, entry, patterns, solved)
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
    freed = tuple(structs.replace(o, gone=True) for o in before if o.ordinal not in taken)
    places = tuple(found.get(card, -1) for card in range(cards))
    return Ordinals(places, live + tuple(sorted(freed, key=lambda o: o.ordinal)))


_Span = tuple[int, int]
"""Where an answer begins and ends in a text that has no marks."""


def _spans(text: str, patterns: cloze.Patterns) -> list[tuple[str, tuple[_Span, ...]]]:
    """By card: what it asks for, and where that stands."""
    deletions, _ = cloze.parse(text, patterns)
    answers: defaultdict[int, list[str]] = defaultdict(list)
    places: defaultdict[int, list[_Span]] = defaultdict(list)
    marks = 0
    for deletion in sorted(deletions.deletions, key=lambda d: d.start):
        start = deletion.start - marks
        marks += len(deletion.raw) - len(deletion.answer)
        for card in deletion.asked:
            places[card].append((start, start + len(deletion.answer)))
    for card, texts in cloze.asked(deletions).items():
        answers[card] += texts
    return [
        (digest(normalised(" / ".join(answers[card]))), tuple(places[card]))
        for card in sorted(answers)
    ]


def _by_place(
    asked: Sequence[_Asked],
    entry: Entry,
    now: Sequence[tuple[str, tuple[_Span, ...]]],
    then: Sequence[tuple[str, tuple[_Span, ...]]],
) -> dict[int, int]:
    """The cards whose answers stand, in the same text, where they stood; then those that return.

    The ledger keeps the beginning of the text; beyond it equal answers are the same cards.
    """
    live = [ordinal for ordinal in entry.ordinals if not ordinal.gone]
    stood = dict(_aligned([o.digest for o in live], then))
    stands = dict(_aligned([one.digest for one in asked], now))
    pairs = sorted(
        (-overlap, old, new)
        for old, before in stood.items()
        for new, after in stands.items()
        if (overlap := _overlap(before, after))
    )
    found: dict[int, int] = {}
    taken: set[int] = set()
    for _, old, new in pairs:
        if old not in taken and asked[new].card not in found:
            taken.add(old)
            found[asked[new].card] = live[old].ordinal
    beyond = [o for index, o in enumerate(live) if index not in stood]
    for ordinal in (*beyond, *(o for o in entry.ordinals if o.gone)):
        same = [one for one in asked if one.digest == ordinal.digest and one.card not in found]
        if same:
            found[same[0].card] = ordinal.ordinal
    return found


def _aligned(
    digests: Sequence[str], spans: Sequence[tuple[str, tuple[_Span, ...]]]
) -> Iterator[tuple[int, tuple[_Span, ...]]]:
    """The places of each of the digests, as far as the text that was kept tells them."""
    rest = iter(enumerate(digests))
    for told, places in spans:
        for index, digest_ in rest:
            if digest_ == told:
                yield index, places
                break


def _overlap(one: Sequence[_Span], other: Sequence[_Span]) -> int:
    """How many characters two cards share."""
    return sum(
        max(0, min(end, last) - max(start, first)) for start, end in one for first, last in other
    )


def _known(
    asked: Sequence[_Asked], entry: Entry, patterns: cloze.Patterns, solved: str
) -> dict[int, int]:
    """The cards that are known again in a text that was reworded, from strong evidence to weak."""
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
        if free and _is_reworded(answers.get(old.digest), one.answer, entry, solved):
            found[one.card] = old.ordinal
    return found


def _answers(entry: Entry, patterns: cloze.Patterns) -> dict[str, str]:
    """The answers of then by their digests, as far as the ledger keeps the text."""
    then, _ = cloze.parse(entry.answer, patterns)
    texts = (normalised(" / ".join(a)) for a in cloze.asked(then).values())
    return {digest(text): text for text in texts}


def _is_reworded(old: str | None, new: str, entry: Entry, solved: str) -> bool:
    """Whether the one deletion that changed between its neighbours is the same one, reworded.

    It is another if both answers stand in the text, then and now: the mark went to other words.
    What stood beyond the part that the ledger keeps may have stood there too.
    """
    if old is None:
        return False
    kept_whole = digest(entry.question) == entry.question_digest
    if old in solved and (new in entry.question or not kept_whole):
        return False
    from rapidfuzz import fuzz

    return bool(fuzz.ratio(old, new) >= 50) or new not in entry.question
