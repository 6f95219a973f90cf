"""Anki's collection: the file that Anki itself opens, followed through Anki's own engine.

    ~/.local/share/Anki2/User 1/collection.anki2
                                collection.media/     media are added, never replaced
                                backups/              Anki's own backups: one before each write
                                .obs2anki-5f1c….tmp/  the copy that is worked on

The collection itself is locked as Anki locks it, and only read. All is done on a copy, which is
checked and then put in its place in one step; where there is nothing to do the copy is dropped.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import sqlite3
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from obs2anki.data import Media, Plan
from obs2anki.deeds import Applied, Changes, Holding
from obs2anki.destinations.collection_notes import INSTALL, has_engine, sentences
from obs2anki.destinations.open_collection import OpenCollection
from obs2anki.destinations.package import settle
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.media import is_named_for

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # a module or none

NAME = "collection.anki2"


@dataclass(frozen=True, slots=True)
class Collection:
    """The collection at a path, or in the folder of an Anki profile."""

    path: Path
    each_time: bool = True
    """Whether Anki makes a backup before each write; else as often as it is set to make one."""

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
            session = Session(path, file, folder, self.each_time)
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
    file = _opened_and_locked(path)
    with file:
        yield file
        # Closing the file gives the lock back.


def _opened_and_locked(path: Path) -> BinaryIO:
    """The file that lies at `path`, open and locked.

    Another sync may have put its own there after it was opened, before it was locked: who worked
    on the old one would undo all of that sync.
    """
    while True:
        try:
            file = path.open("r+b")
        except OSError as error:
            raise Obs2ankiError(
                f"{path} cannot be opened ({error.strerror or error}). Give yourself the right to "
                "write it."
            ) from error
        try:
            _lock(file)
        except OSError as error:
            file.close()
            raise Obs2ankiError(
                f"Another obs2anki syncs with {path}, or it is open in Anki. Close Anki, and run "
                "this again; or sync with the Anki that runs: --connect"
            ) from error
        with suppress(FileNotFoundError):  # then it cannot be opened, either
            if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                return file
        file.close()


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
    each_time: bool = True
    """As above."""
    _open: OpenCollection | None = None
    _version: int = 0
    """Of the collection's schema, as it was."""

    @property
    def _copy(self) -> Path:
        return self.folder / NAME

    def read(self, namespace: str) -> Holding:
        """What the collection holds. Raises Obs2ankiError where the engine cannot read it."""
        with _disk(self.path), sentences(self.path):
            return self._opened().read(namespace, _names(_media_folder(self.path)))

    def apply(self, changes: Changes, plan: Plan) -> Applied:
        """Write all of `changes`; on failure the collection is as it was.

        Media are added first; of these some may be there that no card names yet.
        """
        with _disk(self.path), sentences(self.path):
            self._refuse_unfinished()
            engine = self._opened()
            backups = self.path.parent / "backups"
            backups.mkdir(exist_ok=True)
            engine.engine.create_backup(
                backup_folder=str(backups),
                force=self.each_time,
                wait_for_completion=True,
            )
            engine.write(changes, plan, self.folder)
            self.close()
            self._check()
            self._add_media(changes.media)
            self._swap()
        return Applied(backup=str(backups))

    def close(self) -> None:
        """Let go of the copy."""
        if self._open is not None:
            self._open.engine.close()
            self._open = None

    # ------------------------------------------------------------ the copy

    def _opened(self) -> OpenCollection:
        if self._open is None:
            _copy_open(self.file, self._copy)
            log = _log_of(self.path)
            if log.exists():  # what an Anki that crashed had not put in its place yet
                shutil.copyfile(log, _log_of(self._copy))
            from anki.collection import Collection as Engine

            self._version = _schema(self._copy)
            self._open = OpenCollection(Engine(str(self._copy)))
        return self._open

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
        known = {_kind(fault): _count(fault) for fault in _faults(before, self.folder)}
        new = [fault for fault in found if _count(fault) > known.get(_kind(fault), 0)]
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
            if (folder / item.name).exists():
                continue
            with aside.open("rb") as copy:
                if not is_named_for(item, hashlib.file_digest(copy, "sha256").hexdigest()):
                    raise Obs2ankiError(
                        f"The media file {item.file} has changed while it was read, so the "
                        "collection was left as it was. Run this again."
                    )
            shutil.move(aside, folder / item.name)

    def _swap(self) -> None:
        """Put the copy in the place of the collection, in one step."""
        with self._copy.open("r+b") as copy:
            os.fsync(copy.fileno())
        shutil.copymode(self.path, self._copy)
        if sys.platform == "win32":  # which replaces no file that is open
            self.file.close()
        self._copy.replace(self.path)
        settle(self.path.parent)


# ---------------------------------------------------------------- the check


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


_COUNTED = re.compile("\u2068([0-9]+)\u2069")
"""A number in a sentence of Anki's, between the marks that it sets around it."""

_NUMERUS = re.compile(r"(?:ies|y|s|\bit|\bthem)\b")
"""What differs in such a sentence where it tells of one and where of several."""


def _kind(fault: str) -> str:
    """What a sentence of Anki's tells, of however many it does."""
    return _NUMERUS.sub("", _COUNTED.sub("", fault))


def _count(fault: str) -> int:
    """Of how many it tells."""
    counted = _COUNTED.search(fault)
    return int(counted[1]) if counted else 1


def _schema(collection: Path) -> int:
    """The version of the form that a collection has; a newer engine may change it."""
    with closing(sqlite3.connect(f"{collection.as_uri()}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("SELECT ver FROM col").fetchone()
        return int(version)


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
