r"""An open collection of Anki's engine: what it holds, and how it is written.

    notes  1577836861000 | "Hr7[9uP^" | mid | " ml leech " | "What?\x1fThat\x1f..."  ->  HeldNote
    Change(fields={"Front": "Which?"}, move=Move(...))                               ->  the engine

New notes, and new cards of old ones, come by Anki's own import, so that they arrive exactly as
those of an exported package do; all else is said to the engine directly. Nothing here knows
where the collection lies, or whether it is a copy.
"""

from __future__ import annotations

import json
import sqlite3
import time
import zipfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import structs

from obs2anki import deeds
from obs2anki.data import CardState, DeckName, Guid, Plan, Scheduling
from obs2anki.deeds import (
    CardId,
    Change,
    Changes,
    HeldCard,
    HeldNote,
    Holding,
    Limit,
    Move,
    NoteId,
)
from obs2anki.destinations import anki2, scheduled
from obs2anki.destinations.kinds import Kind
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.notetypes import DEFINITIONS, FIELDS

if TYPE_CHECKING:
    from anki.cards import CardId as CardNumber
    from anki.cards import FSRSMemoryState
    from anki.collection import Collection as Engine
    from anki.dbproxy import DBProxy
    from anki.decks import DeckConfigId
    from anki.models import NotetypeDict
    from anki.notes import NoteId as NoteNumber


@dataclass(slots=True)
class OpenCollection:
    """A collection that is open, and ours to write."""

    engine: Engine
    _kinds: dict[int, Kind] = field(default_factory=dict)
    """Our notetypes by their numbers in this collection."""
    _notetype_of: dict[NoteId, int] = field(default_factory=dict)

    def read(self, namespace: str, media: frozenset[str]) -> Holding:
        """What it holds; `media` are the names in its media folder."""
        engine = self.engine
        database = _db(engine)
        self._kinds = {kind.id: kind for kind in map(_kind, engine.models.all()) if kind}
        decks = {int(deck.id): DeckName(deck.name) for deck in engine.decks.all_names_and_ids()}
        normal = {int(d.id) for d in engine.decks.all_names_and_ids(include_filtered=False)}
        chosen = f"({','.join(map(str, self._kinds)) or '0'})"
        cards = _cards(engine, chosen, decks)
        notes: list[HeldNote] = []
        taken = {Guid(guid) for guid in database.list(f"{GUIDS} NOT IN {chosen}")}
        for number, guid, mid, tags, texts in database.all(f"{NOTES} IN {chosen} ORDER BY id"):
            kind = self._kinds[mid]
            values = dict(zip(kind.fields, texts.split("\x1f"), strict=False))
            if values.get("Vault") != namespace:
                taken.add(guid)
                continue
            self._notetype_of[number] = mid
            its, own = kind.told(cards.get(number, ())), tuple(tags.split())
            notes.append(HeldNote(number, guid, kind.notetype, values, own, its, kind.lacks))
        return Holding(
            notes=tuple(notes),
            decks=frozenset(decks[number] for number in normal),
            filtered=frozenset(name for number, name in decks.items() if number not in normal),
            media=media,
            taken=frozenset(taken),
            rollover=_rollover(engine),
            longest=_longest(engine, normal, decks),
        )

    def write(self, changes: Changes, plan: Plan, folder: Path) -> None:
        """Do all of `changes` but the media; in `folder` a package is put for a moment.

        Raises Obs2ankiError where that would lose or invent a review, or touch a card unasked.
        """
        engine = self.engine
        _remember_reviews(engine)
        self._import(changes, plan, folder / "new.apkg")
        self._update(changes.changed)
        _move(engine, [one.move for one in changes.changed if one.move is not None])
        suspend = [card for change in changes.changed for card in change.suspend]
        if suspend:
            engine.sched.suspend_cards(_numbers(suspend))
        wake = [card for change in changes.changed for card in change.wake]
        if wake:
            engine.sched.unsuspend_cards(_numbers(wake))
        _limit(engine, changes.limits)
        _reschedule(engine, [one for change in changes.changed for one in change.reschedule])
        if changes.removed:
            engine.remove_notes(_note_numbers(removal.held.id for removal in changes.removed))
        _refuse_lost_reviews(engine, changes)

    def _import(self, changes: Changes, plan: Plan, file: Path) -> None:
        """Bring new notes, and new cards of old ones, as an import does: with scheduling."""
        engine = self.engine
        packed = _with_free_ids(engine, deeds.package(changes, plan, _rollover(engine)))
        if not packed.notes:
            return
        with closing(anki2.database(packed)) as connection:
            self._shape(connection, changes)
            with zipfile.ZipFile(file, "w") as package:
                package.writestr("collection.anki2", connection.serialize())
                package.writestr("media", "{}")
        from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest
        from anki.import_export_pb2 import (
            IMPORT_ANKI_PACKAGE_UPDATE_CONDITION_ALWAYS as ALWAYS,
        )
        from anki.import_export_pb2 import (
            IMPORT_ANKI_PACKAGE_UPDATE_CONDITION_NEVER as NEVER,
        )

        options = ImportAnkiPackageOptions(
            with_scheduling=True,
            with_deck_configs=False,
            merge_notetypes=False,
            update_notes=ALWAYS,
            update_notetypes=NEVER,
        )
        request = ImportAnkiPackageRequest(package_path=str(file), options=options)
        log = engine.import_anki_package(request).log
        brought = len(log.new) + len(log.updated) + len(log.duplicate)
        if brought != len(packed.notes):
            raise Obs2ankiError(
                f"Anki would take only {brought:,} of {len(packed.notes):,} new notes, so "
                "nothing was written. Please report this."
            )
        if any(kind.has_more for kind in self._kinds.values()):
            new = [NoteId(one.id.nid) for one in log.new]
            engine.after_note_updates(_note_numbers(new), mark_modified=False, generate_cards=True)

    def _shape(self, connection: sqlite3.Connection, changes: Changes) -> None:
        """Give the package the notetypes as they are here.

        The user may have added fields, in any order: with the notetypes that a package brings
        Anki would add new ones, or change those that are here and ask for a one-way sync.
        """
        (text,) = connection.execute("SELECT models FROM col").fetchone()
        models = json.loads(text)
        main = Counter(self._notetype_of.values())
        here: dict[int, int] = {}
        for kind, definition in DEFINITIONS.items():
            own = [mid for mid, known in self._kinds.items() if known.notetype is kind]
            if own:
                here[definition.id] = max(own, key=lambda mid: (main[mid], mid == definition.id))
                del models[str(definition.id)]
        for mid in self._kinds:
            models[str(mid)] = _model(self.engine, mid)
        connection.execute("UPDATE col SET models = ?", (json.dumps(models),))
        held = {c.sibling_note.guid: c.held for c in changes.changed if c.sibling_note is not None}
        kinds = {definition.id: kind for kind, definition in DEFINITIONS.items()}
        rows = connection.execute("SELECT id, guid, mid, mod, flds FROM notes").fetchall()
        now = int(time.time())
        shaped = []
        for number, guid, mid, mod, texts in rows:
            values = dict(zip(FIELDS[kinds[mid]], texts.split("\x1f"), strict=True))
            if guid in held:
                # Newer than what another computer may have of it.
                mod, new = now, self._notetype_of[held[guid].id]
                values |= {n: t for n, t in held[guid].fields.items() if n not in values}
            else:
                new = here.get(mid, mid)
            names = [one["name"] for one in models[str(new)]["flds"]]
            shaped.append((new, mod, "\x1f".join(values.get(n, "") for n in names), number))
        connection.executemany("UPDATE notes SET mid = ?, mod = ?, flds = ? WHERE id = ?", shaped)
        for known in self._kinds.values():
            known.reorder(connection)
        connection.commit()

    def _update(self, changed: Sequence[Change]) -> None:
        """Write fields and tags."""
        engine = self.engine
        notes = []
        for change in changed:
            if not (change.fields or change.add_tags or change.remove_tags):
                continue
            note = engine.get_note(_note_numbers((change.held.id,))[0])
            for name, text in (dict(change.held.fields) | dict(change.fields)).items():
                note[name] = text
            removed = set(change.remove_tags)
            note.tags = [tag for tag in note.tags if tag not in removed] + [
                tag for tag in change.add_tags if tag not in note.tags
            ]
            notes.append(note)
        if notes:
            engine.update_notes(notes)


def _with_free_ids(engine: Engine, packed: Plan) -> Plan:
    """The same notes, none with an id that something had that was deleted.

    Reviews outlive their card: one with its id would have them, and be as new all the same.
    """
    if not packed.notes:
        return packed
    taken = set(_db(engine).list(SECONDS_TAKEN))
    planned = []
    for one in packed.planned:
        assert one.note is not None
        second = one.note.created
        while second in taken:
            second += 1
        note = one.note if second == one.note.created else structs.replace(one.note, created=second)
        planned.append(structs.replace(one, note=note))
    return replace(packed, planned=tuple(planned))


SECONDS_TAKEN = """
    SELECT DISTINCT cid / 1000 FROM revlog WHERE cid NOT IN (SELECT id FROM cards)
    UNION SELECT oid / 1000 FROM graves
"""
"""Ids are milliseconds, and those of a note and of its cards lie within one second."""

NOTES = "SELECT id, guid, mid, tags, flds FROM notes WHERE mid"
GUIDS = "SELECT guid FROM notes WHERE mid"
CARDS = """
    SELECT nid, id, ord, CASE odid WHEN 0 THEN did ELSE odid END, odid != 0, due, queue = -1,
        EXISTS (SELECT 1 FROM revlog WHERE cid = cards.id), type,
        CAST(CASE WHEN odid != 0 AND odue != 0 THEN odue ELSE due END AS INTEGER),
        CAST(ivl AS INTEGER), factor, reps, lapses
    FROM cards WHERE nid IN (SELECT id FROM notes WHERE mid IN {0}) ORDER BY nid, ord
"""
# A card in a filtered deck has its own deck in odid, and when it is due there in odue. Add-ons
# have written fractions; Anki's check rounds them, and until then Anki takes such a day for 0.


def _kind(model: NotetypeDict) -> Kind | None:
    """One of our notetypes; None for others."""
    return Kind.of(
        int(model["id"]),
        str(model["name"]),
        tuple(str(one["name"]) for one in model["flds"]),
        {str(one["name"]): str(one["qfmt"]) for one in model["tmpls"]},
    )


def _cards(
    engine: Engine, chosen: str, decks: Mapping[int, DeckName]
) -> dict[NoteId, list[HeldCard]]:
    found: dict[NoteId, list[HeldCard]] = {}
    first = _today(engine) - timedelta(days=engine.sched.today)
    for row in _db(engine).all(CARDS.format(chosen)):
        nid, number, ordinal, did, filtered, now, suspended, answered, *standing = row
        kind, due, interval, factor, reps, lapses = standing
        card = HeldCard(
            number,
            ordinal,
            decks.get(did, DeckName("Default")),
            bool(filtered),
            bool(filtered) and scheduled.is_crammed(kind, now),
            bool(suspended),
            bool(answered),
            scheduled.of(kind, due, interval, factor, reps, lapses, first),
        )
        found.setdefault(nid, []).append(card)
    return found


def _move(engine: Engine, moves: Sequence[Move]) -> None:
    """Give cards another deck, and nothing else.

    Anki's own `set_deck` would work out FSRS memory anew, from a log that begins with the import.
    `update_cards` writes the whole card as this engine reads it: fractions rounded, and without
    what a newer Anki has written.
    """
    rows = []
    for move in moves:
        deck = engine.decks.id(move.deck)
        assert deck is not None
        rows += [(deck, int(time.time()), card) for card in move.cards]
    _db(engine).executemany("UPDATE cards SET did = ?, mod = ?, usn = -1 WHERE id = ?", rows)


def _longest(
    engine: Engine, normal: Iterable[int], decks: Mapping[int, DeckName]
) -> dict[DeckName, int]:
    """The maximum interval of each deck."""
    found: dict[DeckName, int] = {}
    days = {int(preset["id"]): int(preset["rev"]["maxIvl"]) for preset in engine.decks.all_config()}
    for deck in engine.decks.all():
        number = int(deck["id"])
        if number in normal and int(deck["conf"]) in days:
            found[decks[number]] = days[int(deck["conf"])]
    return found


def _limit(engine: Engine, limits: Sequence[Limit]) -> None:
    """Give decks a maximum interval, and others none that they did not have."""
    numbers = {limit.deck: engine.decks.id(limit.deck) for limit in limits}
    copies: dict[int, DeckConfigId] = {}
    for limit in limits:
        number = numbers[limit.deck]
        assert number is not None
        preset = engine.decks.config_dict_for_deck_id(number)
        original = int(preset["id"])
        if preset["rev"]["maxIvl"] == limit.days:
            continue
        if not set(engine.decks.decks_using_config(preset)) <= set(numbers.values()):
            if original not in copies:
                name = f"{preset['name']} (obs2anki)"
                copies[original] = engine.decks.add_config_returning_id(name, preset)
            deck = engine.decks.get(number)
            assert deck is not None
            deck["conf"] = copies[original]
            engine.decks.save(deck)
            preset = engine.decks.config_dict_for_deck_id(number)
        preset["rev"]["maxIvl"] = limit.days
        engine.decks.update_config(preset)


def _reschedule(engine: Engine, wanted: Sequence[tuple[CardId, Scheduling]]) -> None:
    """Give cards the scheduling of the vault, as an import gives it to new ones."""
    from anki.consts import CardQueue, CardType

    first = _today(engine) - timedelta(days=engine.sched.today)
    cards = []
    for number, scheduling in wanted:
        card = engine.get_card(_numbers((number,))[0])
        kind, queue = anki2.TYPE_AND_QUEUE[scheduling.state]
        card.type = CardType(kind)
        if card.queue != -1:
            card.queue = CardQueue(queue)
        if scheduling.state is CardState.REVIEW and scheduling.due is not None:
            card.due = (scheduling.due - first).days
        elif scheduling.due_at is not None:
            card.due = scheduling.due_at
        card.ivl, card.factor = scheduling.interval, scheduling.factor
        card.reps, card.lapses, card.left = scheduling.reps, scheduling.lapses, 0
        card.last_review_time = scheduling.last_review
        card.memory_state = _memory(scheduling)
        cards.append(card)
    if cards:
        engine.update_cards(cards)


# ---------------------------------------------------------------- no review is lost

_BEFORE = (
    "CREATE TEMP TABLE cards_before AS SELECT id, type, due, ivl, factor, reps, lapses, left, "
    "odue, odid, queue, flags, data FROM cards",
    "CREATE TEMP TABLE reviews_before AS SELECT * FROM revlog",
)

_REVIEWS_LOST = """
    SELECT count(*) FROM reviews_before b LEFT JOIN revlog r ON r.id = b.id
    WHERE r.id IS NULL OR (r.cid, r.ease, r.ivl, r.lastIvl, r.factor, r.time, r.type)
        IS NOT (b.cid, b.ease, b.ivl, b.lastIvl, b.factor, b.time, b.type)
"""
_REVIEWS_INVENTED = """
    SELECT count(*) FROM revlog WHERE id NOT IN (SELECT id FROM reviews_before)
        AND cid IN (SELECT id FROM cards_before)
"""
_CARDS_TOUCHED = """
    SELECT b.id, c.id IS NULL OR (c.type, c.due, c.factor, c.reps, c.lapses, c.left, c.odue, c.odid)
        IS NOT (b.type, b.due, b.factor, b.reps, b.lapses, b.left, b.odue, b.odid)
    FROM cards_before b LEFT JOIN cards c ON c.id = b.id
    WHERE c.id IS NULL OR (c.type, c.due, c.ivl, c.factor, c.reps, c.lapses, c.left, c.odue,
        c.odid, c.queue, c.flags, iif(c.data = '', '{}', c.data)) IS NOT (b.type, b.due, b.ivl,
        b.factor, b.reps, b.lapses, b.left, b.odue, b.odid, b.queue, b.flags,
        iif(b.data = '', '{}', b.data))
"""
# An old Anki wrote no data where today's writes that there are none.


def _remember_reviews(engine: Engine) -> None:
    for statement in _BEFORE:
        _db(engine).execute(statement)


def _refuse_lost_reviews(engine: Engine, changes: Changes) -> None:
    """Refuse to put in place what has lost or invented a review, or touched a card unasked."""
    database = _db(engine)
    queued = {card for one in changes.changed for card in (*one.suspend, *one.wake)}
    asked = {card for one in changes.changed for card, _ in one.reschedule}
    asked |= {card.id for removal in changes.removed for card in removal.held.cards}
    touched = {
        card
        for card, forgets in database.all(_CARDS_TOUCHED)
        if card not in asked and (forgets or card not in queued)
    }
    lost, invented = database.scalar(_REVIEWS_LOST), database.scalar(_REVIEWS_INVENTED)
    if lost or invented or touched:
        raise Obs2ankiError(
            f"Writing would have lost {lost} reviews, invented {invented} and changed "
            f"{len(touched)} cards that were to be left alone, so nothing was written. Let Anki "
            "check its collection (Tools > Check Database), and run this again; if it says the "
            "same then, please report it."
        )


# ---------------------------------------------------------------- small facts about Anki


def _db(engine: Engine) -> DBProxy:
    assert engine.db is not None
    return engine.db


def _model(engine: Engine, number: int) -> NotetypeDict:
    from anki.models import NotetypeId

    model = engine.models.get(NotetypeId(number))
    assert model is not None
    return model


def _rollover(engine: Engine) -> int:
    return int(engine.get_config("rollover", 4))


def _today(engine: Engine) -> date:
    """Anki's day in this collection."""
    return scheduled.today(_rollover(engine))


def _numbers(cards: Iterable[CardId]) -> list[CardNumber]:
    from anki.cards import CardId as Number

    return [Number(card) for card in cards]


def _note_numbers(notes: Iterable[NoteId]) -> list[NoteNumber]:
    from anki.notes import NoteId as Number

    return [Number(note) for note in notes]


def _memory(scheduling: Scheduling) -> FSRSMemoryState | None:
    from anki.cards import FSRSMemoryState

    if scheduling.stability is None or scheduling.difficulty is None:
        return None
    return FSRSMemoryState(stability=scheduling.stability, difficulty=scheduling.difficulty)
