"""Anki's collection: the file that Anki itself opens, followed through Anki's own engine.

    ~/.local/share/Anki2/User 1/collection.anki2
                                collection.media/     media are added, never replaced
                                backups/              Anki's own backups: one before each write
                                .obs2anki-5f1c….tmp/  the copy that is worked on

The collection itself is locked as Anki locks it, and only read. All is done on a copy, which is
checked and then put in its place in one step; where there is nothing to do the copy is dropped.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sqlite3
import sys
import time
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from obs2anki import deeds
from obs2anki.data import (
    CardState,
    DeckName,
    Guid,
    Media,
    Notetype,
    Plan,
    Scheduling,
)
from obs2anki.deeds import (
    Applied,
    CardId,
    Change,
    Changes,
    HeldCard,
    HeldNote,
    Holding,
    Move,
    NoteId,
)
from obs2anki.destinations import anki2
from obs2anki.destinations.collection_notes import INSTALL, has_engine, kind_of, sentences
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.notetypes import DEFINITIONS, FIELDS

if TYPE_CHECKING:
    from anki.cards import CardId as CardNumber
    from anki.cards import FSRSMemoryState
    from anki.collection import Collection as Engine
    from anki.dbproxy import DBProxy
    from anki.models import NotetypeDict
    from anki.notes import NoteId as NoteNumber

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module or none

NAME = "collection.anki2"


@dataclass(frozen=True, slots=True)
class Collection:
    """The collection at a path, or in the folder of an Anki profile."""

    path: Path

    @contextmanager
    def session(self) -> Iterator[Session]:
        """An Anki to read and write, while Anki itself is kept away.

        Raises Obs2ankiError, with a remedy, where there is no collection, where Anki has it
        open, where a newer Anki made it, and where the engine is not installed.
        """
        path = _collection(self.path)
        if not has_engine():
            raise Obs2ankiError(
                "To write Anki's collection takes Anki's own engine, which is not installed. "
                f"Install it: {INSTALL}"
            )
        with _locked(path) as file, _aside(path.parent) as folder:
            session = Session(path, file, folder)
            try:
                yield session
            finally:
                session.close()


def _collection(path: Path) -> Path:
    """The file itself: a link to it stays a link."""
    found = path / NAME if path.is_dir() else path
    if not found.is_file():
        raise Obs2ankiError(
            f"There is no Anki collection at {path}. Name {NAME} in the folder of your Anki "
            "profile, with --collection."
        )
    with found.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise Obs2ankiError(
                f"{found} is no Anki collection. Name {NAME} in the folder of your Anki profile."
            )
    return Path(os.path.realpath(found))


# ---------------------------------------------------------------- Anki's lock


_LOCK_BYTES, _LOCKS = 0x40000000, 512
"""Where SQLite has its locks in a file, and how many bytes; Anki holds them while it runs."""


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The collection, open, and closed to Anki as Anki closes it to others."""
    try:
        file = path.open("r+b")
    except OSError as error:
        raise Obs2ankiError(
            f"{path} cannot be opened ({error.strerror or error}). Give yourself the right to "
            "write it."
        ) from error
    with file:
        try:
            _lock(file)
        except OSError as error:
            raise Obs2ankiError(
                f"{path} is open in Anki. Close Anki, and run this again; or sync with the "
                "Anki that runs: --connect"
            ) from error
        yield file
        # Closing the file gives the lock back.


def _lock(file: BinaryIO) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(_LOCK_BYTES)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, _LOCKS)
        file.seek(0)
    else:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS, _LOCK_BYTES)


# ---------------------------------------------------------------- the folder of the copy

_ASIDE = re.compile(r"\.obs2anki-[0-9a-f]{16}\.tmp")

_ABANDONED = 3600
"""Seconds after which nobody works in a folder any more, where locks do not say so."""


@contextmanager
def _aside(profile: Path) -> Iterator[Path]:
    """A folder beside the collection for its copy; what killed runs left is cleared away."""
    # Only who holds the collection's lock is here, so what is there is nobody's.
    with suppress(OSError):
        for left in profile.iterdir():
            if _ASIDE.fullmatch(left.name) and left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
    folder = profile / f".obs2anki-{secrets.token_hex(8)}.tmp"
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise Obs2ankiError(
            f"Nothing can be written in {profile} ({error.strerror or error}), where the copy of "
            "the collection is to be. Give yourself the right to, or free some space."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# ---------------------------------------------------------------- reading and writing


@dataclass(slots=True)
class Session:
    """A collection while it is locked; `file` is the collection, `folder` is for copies of it."""

    path: Path
    file: BinaryIO
    folder: Path
    _engine: Engine | None = None
    _version: int = 0
    """Of the collection's schema, as it was."""
    _kinds: dict[int, Notetype] = field(default_factory=dict)
    """Our notetypes by their numbers in this collection."""
    _notetype_of: dict[NoteId, int] = field(default_factory=dict)

    @property
    def _copy(self) -> Path:
        return self.folder / NAME

    def read(self, namespace: str) -> Holding:
        """What the collection holds. Raises Obs2ankiError where the engine cannot read it."""
        with sentences(self.path), _disk(self.path):
            engine = self._opened()
            return self._holding(engine, namespace)

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        """Write all of `changes`; on failure the collection is as it was.

        Media are added first; of these some may be there that no card names yet.
        """
        with sentences(self.path), _disk(self.path):
            self._refuse_unfinished()
            engine = self._opened()
            backups = self.path.parent / "backups"
            backups.mkdir(exist_ok=True)
            engine.create_backup(backup_folder=str(backups), force=True, wait_for_completion=True)
            _remember_reviews(engine)
            self._write(engine, changes, plan)
            _refuse_lost_reviews(engine, changes)
            self.close()
            self._check()
            self._add_media(changes.media)
            self._swap()
        return Applied(backup=str(backups))

    def close(self) -> None:
        """Let go of the copy."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    # ------------------------------------------------------------ the copy

    def _opened(self) -> Engine:
        if self._engine is None:
            _copy_open(self.file, self._copy)
            log = _log_of(self.path)
            if log.exists():  # what an Anki that crashed had not put in its place yet
                shutil.copyfile(log, _log_of(self._copy))
            from anki.collection import Collection as Engine

            self._version = _schema(self._copy)
            self._engine = Engine(str(self._copy))
        return self._engine

    def _refuse_unfinished(self) -> None:
        """Refuse to replace a collection that Anki has not finished writing."""
        for end in ("-wal", "-journal"):
            left = self.path.with_name(self.path.name + end)
            if left.exists() and left.stat().st_size:
                raise Obs2ankiError(
                    f"Anki did not close {self.path} as it should: {left.name} holds what is not "
                    "in it yet. Open the collection in Anki once and close Anki, then run this "
                    "again."
                )

    def _check(self) -> None:
        """Have Anki check the copy. Raises Obs2ankiError for a fault that was not there before."""
        if _schema(self._copy) != self._version:
            raise Obs2ankiError(
                f"{self.path} was made by an Anki that is too old for the engine installed here, "
                "which would bring it into a newer form. Update Anki, and open it once."
            )
        found = _faults(self._copy, self.folder)
        if not found:
            return
        before = self.folder / "before" / NAME
        before.parent.mkdir()
        _copy_open(self.file, before)
        new = set(found) - set(_faults(before, self.folder))
        if new:
            raise Obs2ankiError(
                f"Anki's own check finds fault with what would be written ({'; '.join(new)}), so "
                f"{self.path} was left as it was. Please report this."
            )

    def _add_media(self, media: Iterable[Media]) -> None:
        folder = _media_folder(self.path)
        folder.mkdir(exist_ok=True)
        aside = self.folder / "medium"
        for item in media:
            try:
                shutil.copyfile(item.file, aside)
            except OSError as error:
                raise Obs2ankiError(
                    f"The media file {item.file} cannot be copied ({error.strerror}), so the "
                    "collection was left as it was. If it has just been moved or deleted, run "
                    "this again."
                ) from error
            if not (folder / item.name).exists():
                shutil.move(aside, folder / item.name)

    def _swap(self) -> None:
        """Put the copy in the place of the collection, in one step."""
        with self._copy.open("r+b") as copy:
            os.fsync(copy.fileno())
        shutil.copymode(self.path, self._copy)
        if sys.platform == "win32":  # which replaces no file that is open
            self.file.close()
        self._copy.replace(self.path)
        _settle(self.path.parent)

    # ------------------------------------------------------------ reading

    def _holding(self, engine: Engine, namespace: str) -> Holding:
        database = _db(engine)
        fields = {
            int(notetype["id"]): tuple(str(one["name"]) for one in notetype["flds"])
            for notetype in engine.models.all()
        }
        self._kinds = {number: kind for number, names in fields.items() if (kind := kind_of(names))}
        decks = {int(deck.id): DeckName(deck.name) for deck in engine.decks.all_names_and_ids()}
        normal = {int(d.id) for d in engine.decks.all_names_and_ids(include_filtered=False)}
        chosen = f"({','.join(map(str, self._kinds)) or '0'})"
        cards = _cards(engine, chosen, decks)
        notes: list[HeldNote] = []
        taken = {Guid(guid) for guid in database.list(f"{GUIDS} NOT IN {chosen}")}
        for number, guid, mid, tags, texts in database.all(f"{NOTES} IN {chosen} ORDER BY id"):
            values = dict(zip(fields[mid], texts.split("\x1f"), strict=False))
            if values.get("Vault") != namespace:
                taken.add(guid)
                continue
            self._notetype_of[number] = mid
            its = tuple(cards.get(number, ()))
            kind = self._kinds[mid]
            notes.append(HeldNote(number, guid, kind, values, tuple(tags.split()), its))
        return Holding(
            notes=tuple(notes),
            decks=frozenset(decks[number] for number in normal),
            filtered=frozenset(name for number, name in decks.items() if number not in normal),
            media=_names(_media_folder(self.path)),
            taken=frozenset(taken),
            rollover=_rollover(engine),
        )

    # ------------------------------------------------------------ writing

    def _write(self, engine: Engine, changes: Changes, plan: Plan) -> None:
        self._import(engine, changes, plan)
        self._update(engine, changes.changed)
        _move(engine, [one.move for one in changes.changed if one.move is not None])
        suspend = [card for change in changes.changed for card in change.suspend]
        if suspend:
            engine.sched.suspend_cards(_numbers(suspend))
        wake = [card for change in changes.changed for card in change.wake]
        if wake:
            engine.sched.unsuspend_cards(_numbers(wake))
        _reschedule(engine, [one for change in changes.changed for one in change.reschedule])
        if changes.removed:
            engine.remove_notes(_note_numbers(removal.held.id for removal in changes.removed))

    def _import(self, engine: Engine, changes: Changes, plan: Plan) -> None:
        """Bring new notes, and new cards of old ones, as an import does: with scheduling."""
        packed = deeds.package(changes, plan, _rollover(engine))
        if not packed.notes:
            return
        file = self.folder / "new.apkg"
        with closing(anki2.database(packed)) as connection:
            self._shape(engine, connection, changes)
            with zipfile.ZipFile(file, "w") as package:
                package.writestr(NAME, connection.serialize())
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
                f"{self.path} was left as it was. Please report this."
            )
        # Cards of templates that the user has added.
        if any(len(_model(engine, mid)["tmpls"]) > 2 for mid in self._kinds):
            new = [NoteId(one.id.nid) for one in log.new]
            engine.after_note_updates(_note_numbers(new), mark_modified=False, generate_cards=True)

    def _shape(self, engine: Engine, connection: sqlite3.Connection, changes: Changes) -> None:
        """Give the package the notetypes as they are here.

        The user may have added fields, in any order: with the notetypes that a package brings
        Anki would add new ones, or change those that are here and ask for a one-way sync.
        """
        (text,) = connection.execute("SELECT models FROM col").fetchone()
        models = json.loads(text)
        main = Counter(self._notetype_of.values())
        here: dict[int, int] = {}
        for kind, definition in DEFINITIONS.items():
            own = [mid for mid, known in self._kinds.items() if known is kind]
            if own:
                here[definition.id] = max(own, key=lambda mid: (main[mid], mid == definition.id))
                del models[str(definition.id)]
        for mid in self._kinds:
            models[str(mid)] = _model(engine, mid)
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
        connection.commit()

    def _update(self, engine: Engine, changed: Sequence[Change]) -> None:
        """Write fields and tags."""
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


NOTES = "SELECT id, guid, mid, tags, flds FROM notes WHERE mid"
GUIDS = "SELECT guid FROM notes WHERE mid"
CARDS = """
    SELECT nid, id, ord, CASE odid WHEN 0 THEN did ELSE odid END, odid != 0, queue = -1,
        EXISTS (SELECT 1 FROM revlog WHERE cid = cards.id), type,
        CASE WHEN odid != 0 AND odue != 0 THEN odue ELSE due END, ivl, factor, reps, lapses
    FROM cards WHERE nid IN (SELECT id FROM notes WHERE mid IN {0}) ORDER BY nid, ord
"""
# A card in a filtered deck has its own deck in odid, and when it is due there in odue.

STATES = {number: state for state, (number, _) in anki2.TYPE_AND_QUEUE.items()}


def _cards(
    engine: Engine, chosen: str, decks: Mapping[int, DeckName]
) -> dict[NoteId, list[HeldCard]]:
    found: dict[NoteId, list[HeldCard]] = {}
    first = _today(engine) - timedelta(days=engine.sched.today)
    for row in _db(engine).all(CARDS.format(chosen)):
        nid, number, ordinal, did, filtered, suspended, answered, *known = row
        card = HeldCard(
            number,
            ordinal,
            decks.get(did, DeckName("Default")),
            bool(filtered),
            bool(suspended),
            bool(answered),
            _scheduling(known, first),
        )
        found.setdefault(nid, []).append(card)
    return found


def _scheduling(row: Sequence[int], first: date) -> Scheduling:
    """A card's scheduling, as far as it is compared; due days count from `first`."""
    kind, due, interval, factor, reps, lapses = row
    state = STATES.get(kind, CardState.NEW)
    if state is CardState.NEW:
        return Scheduling(state, interval=interval, factor=factor, reps=reps, lapses=lapses)
    day = None
    if state is CardState.REVIEW:
        with suppress(OverflowError):
            day = first + timedelta(days=due)
    return Scheduling(state, day, None, interval, factor, reps, lapses)


def _move(engine: Engine, moves: Sequence[Move]) -> None:
    """Give cards another deck, and nothing else.

    Anki's own `set_deck` would work out FSRS memory anew, from a log that begins with the import.
    """
    cards = []
    for move in moves:
        deck = engine.decks.id(move.deck)
        assert deck is not None
        for number in _numbers(move.cards):
            card = engine.get_card(number)
            card.did = deck
            cards.append(card)
    if cards:
        engine.update_cards(cards)


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
    SELECT b.id FROM cards_before b LEFT JOIN cards c ON c.id = b.id
    WHERE c.id IS NULL OR (c.type, c.due, c.ivl, c.factor, c.reps, c.lapses, c.left, c.odue,
        c.odid, c.queue, c.flags, c.data) IS NOT (b.type, b.due, b.ivl, b.factor, b.reps,
        b.lapses, b.left, b.odue, b.odid, b.queue, b.flags, b.data)
"""


def _remember_reviews(engine: Engine) -> None:
    for statement in _BEFORE:
        _db(engine).execute(statement)


def _refuse_lost_reviews(engine: Engine, changes: Changes) -> None:
    """Refuse to put in place what has lost or invented a review, or touched a card unasked."""
    database = _db(engine)
    asked = {
        number
        for change in changes.changed
        for number in (*change.suspend, *change.wake, *(card for card, _ in change.reschedule))
    }
    asked |= {card.id for removal in changes.removed for card in removal.held.cards}
    touched = set(database.list(_CARDS_TOUCHED)) - asked
    lost, invented = database.scalar(_REVIEWS_LOST), database.scalar(_REVIEWS_INVENTED)
    if lost or invented or touched:
        raise Obs2ankiError(
            f"Writing would have lost {lost} reviews, invented {invented} and changed "
            f"{len(touched)} cards that were to be left alone, so nothing was written. "
            "Please report this."
        )


def _faults(collection: Path, folder: Path) -> list[str]:
    """What Anki's Check Database finds in a copy of `collection`, which is left as it is."""
    from anki.collection import Collection as Engine

    place = folder / f"check-{secrets.token_hex(4)}" / NAME
    place.parent.mkdir()
    shutil.copyfile(collection, place)
    engine = Engine(str(place))
    try:
        text, good = engine.fix_integrity()
        return [] if good else text.splitlines()[:-1] or [text]
    finally:
        engine.close()
        shutil.rmtree(place.parent, ignore_errors=True)


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
    """Anki's day: the calendar's, but for the hours before the rollover."""
    return (datetime.fromtimestamp(time.time()) - timedelta(hours=_rollover(engine))).date()


def _schema(collection: Path) -> int:
    """The version of the form that a collection has; a newer engine may change it."""
    with closing(sqlite3.connect(f"{collection.as_uri()}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("SELECT ver FROM col").fetchone()
        return int(version)


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


# ---------------------------------------------------------------- the disk


def _copy_open(file: BinaryIO, target: Path) -> None:
    """Copy a file that is open: to open and close it once more would give its lock back."""
    file.seek(0)
    with target.open("xb") as copy:
        shutil.copyfileobj(file, copy, 1 << 22)


def _log_of(collection: Path) -> Path:
    return collection.with_name(f"{collection.name}-wal")


def _media_folder(collection: Path) -> Path:
    return collection.with_suffix(".media")


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(unicodedata.normalize("NFC", entry.name) for entry in os.scandir(folder))
    except FileNotFoundError:
        return frozenset()


def _settle(folder: Path) -> None:
    """Have the disk remember the new name too, where a system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Say in a sentence, with a remedy, why the disk refused."""
    try:
        yield
    except OSError as error:
        raise Obs2ankiError(
            f"{path} cannot be written ({error.strerror or error}); it is as it was. Look at the "
            f"room on the disk, and at your rights in {path.parent}."
        ) from error
