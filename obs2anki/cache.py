"""What documents yielded, kept for the next run in a file that may be deleted at any time.

    ~/.cache/obs2anki/6f1c2a9b0d4e8f37.sqlite
      documents   cells.md | stamp | digest | what else went into it | what it yielded
      settled     cells.md | digest | checksum | what was decided about it

Nothing here is needed: a cache that is missing, damaged, of another version or of other settings
is begun anew, and one that cannot be written is done without. It lies outside of the vault, in
the user's own folder for caches, and holds rows of text and numbers only: nothing in it is ever
executed. Two runs at once may share it; what one writes last is what stays.
"""

from __future__ import annotations

import hashlib
import platform
import sqlite3
import sys
import time
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import lru_cache
from pathlib import Path
from secrets import token_hex

import msgspec

from obs2anki import __version__
from obs2anki.data import Value, VaultPath

FORMAT = 3
"""Of the rows; another one begins the cache anew."""

LIBRARIES = (
    *("comrak", "nh3", "google-re2", "Pygments"),
    *("PyYAML", "python-frontmatter", "bracex"),
)
"""What reads documents, files their flashcards under decks and renders them."""

FORGOTTEN = 60 * 60 * 24 * 30
"""Seconds after which the cache of a vault that is no more is removed."""


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def nobodys() -> str:
    """A name that nothing has, and no other run gives."""
    return token_hex(16)


def digest_of_file(file: Path) -> str:
    """A short name for what a file holds; empty if there is none that can be read."""
    try:
        if not file.is_file():  # a pipe would be waited for without end
            return ""
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def key(*values: object) -> str:
    """A short name for settings and the like, and for the program that makes something of them."""
    made_by = (FORMAT, __version__, sys.version, platform.machine(), unicodedata.unidata_version)
    return digest(_spelled((*made_by, _libraries(), _program(), *values)))


@lru_cache(maxsize=1)  # what runs is what was there at first
def _libraries() -> tuple[str, ...]:
    """The versions of `LIBRARIES`."""
    from importlib import metadata

    # What `metadata.version` does as well, to the whole of a long text.
    texts = (metadata.distribution(name).read_text("METADATA") or "" for name in LIBRARIES)
    return tuple(text.partition("\nVersion:")[2].partition("\n")[0].strip() for text in texts)


@lru_cache(maxsize=1)  # the same
def _program() -> tuple[tuple[str, int, int], ...]:
    """What the disk says of this program's own files: they may change without the version."""
    try:
        files = sorted(Path(__file__).parent.rglob("*.py"))
        stats = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()  # it runs from an archive
    return tuple((name, status.st_size, status.st_mtime_ns) for name, status in stats)


def _spelled(value: object) -> str:
    """A value in one spelling: a set has no order of its own."""
    if is_dataclass(value):
        inner = (f"{one.name}={_spelled(getattr(value, one.name))}" for one in fields(value))
        return f"{type(value).__name__}({','.join(inner)})"
    if isinstance(value, frozenset | set):
        return f"{{{','.join(sorted(map(_spelled, value)))}}}"
    if isinstance(value, tuple | list):
        return f"({','.join(map(_spelled, value))})"
    return repr(value)


# ---------------------------------------------------------------- rows


class Row(Value, frozen=True):
    """What is known of a document."""

    path: VaultPath
    stamp: str
    """Of the document, from before it was read."""
    digest: str
    """Of its text."""
    documents: Mapping[VaultPath, str]
    """Digests of other documents that were looked into."""
    files: Mapping[VaultPath, str]
    """Stamps of other files that it names."""
    yielded: bytes
    """As `rows` packs it."""
    checksum: int
    """Of that."""


SettledRow = tuple[VaultPath, str, int, bytes]
"""A document, the digest of its text, a checksum, and what was decided about it (`settled`)."""

_USES = msgspec.msgpack.Decoder(tuple[dict[VaultPath, str], dict[VaultPath, str]])

SCHEMA = """
    CREATE TABLE about (
        name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL
    );
    CREATE TABLE documents (
        path TEXT PRIMARY KEY, stamp TEXT NOT NULL, digest TEXT NOT NULL,
        uses BLOB NOT NULL, yielded BLOB NOT NULL, checksum INTEGER NOT NULL
    );
    CREATE TABLE settled (
        path TEXT PRIMARY KEY, digest TEXT NOT NULL, checksum INTEGER NOT NULL, kept BLOB NOT NULL
    );
"""
"""Large rows: to insert one into a table WITHOUT ROWID takes three times as long."""

FILES = "files"
"""The name under which it is noted among which files the rows' links were looked up."""

SETTLED = "settled"
"""The name under which it is noted what the rows of that table hold for."""


def folder() -> Path:
    """Where this user's caches lie."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("obs2anki", appauthor=False))


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of one vault."""

    file: Path
    root: Path

    @classmethod
    def of(cls, place: Path, root: Path) -> Cache:
        """The cache of the vault `root` in the folder `place`."""
        real = root.resolve()
        name = hashlib.sha256(str(real).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return cls(place / f"{name}.sqlite", real)

    def read(self, wanted: str) -> Iterator[Row]:
        """What is known under the key `wanted`, as far as it can be read."""
        with suppress(OSError), self._mending():
            if self.file.is_file():
                with closing(self._open()) as connection:
                    if _about(connection, "key") == wanted:
                        yield from _rows(connection)

    def note(self, name: str) -> str:
        """A note that says itself what it is about; empty if there is none."""
        with suppress(sqlite3.Error, OSError, ValueError, TypeError):
            if self.file.is_file():
                with closing(self._open()) as connection:
                    return _about(connection, name)
        return ""

    def keep_note(self, name: str, value: str) -> None:
        """Keep a note beside what is there; not where another run is at it."""
        with suppress(OSError), self._mending():
            if self.file.is_file():
                with closing(self._open()) as connection:
                    _note(connection, {name: value})

    def about(self, name: str, wanted: str) -> str:
        """A note, if what is kept is kept under the key `wanted`; empty if not."""
        return self.note(name) if self.note("key") == wanted else ""

    def write(
        self,
        wanted: str,
        changed: Iterable[Row],
        touched: Iterable[tuple[Row, Row]],
        left: Iterable[VaultPath],
        before: str,
        after: str,
    ) -> None:
        """Keep what has changed under the key `wanted`, and forget what has left.

        `touched` are documents that have another stamp and the same text, before and after; what
        another run has kept of them meanwhile they leave alone. `after` is what is noted of the
        files in which links were looked up, if that was `before`; where another run has noted
        something else meanwhile, rows of both are there, and nothing holds for all. Where this
        cannot be kept, or another run is at it, it is not.
        """
        with suppress(OSError), self._mending():
            self._write(wanted, changed, touched, left, before, after)

    @contextmanager
    def _mending(self) -> Iterator[None]:
        """Remove a cache that proves damaged, so that it is begun anew; none that is in use."""
        try:
            yield
        except (sqlite3.Error, ValueError, TypeError) as error:
            if not (isinstance(error, sqlite3.OperationalError) and "locked" in str(error)):
                self.file.unlink(missing_ok=True)

    def _write(
        self,
        wanted: str,
        changed: Iterable[Row],
        touched: Iterable[tuple[Row, Row]],
        left: Iterable[VaultPath],
        before: str,
        after: str,
    ) -> None:
        if not self.file.exists():
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _prune(self.file.parent)
        with closing(self._open()) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            if _about(connection, "key") != wanted:
                _begin(connection)
                _note(connection, {"key": wanted, "vault": str(self.root)})
            elif _about(connection, FILES) not in (before, after):
                after = nobodys()
            for path in left:
                connection.execute("DELETE FROM documents WHERE path = ?", (path,))
                connection.execute("DELETE FROM settled WHERE path = ?", (path,))
            connection.executemany(
                "UPDATE documents SET stamp = ?, checksum = ? WHERE path = ? AND checksum = ?",
                ((new.stamp, _checksum(new), new.path, _checksum(old)) for old, new in touched),
            )
            for row in changed:
                connection.execute(
                    "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?, ?)", _values(row)
                )
                connection.execute("DELETE FROM settled WHERE path = ?", (row.path,))
            _note(connection, {FILES: after})

    def settled(self, wanted: str, mark: str) -> Iterator[SettledRow]:
        """What was decided under `mark`, about documents that are known under the key `wanted`.

        As far as it can be read.
        """
        with suppress(OSError), self._mending():
            if self.file.is_file():
                with closing(self._open()) as connection:
                    if _about(connection, "key") == wanted and _about(connection, SETTLED) == mark:
                        query = "SELECT path, digest, checksum, kept FROM settled"
                        for path, name, checksum, kept in connection.execute(query):
                            yield path, name, checksum, bytes(memoryview(kept))

    def keep_settled(
        self,
        wanted: str,
        before: str,
        mark: str,
        fresh: Iterable[SettledRow],
        every: Callable[[], Iterable[SettledRow]],
        paths: Set[VaultPath],
    ) -> None:
        """Keep what was decided, under `mark` from now on; not where another run is at it.

        `fresh` is what came to it since it was kept under `before`; where that is not so any
        more, `every` row is kept anew. Only what is about these `paths` holds under `mark`.
        """
        with suppress(OSError), self._mending():
            if self.file.is_file():
                with closing(self._open()) as connection, connection:
                    connection.execute("BEGIN IMMEDIATE")
                    if _about(connection, "key") != wanted:
                        return
                    if _about(connection, SETTLED) != before:
                        connection.execute("DELETE FROM settled")
                        fresh = every()
                    _forget_settled(connection, paths)
                    connection.executemany(
                        "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?)", fresh
                    )
                    _note(connection, {SETTLED: mark})

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.file, timeout=1, isolation_level=None)
        try:
            # What a crash of the machine leaves behind need not be whole, only known as broken.
            connection.execute("PRAGMA synchronous = OFF")
        except BaseException:
            connection.close()  # Windows removes no file that is open
            raise
        return connection


def _about(connection: sqlite3.Connection, name: str) -> str:
    """The note of a name; empty if there is none that is whole."""
    query = "SELECT value, checksum FROM about WHERE name = ?"
    try:
        value, checksum = connection.execute(query, (name,)).fetchone() or ("", 0)
    except sqlite3.OperationalError as error:
        if "no such" in str(error):  # table, or column in that of an older version
            return ""
        raise
    return str(value) if _sum_of_note(name, value) == checksum else ""


def _note(connection: sqlite3.Connection, notes: Mapping[str, str]) -> None:
    """Keep notes by their names."""
    connection.executemany(
        "INSERT OR REPLACE INTO about VALUES (?, ?, ?)",
        ((name, value, _sum_of_note(name, value)) for name, value in notes.items()),
    )


def _sum_of_note(name: str, value: object) -> int:
    return zlib.crc32(f"{name}\0{value}".encode())


def _forget_settled(connection: sqlite3.Connection, but: Set[VaultPath]) -> None:
    """Forget what was decided about other documents than these."""
    paths = connection.execute("SELECT path FROM settled").fetchall()
    others = [(path,) for (path,) in paths if path not in but]
    connection.executemany("DELETE FROM settled WHERE path = ?", others)


def _begin(connection: sqlite3.Connection) -> None:
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        connection.execute(f'DROP TABLE "{name}"')
    for statement in SCHEMA.split(";")[:-1]:
        connection.execute(statement)


def _values(row: Row) -> tuple[str, str, str, bytes, bytes, int]:
    return row.path, row.stamp, row.digest, _uses(row), row.yielded, _checksum(row)


def _uses(row: Row) -> bytes:
    return msgspec.msgpack.encode((dict(row.documents), dict(row.files)))


def _checksum(row: Row) -> int:
    """Of a whole row: a machine that crashes may leave one half of it as it was before."""
    named = "\0".join((row.path, row.stamp, row.digest)).encode("utf-8", "surrogatepass")
    return zlib.crc32(named + _uses(row), row.checksum)


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    """All rows. Raises ValueError or TypeError at one that is damaged."""
    seen: set[str] = set()
    for path, mark, name, uses, yielded, checksum in connection.execute(
        "SELECT path, stamp, digest, uses, yielded, checksum FROM documents"
    ):
        row = Row(path, mark, name, *_USES.decode(uses), yielded, zlib.crc32(yielded))
        # Where table and index do not belong together any more, rows pile up.
        if path in seen or _checksum(row) != checksum:
            raise ValueError(path)
        seen.add(path)
        yield row


def _prune(place: Path) -> None:
    """Remove the caches of vaults that have been gone for long."""
    for file in place.glob("*.sqlite"):
        with suppress(OSError, sqlite3.Error):
            if time.time() - file.stat().st_mtime < FORGOTTEN:
                continue
            with closing(sqlite3.connect(file)) as connection:
                vault = _about(connection, "vault")
            if not vault or not Path(vault).is_dir():
                file.unlink()
