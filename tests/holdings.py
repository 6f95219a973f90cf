"""What Anki holds, made by hand: `held(note("capital"), tags=("leech",))`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from types import MappingProxyType

from msgspec import structs

from obs2anki import identity
from obs2anki.data import DeckName, Entry, FlashcardType, Guid, Note, Notetype, Plan
from obs2anki.deeds import CardId, HeldCard, HeldNote, Holding, NoteId
from obs2anki.notetypes import FIELDS
from obs2anki.reconcile import WRITTEN
from tests.plans import plan

TODAY = date(2024, 4, 12)


def stated(note: Note) -> Note:
    """The note with the State that a plan gives it."""
    fields = dict(zip(FIELDS[note.notetype], note.fields, strict=True))
    fields |= {"Id": identity.note_id(note.guid), "Vault": "obs2anki"}
    written = (fields[name] for name in WRITTEN[note.notetype])
    digests = (
        identity.digest(*written),
        identity.digest(*note.tags),
        identity.digest(note.deck),
    )
    fields["State"] = " ".join(digests)
    return structs.replace(note, fields=tuple(fields[name] for name in FIELDS[note.notetype]))


def held(
    note: Note,
    *,
    tags: tuple[str, ...] | None = None,
    decks: tuple[str, ...] = (),
    suspended: tuple[int, ...] = (),
    filtered: bool = False,
    fields: Mapping[str, str] = MappingProxyType({}),
    known_by_id: bool = False,
    number: int = 1,
) -> HeldNote:
    """A note as Anki holds it after it was written, and then edited there as named."""
    note = stated(note)
    decks = decks or (note.deck,) * len(note.cards)
    return HeldNote(
        id=NoteId(number),
        guid=None if known_by_id else note.guid,
        notetype=note.notetype,
        fields=dict(zip(FIELDS[note.notetype], note.fields, strict=True)) | dict(fields),
        tags=note.tags if tags is None else tags,
        cards=tuple(
            HeldCard(
                CardId(number * 100 + card.ordinal),
                card.ordinal,
                DeckName(deck),
                filtered=filtered,
                suspended=card.ordinal in suspended,
                scheduling=card.scheduling,
            )
            for card, deck in zip(note.cards, decks, strict=True)
        ),
    )


def holding(*notes: HeldNote, decks: tuple[str, ...] | None = None) -> Holding:
    """An Anki that holds these notes, and the decks that their cards are in."""
    names = {card.deck for note in notes for card in note.cards}
    return Holding(
        notes, frozenset(map(DeckName, decks)) if decks is not None else frozenset(names)
    )


def entry(note: Note, *, gone: date | None = None) -> Entry:
    """What the ledger knows of a note."""
    cloze = note.notetype is Notetype.CLOZE
    return Entry(
        guid=note.guid,
        type=FlashcardType.CLOZE if cloze else FlashcardType.SINGLE_LINE_BASIC,
        path=note.path,
        deck=note.deck,
        tags=note.tags,
        block_id=None,
        question=f"question {note.guid}",
        answer="",
        digest=("", ""),
        context_digest="",
        after=None,
        reviews=(),
        content="",
        mod=note.mod,
        seen=0,
        gone=gone,
    )


def vault(*notes: Note, gone: tuple[Note, ...] = ()) -> Plan:
    """The plan of a vault that holds these notes, and held others once."""
    entries = [entry(note) for note in notes] + [entry(note, gone=TODAY) for note in gone]
    ledger = {Guid(one.guid): one for one in entries}
    return replace(plan(*map(stated, notes)), ledger=tuple(ledger[guid] for guid in sorted(ledger)))
