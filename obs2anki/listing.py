"""What would be exported, or what has left: a table, or JSON for programs.

    Place              Type   Deck     Due         Front
    biology/cell.md:3  cloze  biology  2024-04-12  The [...] makes ATP

Sides are written as they are made: a flashcard with 500 clozes in a long text has a thousand
long sides, and never more than two of them are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, tzinfo

from msgspec import structs

from obs2anki import extract, identity, schedule
from obs2anki.build import Round
from obs2anki.data import Entry, FsrsReview, Planned, Review, Sm2Review
from obs2anki.markdown import trim
from obs2anki.terminal import columns, harmless, shortened
from obs2anki.wording import Wording, in_json

VERSION = 1
"""Of the JSON; it goes up when a name in it changes its meaning."""

FRONT = 60
"""Columns for the front of a card in the table."""

NOT_EXPORTED = "not exported"
"""In place of the day on which a card is due, where Anki does not get the card."""


# ---------------------------------------------------------------- to people


def table(round_: Round, wording: Wording) -> Iterator[str]:
    """A line for each of the plugin's cards; one that Anki does not get says so."""
    rows = [("Place", "Type", "Deck", "Due", "Front")]
    rows += (row for planned in round_.plan.planned for row in _rows(planned, round_, wording))
    return columns(rows) if len(rows) > 1 else iter(("There are no flashcards in this vault.",))


def _rows(
    planned: Planned, round_: Round, wording: Wording
) -> Iterator[tuple[str, str, str, str, str]]:
    flashcard = planned.flashcard
    place, deck = wording.place(flashcard.path, flashcard.line), harmless(planned.deck)
    places = _places(planned)
    for ordinal, (front, _) in enumerate(extract.faces(flashcard)):
        review = flashcard.review(ordinal)
        due = "new" if review is None else _due(review, round_.zone)
        due = due if _place(places, ordinal) is not None else NOT_EXPORTED
        yield place, flashcard.type, deck, due, shortened(front, FRONT)


# ---------------------------------------------------------------- to programs


def as_json(round_: Round) -> Iterator[str]:
    """The pieces of one JSON object, to be written one after the other; a flashcard a line.

    Paths are relative to the vault, lines are 1-based, sides are Markdown.
    """
    plan = round_.plan
    yield f'{{"version": {VERSION}, "vault": {in_json(plan.vault_name)},\n "flashcards": ['
    before = "\n  "
    for planned in plan.planned:
        yield before
        yield from _flashcard(planned, round_.zone)
        before = ",\n  "
    yield '],\n "skipped": ['
    yield _lines(structs.asdict(skipped) for skipped in plan.skipped)
    yield '],\n "diagnostics": ['
    yield _lines(structs.asdict(found) for found in plan.diagnostics)
    yield "]}\n"


def _flashcard(planned: Planned, zone: tzinfo) -> Iterator[str]:
    flashcard, note = planned.flashcard, planned.note
    head = {
        "path": flashcard.path,
        "line": flashcard.line,
        "end_line": flashcard.end_line,
        "type": flashcard.type,
        "guid": planned.guid,
        "deck": planned.deck,
        "decks": flashcard.topics,
        "tags": note.tags if note is not None else flashcard.tags,
        "block_id": flashcard.block_id,
        "context": flashcard.context,
    }
    yield in_json(head).removesuffix("}") + ', "cards": ['
    places = _places(planned)
    for ordinal, (front, back) in enumerate(extract.faces(flashcard)):
        review = flashcard.review(ordinal)
        card = {
            "ordinal": ordinal,
            "anki_ordinal": _place(places, ordinal),
            "front": trim(front),
            "back": trim(back),
            "schedule": None if review is None else _schedule(review, zone),
        }
        yield (", " if ordinal else "") + in_json(card)
    yield "]}"


def _places(planned: Planned) -> Sequence[int]:
    """By the plugin's order of cards: Anki's ordinals, as far as there is a note."""
    return planned.ordinals if planned.note is not None else ()


def _place(places: Sequence[int], ordinal: int) -> int | None:
    """Anki's ordinal for one of the plugin's cards, if it is packed."""
    place = places[ordinal] if ordinal < len(places) else -1
    return place if place >= 0 else None


def _lines(values: Iterable[object]) -> str:
    return ",".join(f"\n  {in_json(value)}" for value in values)


# ---------------------------------------------------------------- what has left the vault

IDS_A_SEARCH = 100
"""How many notes one search finds: it has to be pasted, and Anki refuses endless ones."""


def gone(round_: Round, wording: Wording) -> Iterator[str]:
    """A line for each flashcard that has left, then searches that find their notes in Anki."""
    if not round_.remembers:
        yield "There is no ledger yet, so nobody knows what has left: the first export begins one."
        return
    left = _gone(round_)
    if not left:
        yield "No flashcard has left this vault since it was exported."
        return
    rows = [("Gone", "Stood in", "Deck", "Question")]
    rows += (
        (
            str(one.gone),
            wording.place(one.path) if one.path else "?",
            harmless(one.deck),
            shortened(one.question, FRONT),
        )
        for one in left
    )
    yield from columns(rows)
    searches = _searches(left)
    if searches:
        yield ""
        yield "An import deletes nothing. To find their notes, paste this into Anki's browser:"
    for search in searches:
        yield from ("", search)


def gone_as_json(round_: Round) -> Iterator[str]:
    """What has left as one JSON object; `gone` is empty where there is no ledger."""
    left = _gone(round_)
    yield f'{{"version": {VERSION}, "vault": {in_json(round_.plan.vault_name)},\n "gone": ['
    yield _lines(
        {
            "guid": one.guid,
            "id": identity.note_id(one.guid) if one.content else None,
            "path": one.path,
            "deck": one.deck,
            "question": one.question,
            "gone": str(one.gone),
        }
        for one in left
    )
    yield '],\n "searches": ['
    yield _lines(_searches(left))
    yield "]}\n"


def _gone(round_: Round) -> list[Entry]:
    """What the ledger says has left, or will say after the next export; latest first."""
    left = sorted((one for one in round_.plan.ledger if one.gone), key=lambda one: one.path)
    return sorted(left, key=lambda one: str(one.gone), reverse=True)


def _searches(left: Sequence[Entry]) -> list[str]:
    """Searches for Anki's browser that find the notes by their Id field, and no others."""
    # Without content it was never packed, so there is no note.
    ids = [identity.note_id(one.guid) for one in left if one.content]
    chunks = (ids[i : i + IDS_A_SEARCH] for i in range(0, len(ids), IDS_A_SEARCH))
    return [f'"Id:re:^({"|".join(chunk)})$"' for chunk in chunks]


# ---------------------------------------------------------------- reviews as they are written


def _schedule(review: Review, zone: tzinfo) -> dict[str, str | int | float | None]:
    """A review before Anki's limits are put on it."""
    due = _due(review, zone)
    if isinstance(review, Sm2Review):
        return {"due": due, "interval": review.interval, "ease": review.ease}
    return {
        "due": due,
        "interval": _number(review.interval),
        "stability": _number(review.stability),
        "difficulty": _number(review.difficulty),
        "state": review.state,
        "reps": review.reps,
        "lapses": review.lapses,
        "last_review": None if review.last_review is None else _instant(review.last_review, zone),
    }


def _number(value: float) -> int | float:
    """A number as JavaScript writes it: a whole one without a decimal point."""
    return int(value) if value.is_integer() else value


def _due(review: Review, zone: tzinfo) -> str:
    """The day on which a card falls due."""
    if isinstance(review, FsrsReview):
        return schedule.day(review.due, zone).isoformat()
    return review.due.isoformat()


def _instant(instant: datetime, zone: tzinfo) -> str:
    """An instant in UTC, to the millisecond, as JavaScript writes it.

    One without a zone is in `zone`.
    """
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=zone)
    try:
        there = aware.astimezone(UTC)
    except OverflowError:  # in the first or the last day that a calendar knows
        there = aware
    return there.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
