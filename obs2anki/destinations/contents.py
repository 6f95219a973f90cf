"""What matters in a package, each thing as a digest: to tell whether two hold the same.

    rows of a collection  ->  Contents({"oL`p8$%<Q}": (1577836800, "93c95e08e21e...")}, ...)

Ids of notes and cards do not matter: Anki finds a note by its GUID, a card by its ordinal.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from obs2anki.data import Guid, Media, Note, Plan

Row = Sequence[Any]
"""A row of one of Anki's tables; that of a file which others made may hold anything."""

_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class Contents:
    """What matters in a package."""

    notes: Mapping[Guid, Told]
    """`mod` and a digest of notetype, tags and fields of each note."""
    cards: str
    """All cards, in whatever order, with deck, scheduling and review log."""
    frame: str
    """Notetypes, decks and settings."""
    media: Mapping[str, int]
    """Sizes by name; a name carries the digest of what the file holds."""

    @property
    def but_for_notes(self) -> tuple[str, str, Mapping[str, int]]:
        """All that matters and is no note."""
        return self.cards, self.frame, self.media

    def without_mod(self) -> Contents:
        """The same contents, of notes that never changed."""
        return replace(self, notes={guid: (0, text) for guid, (_, text) in self.notes.items()})


Told = tuple[int, str]
"""What `Contents.notes` says of a note."""


CARD = (
    *("did", "ord", "type", "queue", "due", "ivl", "factor", "reps", "lapses"),
    *("left", "odue", "odid", "flags", "data"),
)
"""Columns of table `cards` that matter."""


def told(mod: int, notetype: object, tags: object, fields: object) -> Told:
    """What is told of a note: its columns `mod`, `mid`, `tags` and `flds`."""
    return mod, _digest(_encode((notetype, tags, fields)))


def told_of_card(guid: object, card: Row, log: Row | None) -> bytes:
    """What is told of a card of the note `guid`: its columns `CARD`, and its whole log if any."""
    return _encode((guid, card, log and (log[0], *log[3:])))


@dataclass(frozen=True, slots=True)
class Tally:
    """Takes note of rows as they go by."""

    notes: dict[Guid, Told] = field(default_factory=dict)
    cards: list[bytes] = field(default_factory=list)

    def contents(self, connection: sqlite3.Connection, media: Mapping[str, int]) -> Contents:
        """The contents that these rows are, in the collection that holds them."""
        frame = repr(connection.execute("SELECT crt, conf, models, decks FROM col").fetchall())
        cards = b"".join(sorted(self.cards))
        return Contents(self.notes, _digest(cards), _digest(frame.encode()), media)


@dataclass(slots=True)
class Filled:
    """What a collection was filled with last, and what is told of that; nothing of it is needed."""

    plan: tuple[tuple[Note, ...], int, bool, tuple[Media, ...]] | None = None
    """What of a plan decides what a collection holds."""
    contents: Contents | None = None

    def keep(self, plan: Plan, contents: Contents) -> None:
        """Keep in mind what is told of a plan."""
        self.plan, self.contents = _decisive(plan), contents

    def contents_of(self, plan: Plan) -> Contents | None:
        """What is told of a plan that says the same as the last one; None of any other."""
        return self.contents if self.plan == _decisive(plan) else None

    def told(self, notes: Iterable[Note]) -> dict[Guid, Told]:
        """What is told of those notes that are still the very same."""
        if self.plan is None or self.contents is None:
            return {}
        told, before = self.contents.notes, {note.guid: note for note in self.plan[0]}
        return {note.guid: told[note.guid] for note in notes if before.get(note.guid) is note}


def _decisive(plan: Plan) -> tuple[tuple[Note, ...], int, bool, tuple[Media, ...]]:
    return plan.notes, plan.rollover, plan.revlog, plan.media


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


_CARDS = f"""
    SELECT guid, {", ".join(f"cards.{column}" for column in CARD)}, revlog.* FROM cards
    JOIN notes ON nid = notes.id LEFT JOIN revlog ON cid = cards.id
"""


def contents(connection: sqlite3.Connection, media: Mapping[str, int]) -> Contents:
    """The contents of a collection. Raises sqlite3.Error or ValueError where it is none."""
    tally = Tally()
    for guid, *note in connection.execute("SELECT guid, mod, mid, tags, flds FROM notes"):
        tally.notes[guid] = told(*note)
    for guid, *row in connection.execute(_CARDS):
        card, log = row[: len(CARD)], row[len(CARD) :]
        tally.cards.append(told_of_card(guid, card, log if log[0] is not None else None))
    return tally.contents(connection, media)
