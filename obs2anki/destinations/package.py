"""An Anki package: the `.apkg` file that Anki imports.

    deck.apkg (zip)  collection.anki2   notes, cards, notetypes and decks
                     media              {"0": "cat-5f1c2a9b.png"}
                     0                  the picture

The new package is written aside and then put in place in one step, so whatever goes wrong, the
old deck or the new one is there, whole. A package that holds the plan already is not touched.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import re
import secrets
import shutil
import sqlite3
import stat
import time
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from io import BufferedRandom, BufferedReader
from pathlib import Path
from typing import IO, Protocol

import msgspec

from obs2anki.data import Delivery, Guid, Media, Plan
from obs2anki.destinations import anki2, archive
from obs2anki.destinations.contents import Contents, Filled, contents
from obs2anki.diagnostics import FULL, Obs2ankiError
from obs2anki.media import is_named_for

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]  # a module or none

COLLECTION, MEDIA = "collection.anki2", "media"

ANKIS_OWN = frozenset({"collection.anki21", "collection.anki21b", "meta"})
"""Members that Anki writes and obs2anki does not."""

PACKED_ALREADY = re.compile(
    r"\.(jpe?g|png|gif|webp|avif|heic|mp[34]|m4[av]|og[gav]|opus|flac|3gp|mov|webm|mkv"
    r"|pdf|zip|gz|woff2?)",
    re.IGNORECASE,
)
"""Suffixes of files that deflate cannot make smaller."""

CHUNK = 1 << 20
"""Bytes of a media file that are in memory at one time."""


class Memory(Protocol):
    """Where texts are kept from one run to the next, or not: nothing here is needed."""

    def note(self, name: str) -> str:
        """What was kept under a name; empty if nothing was."""
        ...

    def keep_note(self, name: str, value: str) -> None:
        """Keep a text under a name."""
        ...


@dataclass(frozen=True, slots=True)
class Package:
    """The package at a path, which may not be there yet."""

    path: Path
    memory: Memory | None = None
    """What knows what the package held when it was last written; None = it is always read."""
    filled: Filled | None = None
    """What this process delivered last."""

    def deliver(self, plan: Plan) -> Delivery:
        """Make the package hold `plan`; its counts are against the package that was there.

        Raises Obs2ankiError where the package cannot be written, where the file at the path is
        none of ours, or where a media file cannot be read; then the file is as it was. Raises
        ValueError for a plan that breaks its promises (`anki2.database`).
        """
        with _sentences(self.path):
            there = _there(self.path, self.memory)
            _clear(_target(self.path).parent)
            filled = Filled() if self.filled is None else self.filled
            if there is not None and there.contents == filled.contents_of(plan):
                return there.named(Delivery(unchanged=len(plan.notes)))
            with closing(anki2.database(plan, filled)) as connection:
                wanted = connection.contents(_sizes(plan.media))
                filled.keep(plan, wanted)
                delivery = _first(plan) if there is None else _difference(there.contents, wanted)
                if there is None or delivery.written:
                    there = _put(self.path, connection, plan.media, wanted)
                    self._keep(there)
            return there.named(delivery)

    def _keep(self, put: _Package) -> None:
        """Keep in mind what a package holds."""
        if self.memory is not None:
            held = put.contents
            told = (put.digest, held.notes, held.cards, held.frame, held.media)
            self.memory.keep_note(HELD, msgspec.json.encode(told).decode())

    def compare(self, plan: Plan, *, ignore_mod: bool = False) -> Delivery:
        """What `deliver` would do, without doing it; `written` says whether it would write.

        With `ignore_mod` a note whose time of change alone differs is the same note: without a
        ledger nobody knows that time. Raises what `deliver` raises.
        """
        with _sentences(self.path):
            found = _there(self.path, self.memory)
            there = None if found is None else found.contents
            wanted = anki2.contents(plan, _sizes(plan.media))
            if ignore_mod:
                there, wanted = there and there.without_mod(), wanted.without_mod()
            delivery = _difference(there, wanted)
            return delivery if found is None else found.named(delivery)


# ---------------------------------------------------------------- what a package holds


HELD = "deck"
"""The name under which it is kept what a package holds."""

_HELD = msgspec.json.Decoder(tuple[str, dict[Guid, tuple[int, str]], str, str, dict[str, int]])


@dataclass(frozen=True, slots=True)
class _Package:
    """A package as it was written or read, whatever lies at its path by now."""

    contents: Contents
    digest: str
    """Of the file; empty = nobody keeps it in mind."""
    size: int
    """Of the file, in bytes."""

    def named(self, delivery: Delivery) -> Delivery:
        """A delivery that says which file it speaks of."""
        return replace(delivery, size=self.size, digest=self.digest)


def _kept(memory: Memory, wanted: str) -> Contents | None:
    """What the package with this digest holds, if it is the one that was written last."""
    try:
        digest, notes, cards, frame, media = _HELD.decode(memory.note(HELD))
    except msgspec.MsgspecError:
        return None
    return Contents(notes, cards, frame, media) if digest == wanted else None


def _digest_of(file: BufferedReader | BufferedRandom) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def _first(plan: Plan) -> Delivery:
    """What it is to deliver a plan where nothing was."""
    guids = frozenset(note.guid for note in plan.notes)
    return Delivery(added=len(guids), written=True, new_guids=guids)


def _difference(there: Contents | None, wanted: Contents) -> Delivery:
    old, new = (there or NOTHING).notes, wanted.notes
    differing = [guid for guid, note in new.items() if old.get(guid) != note]
    added = frozenset([guid for guid in differing if guid not in old])
    others = [guid for guid in differing if guid in old]
    same_notes = not added and not others and len(old) == len(new)
    return Delivery(
        added=len(added),
        changed=len(others),
        newer=sum(old[guid][0] < new[guid][0] for guid in others),
        gone=len(old) - (len(new) - len(added)),
        unchanged=len(new) - len(added) - len(others),
        written=not (there and same_notes and there.but_for_notes == wanted.but_for_notes),
        new_guids=added,
    )


def _there(path: Path, memory: Memory | None) -> _Package | None:
    """The package at `path`; None if nothing is there.

    Raises Obs2ankiError for a file that must not be replaced, FileNotFoundError where there is
    no folder for one. A package of ours whose inside is broken holds nothing that can be
    compared, and may be replaced.
    """
    if path.is_dir():
        raise Obs2ankiError(
            f"{path} is a folder, so it cannot be the deck. "
            f"Name a file in it: -o {path / 'deck.apkg'}"
        )
    if not path.exists():
        if not _folder(path).is_dir():
            raise FileNotFoundError(path)
        return None
    if not path.is_file():  # a pipe would be waited for without end
        raise _foreign(path, "is no file but a pipe or a device")
    try:
        # Another run may put its own in this place while this one is read.
        with path.open("rb") as file, zipfile.ZipFile(file) as package:
            _refuse_foreign(path, package.namelist())
            size, digest, kept = os.fstat(file.fileno()).st_size, "", None
            if memory is not None:
                digest = _digest_of(file)
                kept = _kept(memory, digest)
            return _Package(_read(package) if kept is None else kept, digest, size)
    except (zipfile.BadZipFile, NotImplementedError):  # of a later version, it says
        raise _foreign(path, "is no Anki package") from None


def _folder(path: Path) -> Path:
    """The folder that has to be there for a package at `path`, which may be a link."""
    return _target(path).parent if path.parent.is_dir() else path.parent


def _target(path: Path) -> Path:
    """Where the package lies: a link to the deck stays a link, and one to itself is replaced."""
    return Path(os.path.realpath(path))


def _refuse_foreign(path: Path, members: Iterable[str]) -> None:
    if COLLECTION not in members:
        raise _foreign(path, "is no Anki package")
    if ANKIS_OWN.intersection(members):
        raise _foreign(path, "was exported by Anki, with all that you have learnt there")


def _foreign(path: Path, what: str) -> Obs2ankiError:
    return Obs2ankiError(
        f"{path} {what}, so it was not replaced. Choose another name with -o, or move it away."
    )


NOTHING = Contents({}, "", "", {})

_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError)
"""What reading a damaged zip raises; RuntimeError where it seems encrypted or of a later day."""


def _read(package: zipfile.ZipFile) -> Contents:
    try:
        names: dict[str, str] = json.loads(package.read(MEDIA))
        sizes = {name: package.getinfo(member).file_size for member, name in names.items()}
        with closing(sqlite3.connect(":memory:")) as connection:
            connection.deserialize(package.read(COLLECTION))
            return contents(connection, sizes)
    except (sqlite3.Error, KeyError, ValueError, AttributeError, *_BROKEN):
        return NOTHING


def _sizes(media: Iterable[Media]) -> dict[str, int]:
    return {item.name: item.size for item in media}


# ---------------------------------------------------------------- writing it


def _put(
    path: Path, collection: anki2.Database, media: Iterable[Media], wanted: Contents
) -> _Package:
    """Write the package aside, then put it in the place of `path` in one step.

    `wanted` is what it is going to hold.
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise Obs2ankiError(
            f"{path} is write-protected, so it was not replaced. "
            "Take the protection away, or choose another name with -o."
        )
    target = _target(path)
    aside, file = _aside(target.parent)
    try:
        with file:
            _write(file, collection, media)
            file.flush()
            os.fsync(file.fileno())
            # From here on another run may replace it at any time, or somebody move it away.
            put = _Package(wanted, _digest_of(file), os.fstat(file.fileno()).st_size)
            if target.exists():
                shutil.copymode(target, aside)
            if fcntl is not None:  # while it is open, and so locked
                aside.replace(target)
        if fcntl is None:  # Windows moves no file that is open
            aside.replace(target)
        settle(target.parent)
    finally:
        aside.unlink(missing_ok=True)
    return put


_ASIDE = re.compile(r"\.obs2anki-[0-9a-f]{16}\.tmp")

ABANDONED = 600
"""Seconds without a byte after which nobody writes a file any more, where locks do not say so."""


def _aside(folder: Path) -> tuple[Path, BufferedRandom]:
    """A new file beside a deck, open and locked for as long as it is."""
    while True:
        aside = folder / f".obs2anki-{secrets.token_hex(8)}.tmp"
        file = aside.open("x+b")
        if fcntl is None:
            return aside, file
        with suppress(OSError):  # some network drives know no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        # Before the lock another run may have taken it for abandoned.
        with suppress(FileNotFoundError):
            if os.path.samestat(aside.lstat(), os.fstat(file.fileno())):
                return aside, file
        file.close()


def _clear(folder: Path) -> None:
    """Remove what runs that were killed have left aside; none that a live run still writes."""
    with suppress(OSError):
        for file in folder.iterdir():
            if _ASIDE.fullmatch(file.name):
                with suppress(OSError):
                    _clear_one(file)


def _clear_one(aside: Path) -> None:
    status = aside.lstat()
    if not stat.S_ISREG(status.st_mode):
        return  # not ours: a link, say, that somebody's vault holds
    if fcntl is None:
        if time.time() - status.st_mtime > ABANDONED:
            aside.unlink()
        return
    with aside.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # its run is alive
        except OSError:
            if time.time() - status.st_mtime <= ABANDONED:
                return
        aside.unlink()


def settle(folder: Path) -> None:
    """Have the disk remember the new name too, where a system can do that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write(file: IO[bytes], collection: anki2.Database, media: Iterable[Media]) -> None:
    """The zip; its members have no time of their own, so the same plan gives the same bytes."""
    numbered = list(enumerate(sorted({item.name: item for item in media}.values(), key=_name)))
    names = {str(number): item.name for number, item in numbered}
    with archive.begun(file, COLLECTION, collection.pieces(), collection.size) as package:
        with package.open(MEDIA, "w") as member:
            member.write(json.dumps(names, ensure_ascii=False).encode())
        for number, item in numbered:
            # A bare ZipInfo is stored as it is; a name takes the package's compression.
            stored = PACKED_ALREADY.fullmatch(item.file.suffix)
            entry = zipfile.ZipInfo(str(number)) if stored else str(number)
            with package.open(entry, "w", force_zip64=item.size >= 1 << 30) as member:
                for chunk in _chunks(item):
                    member.write(chunk)


def _name(item: Media) -> str:
    return item.name


def _chunks(item: Media) -> Iterator[bytes]:
    """The file, piece by piece. Without it Anki would refuse the whole package.

    Another picture under its name would stay: Anki has it, and no later package differs.
    """
    read = hashlib.sha256()
    try:
        with item.file.open("rb") as file:
            while chunk := file.read(CHUNK):
                read.update(chunk)
                yield chunk
    except OSError as error:
        raise Obs2ankiError(
            f"The media file {item.file} cannot be read ({error.strerror}), so no deck was "
            "written. If it has just been moved or deleted, run the export again."
        ) from error
    if not is_named_for(item, read.hexdigest()):
        raise Obs2ankiError(
            f"The media file {item.file} has changed while it was read, so no deck was written. "
            "Run the export again."
        )


# ---------------------------------------------------------------- what can go wrong


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """Say in a sentence, with a remedy, why the world refused."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Obs2ankiError(
            f"The folder {_folder(path)} does not exist, so {path.name} cannot be written there. "
            "Create it, or choose another place with -o."
        ) from error
    except OSError as error:
        if error.errno in FULL:
            raise Obs2ankiError(
                f"There is no room on the disk for {path}; a deck that was there is as it was. "
                "Free some space, or choose another place with -o."
            ) from error
        raise Obs2ankiError(
            f"{path} cannot be written ({error.strerror or error}). "
            f"Give yourself the right to write in {path.parent}, or choose another place with -o."
        ) from error
