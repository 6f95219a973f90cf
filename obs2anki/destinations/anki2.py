r"""A plan as Anki's collection of schema 11: the `collection.anki2` inside a package.

    notes  1704067200000 | Hr7[9uP^ | 1577836800101 | ... | " ml " | "What?\x1fThat\x1f..."
    cards  1704067200000 | 1704067200000 | did | 0 | ... | type 2 | queue 2 | due 3492 | ivl 14

genanki's schema, notetypes and decks are in charge of the format; here its package learns to carry
scheduling, to say the same bytes each time, and to write 100,000 notes in one go. What Anki makes
of each number was measured with Anki 26.09.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from functools import lru_cache
from operator import attrgetter, lt
from pathlib import Path
from typing import Any, BinaryIO

import genanki

from obs2anki.ankitext import clean_deck, clean_tag
from obs2anki.data import CardState, DeckName, Note, Notetype, Plan, Scheduling
from obs2anki.destinations.contents import CARD, Contents, Filled, Tally, told, told_of_card
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.notetypes import DEFINITIONS, FIELDS, MOD, Field, Template

FIRST_DAY = date(2014, 9, 19)
"""Day 0 of the collection: Anki counts due days from the collection's creation."""

CREATED = 1411128000
"""Noon UTC of that day. With `creationOffset` 0 it is day 0 in every time zone."""

DEFAULT_DECK = 1
"""The id that Anki keeps for the deck "Default"."""

TYPE_AND_QUEUE = {
    CardState.NEW: (0, 0),
    CardState.LEARNING: (1, 1),
    CardState.REVIEW: (2, 2),
    CardState.RELEARNING: (3, 1),
}
"""Anki's numbers. A card in learning waits for an instant, as those do that Anki made itself."""

REVIEW = CardState.REVIEW

_FIRST_ORDINAL = FIRST_DAY.toordinal()

Row = tuple[int | str, ...]


PAGE = 1 << 14
"""Bytes of a page of a collection. On SQLite's usual quarter of that fewer rows have room."""

PIECE = 1 << 20
"""Bytes of a collection that are in memory at one time."""


class Database(sqlite3.Connection):
    """A collection in a file, which has no name any more: a run that is killed leaves none."""

    file: BinaryIO | None = None
    """Where it lies; None where a file that is open must keep its name."""
    tally: Tally
    """Of the rows that were written to it."""

    def contents(self, media: Mapping[str, int]) -> Contents:
        """What it holds that matters, with these `media`: sizes by name."""
        return self.tally.contents(self, media)

    @property
    def size(self) -> int:
        """Bytes of what was committed."""
        (size,) = self.execute(
            "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
        ).fetchone()
        return int(size)

    def pieces(self) -> Iterator[bytes]:
        """The bytes of what was committed, one piece after the other."""
        if self.file is None:
            yield self.serialize()
            return
        self.file.seek(0)
        first = self.file.read(100)
        # In a file SQLite counts the changes and notes its own version, in memory it does not.
        yield first[:24] + bytes(4) + first[28:92] + bytes(8)
        while piece := self.file.read(PIECE):
            yield piece

    def close(self) -> None:
        """Remove it."""
        super().close()
        if self.file is not None:
            self.file.close()


def _nameless() -> Database:
    """An empty database that takes little memory, however much is written to it."""
    if os.name != "posix":
        made = sqlite3.connect("", factory=Database)
        made.execute(f"PRAGMA page_size = {PAGE}")
        return made
    handle, place = tempfile.mkstemp(prefix="obs2anki-")
    file = os.fdopen(handle, "rb", buffering=0)
    try:
        made = sqlite3.connect(place, factory=Database)
        made.file = file
        made.execute("PRAGMA journal_mode = OFF")
        made.execute("PRAGMA synchronous = OFF")
        made.execute(f"PRAGMA page_size = {PAGE}")
        made.execute("BEGIN EXCLUSIVE")  # until then SQLite has not opened the file
        made.rollback()
    finally:
        Path(place).unlink()
    return made


def database(plan: Plan, filled: Filled | None = None) -> Database:
    """The collection that holds the notes of `plan`; to be closed.

    `filled` tells of the notes of the last plan.

    Raises Obs2ankiError where the folder for temporary files takes no more, and
    ValueError where the plan breaks a promise: a GUID is empty or given twice, a note has
    no card or too few fields, a media file's name is a path. Anki would add such notes and never
    find them again, or refuse the whole package.
    """
    connection = _nameless()
    try:
        collection = Collection(plan, filled)
        collection.write_to_db(connection.cursor(), MOD, iter(()))
        connection.tally = collection.tally
        connection.commit()
    except BaseException as error:
        with suppress(sqlite3.Error):
            connection.close()
        if isinstance(error, sqlite3.OperationalError):
            raise Obs2ankiError(
                f"There is no room on the disk for temporary files in {tempfile.gettempdir()}; "
                "a deck that was there is as it was. Free some space, or name another folder: "
                "TMPDIR=..."
            ) from error
        raise
    return connection


def contents(plan: Plan, media: Mapping[str, int]) -> Contents:
    """What `database(plan).contents(media)` would tell; nothing is written to find out.

    Raises ValueError where the plan breaks a promise, as `database` does.
    """
    collection = Collection(plan)
    with closing(sqlite3.connect(":memory:")) as connection:
        collection.describe(connection.cursor(), MOD)
        for rows in collection.rows():
            deque(rows, maxlen=0)
        return collection.tally.contents(connection, media)


# ---------------------------------------------------------------- rows


NOTES = "INSERT INTO notes VALUES (?, ?, ?, ?, -1, ?, ?, ?, 0, 0, '')"
"""Usn -1: not yet synchronised. Anki works out sort field and checksum when it imports."""

CARDS = f"""
    INSERT INTO cards (id, nid, mod, usn, {", ".join(CARD)})
    VALUES (?, ?, ?, -1, {", ".join("?" * len(CARD))})
"""

REVLOG = "INSERT INTO revlog VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


@lru_cache(maxsize=10_000)  # many notes have the same tags
def _tags_text(tags: tuple[str, ...]) -> str:
    """Tags as Anki writes them, between blanks; of two that differ in case the first is kept."""
    kept = {tag.casefold(): tag for tag in map(clean_tag, reversed(tags)) if tag}
    return f" {' '.join(kept[key] for key in sorted(kept))} " if kept else ""


def _scheduled(scheduling: Scheduling, position: int, log: Row | None) -> Row:
    """What a card's row says of its scheduling, in the order of `contents.CARD`, from type on.

    `position` is the place of its note; `log` is its row of table `revlog`, if any.
    """
    kind, queue = TYPE_AND_QUEUE[scheduling.state]
    due = scheduling.due_at or position  # the place in the queue of a card that is new
    if scheduling.state is REVIEW and scheduling.due is not None:
        due = scheduling.due.toordinal() - _FIRST_ORDINAL
    # Where it differs from the log's, Check Database asks for a one-way sync.
    last_review = scheduling.last_review if log is None else int(log[0]) // 1000
    return (
        kind,
        queue,
        due,
        scheduling.interval,
        scheduling.factor,
        scheduling.reps,
        scheduling.lapses,
        0,  # left: no learning step remains, so "Good" ends the learning
        0,  # odue
        0,  # odid
        0,  # flags
        _card_data(last_review, scheduling.stability, scheduling.difficulty),
    )


def _card_data(last_review: int | None, stability: float | None, difficulty: float | None) -> str:
    """Anki's JSON of what else it knows: last review time, and FSRS memory if it is known."""
    known = "" if last_review is None else f'"lrt":{last_review}'
    if stability is not None and difficulty is not None:
        # Anki keeps as many digits, and rewrites a card that has more.
        memory = f'"s":{round(stability, 4)},"d":{round(difficulty, 3)}'
        known = f"{memory},{known}" if known else memory
    return known and f"{{{known}}}"


# ---------------------------------------------------------------- genanki's package, taught


class Collection(genanki.Package):  # type: ignore[misc]  # genanki ships no types
    """All notes of a plan, as rows."""

    def __init__(self, plan: Plan, filled: Filled | None = None) -> None:
        """`plan` keeps its promises, else ValueError; `filled` is as for `database`."""
        super().__init__(deck_or_decks=[])
        _refuse_broken_promises(plan)
        self.notes = sorted(plan.notes, key=attrgetter("created"))
        self.rollover = plan.rollover
        self.logged = plan.revlog
        self.deck_by_name = decks(plan.notes)
        self.notetypes = {notetype: _notetype(notetype) for notetype in Notetype}
        self.tally = Tally()
        self.filled = filled

    def write_to_db(self, cursor: sqlite3.Cursor, timestamp: float, id_gen: Iterator[int]) -> None:
        """Fill an empty database. `timestamp` is every notetype's `mod`; `id_gen` is not used.

        genanki numbers notes and cards alike from the time of export; here they count
        from each note's `created`, cards by their ordinals, so that the same plan has the same
        numbers, and a card the same one in every plan.
        """
        self.describe(cursor, timestamp)
        with _indexed_later(cursor):
            for statement, rows in zip((NOTES, CARDS, REVLOG), self.rows(), strict=True):
                cursor.executemany(statement, rows)

    def rows(self) -> tuple[Iterable[Row], Iterable[Row], Iterable[Row]]:
        """Rows of notes, cards and log, of which the tally takes note once they go by."""
        notes = self.notes
        note_ids = ascending([note.created * 1000 for note in notes])
        card_ids = ascending(
            [note.created * 1000 + card.ordinal for note in notes for card in note.cards]
        )
        logs = self._logs(card_ids) if self.logged else {}
        cards = self._card_rows(note_ids, card_ids, logs)
        return self._note_rows(note_ids), cards, logs.values()

    def _note_rows(self, ids: Iterable[int]) -> Iterator[Row]:
        notetype_ids = {name: notetype.model_id for name, notetype in self.notetypes.items()}
        tally = self.tally.notes
        if self.filled is not None:
            tally.update(self.filled.told(self.notes))
        for note_id, note in zip(ids, self.notes, strict=True):
            guid, mod, notetype_id = note.guid, note.mod, notetype_ids[note.notetype]
            tags, fields = _tags_text(note.tags), "\x1f".join(note.fields)
            if guid not in tally:
                tally[guid] = told(mod, notetype_id, tags, fields)
            yield note_id, guid, notetype_id, mod, tags, fields, note.fields[0]

    def _card_rows(
        self, note_ids: Iterable[int], card_ids: Iterable[int], logs: Mapping[int, Row]
    ) -> Iterator[Row]:
        deck_ids = {name: deck.deck_id for name, deck in self.deck_by_name.items()}
        tally, ids = self.tally.cards, iter(card_ids)
        for note_id, note in zip(note_ids, self.notes, strict=True):
            guid, mod, position, deck_id = note.guid, note.mod, note.position, deck_ids[note.deck]
            for card, card_id in zip(note.cards, ids, strict=False):  # ids for the next remain
                log = logs.get(card_id)
                row = (deck_id, card.ordinal, *_scheduled(card.scheduling, position, log))
                tally.append(told_of_card(guid, row, log))
                yield (card_id, note_id, mod, *row)

    def _logs(self, card_ids: Sequence[int]) -> dict[int, Row]:
        """The row of table `revlog` by the id of each card that has been reviewed."""
        schedulings = [card.scheduling for note in self.notes for card in note.cards]
        return {
            card_ids[index]: _log_row(log_id, card_ids[index], schedulings[index])
            for index, log_id in _log_ids(schedulings).items()
        }

    def describe(self, cursor: sqlite3.Cursor, timestamp: float) -> None:
        """Make the tables, and fill the one row of `col`: settings, notetypes and decks."""
        super().write_to_db(cursor, timestamp, iter(()))  # an empty collection
        conf_text, decks_text = cursor.execute("SELECT conf, decks FROM col").fetchone()
        conf = json.loads(conf_text) | {
            "schedVer": 2,
            "creationOffset": 0,
            "rollover": self.rollover,
        }
        deck_of = json.loads(decks_text)
        for deck in self.deck_by_name.values():
            if deck.deck_id != DEFAULT_DECK:
                deck_of[str(deck.deck_id)] = deck.to_json()
        notetype_of = {
            str(notetype.model_id): notetype.to_json(timestamp, None)
            for notetype in self.notetypes.values()
        }
        cursor.execute(
            "UPDATE col SET crt = ?, conf = ?, models = ?, decks = ?",
            (CREATED, _json(conf), _json(notetype_of), _json(deck_of)),
        )


def _refuse_broken_promises(plan: Plan) -> None:
    guids = [note.guid for note in plan.notes]
    if len(set(guids)) != len(guids) or not all(map(str.strip, guids)):
        guid, count = next(
            (guid, count) for guid, count in Counter(guids).items() if count > 1 or not guid.strip()
        )
        raise ValueError(f"The plan holds {count} notes with the GUID {guid!r}.")
    for note in plan.notes:
        if len(note.cards) != 1:
            ordinals = [card.ordinal for card in note.cards]
            if not ordinals or len(ordinals) != len(set(ordinals)):
                raise ValueError(f"The note {note.guid!r} has the cards {ordinals}.")
        if len(note.fields) != len(FIELDS[note.notetype]):
            raise ValueError(f"The note {note.guid!r} has {len(note.fields)} fields.")
    for media in plan.media:
        if media.name in ("", ".", "..") or "/" in media.name:
            raise ValueError(f"{media.name!r} is no name for a media file.")


def _notetype(notetype: Notetype) -> genanki.Model:
    definition = DEFINITIONS[notetype]
    return genanki.Model(
        definition.id,
        notetype.value,
        fields=[_field(field) for field in definition.fields],
        templates=[_template(template) for template in definition.templates],
        css=definition.css,
        model_type=genanki.Model.CLOZE if notetype is Notetype.CLOZE else genanki.Model.FRONT_BACK,
    )


def _field(field: Field) -> dict[str, str | int]:
    return {
        "name": field.name,
        "id": field.id,
        "font": "Arial",
        "collapsed": field.private,
        "excludeFromSearch": field.private,
    }


def _template(template: Template) -> dict[str, str | int]:
    return {
        "name": template.name,
        "id": template.id,
        "qfmt": template.question,
        "afmt": template.answer,
    }


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@contextmanager
def _indexed_later(cursor: sqlite3.Cursor) -> Iterator[None]:
    """Do without the indexes while rows are inserted: that takes a fifth less time and room."""
    indexes = cursor.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    yield
    for _, definition in indexes:
        cursor.execute(definition)


# ---------------------------------------------------------------- numbers


def ascending(wanted: Sequence[int]) -> Sequence[int]:
    """Unique ids, none below 1: each as wanted or, where that is taken, the next one free.

    `wanted` ascends. Anki resolves collisions with the ids that a collection has already.
    """
    if all(map(lt, (0, *wanted), wanted)):  # as nearly always
        return wanted
    last = 0
    return [last := number if number > last else last + 1 for number in wanted]


def decks(notes: Iterable[Note]) -> dict[DeckName, genanki.Deck]:
    """The deck of each deck name; names that Anki takes for one have one deck.

    Anki ignores case in names, part by part; the spelling that comes first is the one kept.
    """
    spelling: dict[tuple[str, ...], str] = {}
    folded: dict[DeckName, tuple[str, ...]] = {}
    for name in dict.fromkeys(note.deck for note in notes):
        parts = clean_deck(name)
        folded[name] = tuple(part.casefold() for part in parts)
        for depth, part in enumerate(parts, start=1):
            spelling.setdefault(folded[name][:depth], part)
    deck: dict[tuple[str, ...], genanki.Deck] = {}
    taken = {DEFAULT_DECK}
    for key in sorted(set(folded.values())):
        spelled = "::".join(spelling[key[:depth]] for depth in range(1, len(key) + 1))
        deck_id = DEFAULT_DECK if key == ("default",) else _deck_id(key, taken)
        taken.add(deck_id)
        deck[key] = genanki.Deck(deck_id, spelled)
    return {name: deck[key] for name, key in folded.items()}


def _deck_id(key: tuple[str, ...], taken: set[int]) -> int:
    """An id in the form of Anki's own, a time in milliseconds, between 2014 and 2017."""
    digest = hashlib.sha256("::".join(key).encode()).digest()
    deck_id = 1_400_000_000_000 + int.from_bytes(digest[:8], "big") % 10**11
    while deck_id in taken:
        deck_id += 1
    return deck_id


# ---------------------------------------------------------------- made-up review log


def _log_ids(schedulings: Sequence[Scheduling]) -> dict[int, int]:
    """The review log id, in milliseconds, by index of each card that has been reviewed."""
    reviewed = sorted(
        (scheduling.last_review, index)
        for index, scheduling in enumerate(schedulings)
        if scheduling.state is CardState.REVIEW and scheduling.last_review is not None
    )
    ids = ascending([last_review * 1000 for last_review, _ in reviewed])
    return {index: log_id for (_, index), log_id in zip(reviewed, ids, strict=True)}


def _log_row(log_id: int, card_id: int, scheduling: Scheduling) -> Row:
    """A row of table `revlog`: answered "Good", as a review (other types spoil FSRS memory)."""
    return (log_id, card_id, -1, 3, scheduling.interval, 0, scheduling.factor, 0, 1)
