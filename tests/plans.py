"""Plans made by hand: `plan(note("capital", NEW, fields={"Front": "Paris?"}))`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from pathlib import Path
from types import MappingProxyType

from obs2anki import schedule
from obs2anki.data import (
    NEW,
    Card,
    DeckName,
    Flashcard,
    FlashcardType,
    Guid,
    Media,
    Note,
    Notetype,
    Plan,
    Planned,
    Review,
    Scheduling,
    Sm2Review,
    VaultPath,
)
from obs2anki.notetypes import FIELDS

LONG_AGO = 1577836800
"""The `mod` of a flashcard that never changed."""

SEEN = 1704067200
"""2024-01-01 00:00 UTC."""


def note(
    guid: str,
    *schedulings: Scheduling,
    notetype: Notetype = Notetype.BASIC,
    deck: str = "learning",
    tags: tuple[str, ...] = (),
    mod: int = LONG_AGO,
    created: int = SEEN,
    position: int = 1,
    ordinals: tuple[int, ...] | None = None,
    fields: Mapping[str, str] = MappingProxyType({}),
) -> Note:
    """A note with a card for each scheduling; one new card if none is given."""
    schedulings = schedulings or (NEW,)
    basic = notetype is Notetype.BASIC
    sides = {"Front": f"question {guid}", "Back": f"answer {guid}"}
    if basic and len(schedulings) > 1:
        sides["Reverse"] = "1"
    values = (sides if basic else {"Text": f"{guid} is {{{{c1::one}}}}"}) | dict(fields)
    return Note(
        guid=Guid(guid),
        notetype=notetype,
        fields=tuple(values.get(name, "") for name in FIELDS[notetype]),
        deck=DeckName(deck),
        tags=tags,
        cards=tuple(
            Card(ordinal, scheduling)
            for ordinal, scheduling in zip(
                ordinals or range(len(schedulings)), schedulings, strict=True
            )
        ),
        position=position,
        media=(),
        mod=mod,
        created=created,
        path=VaultPath("a.md"),
        line=position,
    )


def plan(
    *notes: Note, rollover: int = 4, revlog: bool = False, media: tuple[Media, ...] = ()
) -> Plan:
    """A plan that holds these notes, in this order."""
    return Plan(
        vault_name="vault",
        namespace="obs2anki",
        rollover=rollover,
        revlog=revlog,
        planned=tuple(Planned(_flashcard(n), n.guid, n.deck, n) for n in notes),
        media=media,
        skipped=(),
        left_behind=(),
        diagnostics=(),
    )


def _flashcard(note: Note) -> Flashcard:
    return Flashcard(
        type=FlashcardType.SINGLE_LINE_BASIC,
        path=note.path,
        line=note.line,
        end_line=note.line,
        written=(),
        shown=("question", "answer"),
        cloze=None,
        block_id=None,
        anchor=None,
        context=(),
        leading_tag=None,
        topics=(),
        tags=note.tags,
        reviews=(),
    )


def media(file: Path, content: bytes) -> Media:
    """A media file that lies at `file`, under its own name."""
    file.write_bytes(content)
    return Media(file.name, file, len(content))


def scheduled(review: Review, today: date, zone: tzinfo) -> Scheduling:
    """The scheduling of a review that is within Anki's limits."""
    scheduling, clamped = schedule.of(review, today, zone)
    assert not clamped
    return scheduling


def reviewed(due: date, today: date, zone: tzinfo, interval: int = 14) -> Scheduling:
    """The scheduling of an SM-2 review with ease 232 %."""
    return scheduled(Sm2Review(due, interval, 232), today, zone)
