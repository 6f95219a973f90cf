"""The package that is handed to a running Anki: new notes, and changed ones with all their text.

    packed([Parcel(note, {"Front": "What?", "My field": "..."}, kind)], kinds, plan)  ->  bytes

AnkiConnect imports it with every option on: a note whose time of change is newer than Anki's is
replaced as a whole, fields and tags; cards that Anki has already stay as they are; a notetype
that differs in its fields is changed, and Anki then asks for a one-way sync. So each note comes
with all that it has in Anki, and each notetype as it is there (Anki 26.09).
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from msgspec import structs

from obs2anki.data import Card, Guid, Note, Plan
from obs2anki.deeds import Add, Change, Place
from obs2anki.destinations import anki2, archive
from obs2anki.destinations.kinds import Kind
from obs2anki.destinations.package import COLLECTION, MEDIA
from obs2anki.identity import created, note_id
from obs2anki.notetypes import DEFINITIONS, FIELDS, MOD


@dataclass(frozen=True, slots=True)
class Parcel:
    """A note to be packed."""

    place: Place
    note: Note
    fields: Mapping[str, str]
    """By name, those that the user added included."""
    kind: Kind | None
    """None = Anki does not have its notetype yet."""
    change: Change | None = None
    """What it is the result of, if Anki has the note already."""

    @property
    def own(self) -> str:
        """What stands for its GUID in the field Id."""
        return note_id(self.note.guid)

    def may_have(self, number: int) -> bool:
        """Whether a package may have brought it under this number: that is long ago.

        Where a number is taken Anki counts on from there.
        """
        return 0 <= number - self.note.created * 1000 < 3_600_000

    @property
    def state(self) -> str:
        """Its field State."""
        return self.note.fields[FIELDS[self.note.notetype].index("State")]

    @property
    def is_incomplete(self) -> bool:
        """Whether it is new and comes without its State: cards are still to be made of it.

        A package names its cards, and Anki makes no others: not those of the user's templates.
        """
        return self.change is None and self.kind is not None and self.kind.has_more


def new(add: Add, kind: Kind | None) -> Parcel:
    """A note that Anki does not have.

    It is as old as can be: of a note that has its GUID after all, in a place where obs2anki does
    not look, nothing is replaced.
    """
    note = structs.replace(add.note, mod=MOD)
    parcel = Parcel(
        add.place, note, dict(zip(FIELDS[note.notetype], note.fields, strict=True)), kind
    )
    if parcel.is_incomplete:
        return replace(parcel, fields={**parcel.fields, "State": ""})
    return parcel


def changed(change: Change, guid: Guid, kind: Kind, now: int) -> Parcel:
    """A note that Anki has, with all that is in it there, changed at `now`.

    The cards that Anki has are named, or it would take them for missing; they stay as they are.
    """
    fields = dict(change.held.fields) | dict(change.fields)
    removed = set(change.remove_tags)
    sibling = change.sibling_note
    note = Note(
        guid=guid,
        notetype=change.held.notetype,
        fields=tuple(fields.get(name, "") for name in FIELDS[change.held.notetype]),
        # A deck that is there: Anki makes the others.
        deck=sibling.deck if sibling is not None else change.held.cards[0].deck,
        tags=(*(tag for tag in change.held.tags if tag not in removed), *change.add_tags),
        cards=(*change.siblings, *(Card(card.ordinal) for card in change.held.cards)),
        position=sibling.position if sibling is not None else 1,
        media=(),
        mod=now,
        created=created(note_id(guid)),
        path=change.place.path,
        line=change.place.line or 1,
    )
    return Parcel(change.place, note, fields, kind, change)


# ---------------------------------------------------------------- the package


@dataclass(frozen=True, slots=True)
class _Parcels(Plan):
    """A plan of notes that need not be in the vault any more."""

    own: tuple[Note, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        return self.own


def packed(parcels: Sequence[Parcel], kinds: Iterable[Kind], plan: Plan) -> bytes:
    """The package of `parcels`; `kinds` are all of our notetypes that Anki has."""
    notes = _Parcels(
        vault_name=plan.vault_name,
        namespace=plan.namespace,
        rollover=plan.rollover,
        revlog=plan.revlog,
        planned=(),
        media=(),
        skipped=(),
        left_behind=(),
        diagnostics=(),
        own=tuple(parcel.note for parcel in parcels),
    )
    file = io.BytesIO()
    with closing(anki2.database(notes)) as connection:
        _shape(connection, parcels, kinds)
        collection = connection.serialize()
        with archive.begun(file, COLLECTION, (collection,), len(collection)) as package:
            package.writestr(MEDIA, "{}")
    return file.getvalue()


def _shape(
    connection: sqlite3.Connection, parcels: Iterable[Parcel], kinds: Iterable[Kind]
) -> None:
    """Give the package Anki's notetypes, and each note the fields of its own, in that order."""
    (text,) = connection.execute("SELECT models FROM col").fetchone()
    models = json.loads(text)
    ours = {kind: models[str(definition.id)] for kind, definition in DEFINITIONS.items()}
    for kind in kinds:
        models.pop(str(DEFINITIONS[kind.notetype].id), None)
    for kind in kinds:
        models[str(kind.id)] = _model(ours[kind.notetype], kind)
    connection.execute("UPDATE col SET models = ?", (json.dumps(models, ensure_ascii=False),))
    number_of = dict(connection.execute("SELECT guid, id FROM notes"))
    connection.executemany(
        "UPDATE notes SET mid = ?, flds = ? WHERE id = ?",
        (
            (
                parcel.kind.id,
                "\x1f".join(parcel.fields.get(name, "") for name in parcel.kind.fields),
                number_of[parcel.note.guid],
            )
            for parcel in parcels
            if parcel.kind is not None
        ),
    )
    for kind in kinds:
        kind.reorder(connection)
    connection.commit()


Json = dict[str, object]


def _model(ours: Json, kind: Kind) -> Json:
    """A notetype in Anki's JSON; by id and names Anki sees that it is the one that it has."""
    place = {name: number for number, name in enumerate(FIELDS[kind.notetype])}
    return ours | {
        "id": kind.id,
        "name": kind.name,
        "flds": _named(ours["flds"], kind.fields, [place.get(name) for name in kind.fields]),
        "tmpls": _named(ours["tmpls"], kind.templates, kind.ordinals),
    }


def _named(ours: object, names: Sequence[str], places: Sequence[int | None]) -> list[Json]:
    """Fields or templates with these names, by their places among ours.

    One that is not ours is like our first.
    """
    assert isinstance(ours, list)
    known: dict[int | None, Json] = dict(enumerate(ours))
    unknown: Json = {key: value for key, value in ours[0].items() if key != "id"}
    return [
        known.get(place, unknown) | {"name": name, "ord": number}
        for number, (name, place) in enumerate(zip(names, places, strict=False))
    ]
