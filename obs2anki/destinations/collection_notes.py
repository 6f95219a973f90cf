"""The notes that obs2anki wrote once, as a package or Anki's collection holds them now.

    read(Path("deck.apkg"))  ->  (Stored("Hr7[9uP^", Notetype.BASIC, {"Front": "What?", ...}), ...)

Nothing is ever written to what is read: a collection is copied, and the copy is looked at with
Anki's own engine, which is also what can read the packages of today's Anki.
"""

from __future__ import annotations

import errno
import json
import re
import shutil
import sqlite3
import sys
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from obs2anki.data import DeckName, Guid, Notetype
from obs2anki.diagnostics import Obs2ankiError

if TYPE_CHECKING:
    from anki.collection import Collection

INSTALL = "pip install 'obs2anki[anki]'"

OURS: Mapping[Notetype, frozenset[str]] = {
    Notetype.BASIC: frozenset(("Front", "Back", "Context", "Source", "Reverse")),
    Notetype.CLOZE: frozenset(("Text", "Context", "Source")),
}
"""Fields that tell our notetypes from others, together with Id, Vault and State.

Not the ids: Anki gives a notetype another one when its fields are changed.
"""

PRIVATE = frozenset(("Id", "Vault", "State"))


@dataclass(frozen=True, slots=True)
class Stored:
    """A note as it is now, edits made in Anki included."""

    guid: Guid
    notetype: Notetype
    fields: Mapping[str, str]
    """By name; a notetype may have got more fields, in any order."""
    deck: DeckName
    """That of its first card."""
    tags: tuple[str, ...]
    mod: int
    """Seconds since the epoch: when the note changed last, there or in the vault."""
    number: int
    """Anki's id of the note."""
    ordinals: tuple[int, ...]
    """Of its cards."""


def read(path: Path) -> tuple[Stored, ...]:
    """The notes of our notetypes in a package (`.apkg`, `.colpkg`) or in a collection.

    `path` may also be the folder of an Anki profile. Raises Obs2ankiError, with a remedy, where
    it is neither, where Anki has it open, and where it takes Anki's engine that is not there.
    """
    if path.is_dir() and (path / "collection.anki2").is_file():
        path = path / "collection.anki2"
    try:
        with path.open("rb") as file:
            start = file.read(16)
        if start.startswith(b"PK"):
            return _of_package(path)
        if start == b"SQLite format 3\0":
            return _of_collection(path)
    except OSError as error:
        raise Obs2ankiError(
            f"{path} cannot be read ({error.strerror or error}). Name the package that obs2anki "
            "wrote, or collection.anki2 in the folder of your Anki profile."
        ) from error
    raise Obs2ankiError(
        f"{path} is neither an Anki package nor Anki's collection. Name the .apkg that obs2anki "
        "wrote, or collection.anki2 in the folder of your Anki profile."
    )


# ---------------------------------------------------------------- a package


BROKEN = (
    *(zipfile.BadZipFile, zlib.error, sqlite3.Error, EOFError, NotImplementedError, RuntimeError),
    *(ValueError, KeyError, AttributeError, TypeError, RecursionError),
)
"""What reading a package raises if it is not what it should be."""


def _of_package(path: Path) -> tuple[Stored, ...]:
    try:
        with zipfile.ZipFile(path) as package:
            members = package.namelist()
            if "collection.anki21b" in members:
                return _of_todays(path, package)
            for member in ("collection.anki21", "collection.anki2"):
                if member in members:
                    return _of_member(package.read(member))
    except BROKEN:
        raise _broken(path) from None
    raise Obs2ankiError(
        f"{path} is no Anki package: no collection is in it. Name the .apkg that obs2anki wrote."
    )


def _of_member(content: bytes) -> tuple[Stored, ...]:
    """The notes of a collection of schema 11, the form that older Ankis and obs2anki write."""
    if not content:
        raise ValueError("no collection")  # SQLite would call it a lack of memory
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(content)
        models, decks = connection.execute("SELECT models, decks FROM col").fetchone()
        names = {
            int(number): tuple(str(field["name"]) for field in model["flds"])
            for number, model in json.loads(models).items()
        }
        deck_of = {int(number): str(deck["name"]) for number, deck in json.loads(decks).items()}
        return _stored(lambda sql: connection.execute(sql).fetchall(), names, deck_of)


EMPTY = bytes.fromhex("28b52ffd2000010000")
"""Nothing at all, compressed with zstd: a list of media without any."""


def _of_todays(path: Path, package: zipfile.ZipFile) -> tuple[Stored, ...]:
    """The notes of a package as today's Anki writes it; only Anki's engine can unpack it."""
    if not has_engine():
        raise Obs2ankiError(
            f"{path} was exported by Anki, in a form that only Anki's own engine reads. "
            'Export it again with "Support older Anki versions" ticked, or install the engine: '
            f"{INSTALL}"
        )
    from anki.collection import Collection  # it has to come first  # noqa: F401
    from anki._backend import RustBackend  # isort: skip

    with tempfile.TemporaryDirectory(prefix="obs2anki-") as folder:
        place = Path(folder)
        bare = place / "bare.colpkg"
        with zipfile.ZipFile(bare, "w") as without_media:
            for member in ("meta", "collection.anki21b"):
                without_media.writestr(member, package.read(member))
            without_media.writestr("media", EMPTY)
        (place / "media").mkdir()
        with sentences(path):
            RustBackend().import_collection_package(
                col_path=str(place / "collection.anki2"),
                backup_path=str(bare),
                media_folder=str(place / "media"),
                media_db=str(place / "media.db"),
            )
        return _of_copy(path, place / "collection.anki2")


def _broken(path: Path) -> Obs2ankiError:
    return Obs2ankiError(
        f"{path} is damaged, so its notes cannot be read. Name another package, "
        "or collection.anki2 in the folder of your Anki profile."
    )


# ---------------------------------------------------------------- Anki's collection


def _of_collection(path: Path) -> tuple[Stored, ...]:
    if not has_engine():
        raise Obs2ankiError(
            f"{path} is Anki's collection, which only Anki's own engine reads. Install it: "
            f"{INSTALL}"
        )
    with path.open("rb") as file:
        if is_open_in_anki(file):
            raise Obs2ankiError(f"{path} is open in Anki. Close Anki, and run this again.")
    with tempfile.TemporaryDirectory(prefix="obs2anki-") as folder:
        copy = Path(folder) / "collection.anki2"
        shutil.copyfile(path, copy)
        log = path.with_name(f"{path.name}-wal")
        if log.exists():  # what an Anki that crashed had not put in its place yet
            shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
        return _of_copy(path, copy)


def has_engine() -> bool:
    """Whether Anki's own engine is installed here."""
    from importlib.util import find_spec

    return find_spec("anki") is not None


LOCKED_FROM = 0x40000002
"""Where SQLite has its lock bytes in a file; Anki holds them as long as it runs."""


def is_open_in_anki(file: BinaryIO) -> bool:
    """Whether another process has the database to itself.

    SQLite is not asked: it would leave an empty journal beside a collection that it may not
    write.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(LOCKED_FROM)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return True
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)
        return False
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB, 510, LOCKED_FROM)
    except OSError:
        return True
    fcntl.lockf(file, fcntl.LOCK_UN, 510, LOCKED_FROM)
    return False


def _of_copy(path: Path, copy: Path) -> tuple[Stored, ...]:
    """The notes of a collection that is ours to open; `path` is what it is a copy of."""
    with sentences(path):
        from anki.collection import Collection

        collection = Collection(str(copy))
        try:
            return _of_open(collection)
        finally:
            collection.close()


def _of_open(collection: Collection) -> tuple[Stored, ...]:
    database = collection.db
    assert database is not None
    names = {
        int(notetype["id"]): tuple(str(field["name"]) for field in notetype["flds"])
        for notetype in collection.models.all()
    }
    decks = {int(deck.id): deck.name for deck in collection.decks.all_names_and_ids()}
    return _stored(lambda sql: database.all(sql), names, decks)


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Say what Anki's engine says as a sentence with a remedy.

    Raises OSError where it is the disk that refuses.
    """
    from anki.collection import Collection  # it has to come first  # noqa: F401
    from anki.errors import AnkiException  # isort: skip

    try:
        yield
    except sqlite3.OperationalError as error:
        raise OSError(errno.EIO, str(error)) from error
    except AnkiException as error:
        refuse_with_the_disk(error)
        if "FileTooNew" in str(error):
            raise Obs2ankiError(
                f"{path} was written by a newer Anki than the engine installed here. "
                "Update it: pip install --upgrade anki"
            ) from error
        raise Obs2ankiError(
            f"Anki's engine cannot read {path}: {error}. If Anki opens it, let Anki check it "
            "(Tools > Check Database), then run this again."
        ) from error


_OF_THE_DISK = re.compile(
    r"database or disk is full|disk I/O error|[^:\"]+(?= \(os error (?:5|27|28|30|39|69|112|122)\))"
)
"""What Anki's engine says, among other things, where a disk is full or takes nothing; by number,
as every system says it in the user's language."""


def refuse_with_the_disk(error: Exception) -> None:
    """Raise an OSError if this one of the engine's is the disk's."""
    if found := _OF_THE_DISK.search(str(error)):
        raise OSError(errno.EIO, found[0].strip()) from error


# ---------------------------------------------------------------- rows

Rows = Sequence[Sequence[object]]


def _stored(
    ask: Callable[[str], Rows], names: Mapping[int, tuple[str, ...]], decks: Mapping[int, str]
) -> tuple[Stored, ...]:
    """Notes of our notetypes, oldest first; `names` are the fields by notetype."""
    kinds = {number: kind for number, known in names.items() if (kind := kind_of(known))}
    if not kinds:
        return ()
    chosen = f"({','.join(map(str, kinds))})"
    cards: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    # A card in a filtered deck has its own deck in odid.
    for row in ask(
        "SELECT nid, ord, CASE odid WHEN 0 THEN did ELSE odid END FROM cards "
        f"WHERE nid IN (SELECT id FROM notes WHERE mid IN {chosen}) ORDER BY nid, ord"
    ):
        nid, ordinal, deck = map(_number, row)
        cards[nid].append((ordinal, deck))
    notes = ask(f"SELECT id, mid, mod, guid, tags, flds FROM notes WHERE mid IN {chosen}")
    return tuple(
        sorted(
            (_note(row, names, kinds, cards[_number(row[0])], decks) for row in notes),
            key=lambda note: note.number,
        )
    )


def kind_of(names: Sequence[str]) -> Notetype | None:
    """Which of our notetypes one with these fields is, if it is one."""
    held = frozenset(names)
    return next((kind for kind, own in OURS.items() if own | PRIVATE <= held), None)


def _note(
    row: Sequence[object],
    names: Mapping[int, tuple[str, ...]],
    kinds: Mapping[int, Notetype],
    cards: Sequence[tuple[int, int]],
    decks: Mapping[int, str],
) -> Stored:
    number, notetype, mod = map(_number, row[:3])
    guid, tags, fields = map(str, row[3:])
    own = names[notetype]
    deck = decks.get(cards[0][1], "Default") if cards else "Default"
    return Stored(
        guid=Guid(guid),
        notetype=kinds[notetype],
        fields=dict.fromkeys(own, "") | dict(zip(own, fields.split("\x1f"), strict=False)),
        deck=DeckName(deck),
        tags=tuple(tags.split()),
        mod=mod,
        number=number,
        ordinals=tuple(ordinal for ordinal, _ in cards),
    )


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise ValueError("no number")
    return value
