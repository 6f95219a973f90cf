"""The ledger: what obs2anki remembers of each flashcard, in a file beside its documents.

    {"obs2anki": 1, "namespace": "obs2anki", "vault": "Biology"}
    {"guid": "vAuSF^~FyQ", "type": "single-line-basic", "path": "cells.md", "question": ...}

One line a flashcard, sorted by GUID, so that git merges two ledgers line by line (`merge=union`
in the .gitattributes beside it). Reading accepts any order and, of several lines with one GUID,
keeps the latest; the next save sorts. It is replaced whole or not at all.

    .ledger.jsonl.next     what the ledger is going to be, while Anki is being written

Anki and the ledger cannot change at one instant. Who is killed in between leaves this file, and
the next run knows by it what Anki may have got.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from operator import lt
from pathlib import Path

import msgspec
from msgspec import structs

from obs2anki import conflicts
from obs2anki.data import (
    LAST_INSTANT,
    LAST_ORDINAL,
    DeckName,
    Entry,
    FlashcardType,
    Guid,
    Ordinal,
    VaultPath,
)
from obs2anki.diagnostics import FULL, Obs2ankiError

VERSION = 1

PATIENCE = 120
"""Seconds to wait for another obs2anki that is at work on the same ledger."""

_OPENER = '{"obs2anki":'
"""How the first line begins."""

_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger file says."""

    namespace: str
    vault: str
    """The vault's name in links and as a deck: that of the first export, on every machine."""
    entries: tuple[Entry, ...] = ()
    """By GUID."""
    tidy: bool = field(default=True, compare=False)
    """Whether the file is as `save` writes it; else the next save heals it."""
    content: bytes = field(default=b"", compare=False)
    """SHA-256 of the tidy file that says this and nothing else; empty = there is none."""


@dataclass(slots=True)
class Memory:
    """The ledger that was read or saved last, for as long as its file says the same."""

    ledger: Ledger | None = None

    def of(self, content: bytes) -> Ledger | None:
        """The ledger of the file that has this digest, if it is remembered."""
        known = self.ledger
        return known if known is not None and known.content == content else None


# ---------------------------------------------------------------- reading


def read(file: Path, memory: Memory | None = None) -> Ledger | None:
    """The ledger in `file`, with what was announced and never saved; None if there is none.

    An older version may lack what is not needed to know a flashcard again; what an entry says
    beyond that is left unread. Raises Obs2ankiError, with the line and a remedy, where the
    ledger cannot be understood: rather than make new notes of everything, nothing is exported.
    """
    known, announced = _read(file, memory), _read(_next(file))
    if announced is None:
        return known
    if known is None:
        return replace(announced, tidy=False, content=b"")
    entries = {entry.guid: entry for entry in known.entries}
    for entry in announced.entries:
        # A ledger that has come from another computer since may know of later changes.
        if entry.guid not in entries or entry.mod >= entries[entry.guid].mod:
            entries[entry.guid] = entry
    merged = tuple(entries[guid] for guid in sorted(entries))
    return replace(known, entries=merged, tidy=False, content=b"")


def _read(file: Path, memory: Memory | None = None) -> Ledger | None:
    try:
        if file.exists() and not file.is_file():  # a pipe would be waited for without end
            raise Obs2ankiError(
                f"The ledger {file} is no file, so nothing was exported. Move it away, or name "
                "another place: ledger in obs2anki.toml."
            )
        content = file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Obs2ankiError(
            f"The ledger {file} cannot be read ({error.strerror or error}), so nothing was "
            "exported. Mend that, or bring back an earlier one."
        ) from error
    digest = _digest(content)
    known = None if memory is None else memory.of(digest)
    if known is None:
        known = _as_saved(content) or _as_found(file, _decoded(file, content))
        if known.tidy:
            known = replace(known, content=digest)
        if memory is not None:
            memory.ledger = known
    return known


def _as_saved(content: bytes) -> Ledger | None:
    """The ledger that `save` has written; None if something else has been at the file since."""
    first = content.find(b"\n") + 1
    if b"\r" in content or not content.startswith(_OPENER.encode()) or content[-1:] != b"\n":
        return None
    try:
        header = _HEADER.decode(content[:first])
        entries = tuple(_DECODER.decode_lines(memoryview(content)[first:]))
    except (ValueError, TypeError):
        return None
    # JSON may be broken into lines anywhere; `save` does so before and after each entry.
    if not len(entries) == content.count(b"\n", first) == content.count(b'\n{"guid":'):
        return None
    guids = [entry.guid for entry in entries]
    if header.obs2anki != VERSION or not all(map(lt, guids, islice(guids, 1, None))):
        return None
    if not all(_is_each_once(entry.ordinals) for entry in entries if entry.ordinals):
        return None
    return Ledger(header.namespace, header.vault, entries)


def _as_found(file: Path, text: str) -> Ledger:
    """The ledger that an older version, a merge, an editor or a person has left."""
    # An editor on Windows may have put `\r` and a mark of byte order there; JSON escapes both.
    lines = [line.strip("\r\ufeff") for line in text.split("\n")]
    header = _header(file, lines)
    entries: dict[Guid, tuple[int, str, Entry]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or _is_header(line):
            continue
        entry = _entry(file, number, line)
        known = entries.get(entry.guid)
        # Both sides of a merge may have written one; the later change wins, then the greater line.
        if known is None or (entry.mod, line) > known[:2]:
            entries[entry.guid] = (entry.mod, line, entry)
    body = [line for line in lines[1:] if line]
    guids = list(entries)
    in_order = _is_header(lines[0]) and guids == sorted(guids)
    tidy = in_order and len(body) == len(guids) and "\r" not in text
    return Ledger(
        namespace=str(header.get("namespace", "")),
        vault=str(header.get("vault", "")),
        entries=tuple(entries[guid][2] for guid in sorted(entries)),
        tidy=tidy,
    )


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _broken(file, content.count(b"\n", 0, error.start) + 1) from error


def _is_header(line: str) -> bool:
    return line.startswith(_OPENER)


def _header(file: Path, lines: Sequence[str]) -> dict[str, object]:
    """What the header says; of several, which a merge leaves, the greatest in any order."""
    headers: dict[str, dict[str, object]] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith(_CONFLICT):
            raise Obs2ankiError(
                f"{file}:{number}: The ledger holds the marks of a git conflict. Delete the lines "
                f"that begin with {', '.join(_CONFLICT)} and keep all others. To have git do it "
                f"from now on, commit {file.parent / '.gitattributes'} with the line "
                f"{_attributes(file).strip()}"
            )
        if _is_header(line):
            header = _object(file, number, line)
            version = header.get("obs2anki")
            if not isinstance(version, int) or version > VERSION:
                raise Obs2ankiError(
                    f"{file}:{number}: The ledger was written by a newer obs2anki. "
                    "Update obs2anki: in its clone, git pull, then pip install ."
                )
            headers[line] = header
    if not headers:
        raise Obs2ankiError(
            f"{file}:1: The ledger lacks its first line, so it is no ledger, or not all of one. "
            f"{_RESTORE.format(file)} To begin anew, move the file away: flashcards that "
            "were reworded since their first export then become new notes."
        )
    return headers[max(headers)]


_RESTORE = "Bring back an earlier ledger (with git: git checkout -- {})."


def _broken(file: Path, number: int) -> Obs2ankiError:
    return Obs2ankiError(
        f"{file}:{number}: This line of the ledger cannot be read. {_RESTORE.format(file)} "
        "Or delete the line: its flashcard then counts as new."
    )


def _object(file: Path, number: int, line: str) -> dict[str, object]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise _broken(file, number) from None
    if not isinstance(value, dict):
        raise _broken(file, number)
    return value


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    """The first line."""

    obs2anki: int
    """The version of the format."""
    namespace: str
    vault: str


_HEADER = msgspec.json.Decoder(_Header)

_DECODER = msgspec.json.Decoder(Entry)
_ENCODER = msgspec.json.Encoder()


def _entry(file: Path, number: int, line: str) -> Entry:
    """The entry that a line tells; what `save` has written is read in a tenth of the time."""
    try:
        entry = _DECODER.decode(line)
    except (ValueError, TypeError):
        return _any_entry(file, number, line)  # an older version left something out, or it broke
    return entry if _is_each_once(entry.ordinals) else _any_entry(file, number, line)


def _is_each_once(ordinals: Sequence[Ordinal]) -> bool:
    """Whether no ordinal stands there twice: two deletions must never become one card."""
    return len({one.ordinal for one in ordinals}) == len(ordinals)


def _any_entry(file: Path, number: int, line: str) -> Entry:
    value = _object(file, number, line)
    try:
        question, answer = _texts(value["digest"])
        return Entry(
            guid=Guid(_name(value["guid"])),
            type=FlashcardType(_text(value["type"])),
            path=VaultPath(_text(value["path"])),
            deck=DeckName(_text(value.get("deck", ""))),
            tags=_texts(value.get("tags", [])),
            block_id=_maybe(value.get("block_id")),
            question=_text(value["question"]),
            answer=_text(value["answer"]),
            digest=(question, answer),
            context_digest=_text(value.get("context", "")),
            after=None if (after := _maybe(value.get("after"))) is None else Guid(after),
            reviews=_texts(value.get("reviews", [])),
            content=_text(value["content"]),
            mod=_instant(value["mod"]),
            seen=_instant(value.get("seen", value["mod"])),
            ordinals=_ordinals(value.get("ordinals", [])),
            gone=None if (gone := _maybe(value.get("gone"))) is None else date.fromisoformat(gone),
        )
    except (ValueError, KeyError, TypeError):
        raise _broken(file, number) from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _name(value: object) -> str:
    if not value:
        raise ValueError
    return _text(value)


def _maybe(value: object) -> str | None:
    return None if value is None else _text(value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(_text, _list(value)))


def _number(value: object, end: int) -> int:
    if type(value) is not int or not 0 <= value < end:
        raise ValueError
    return value


def _instant(value: object) -> int:
    return _number(value, LAST_INSTANT + 1)


def _ordinals(value: object) -> tuple[Ordinal, ...]:
    """Each ordinal once: two deletions must never become one card."""
    found: dict[int, Ordinal] = {}
    for item in map(_list, _list(value)):
        ordinal, digest, *rest = item
        number = _number(ordinal, LAST_ORDINAL + 1)
        if number in found:
            raise ValueError
        found[number] = Ordinal(number, _text(digest), bool(rest and rest[0]))
    return tuple(found.values())


# ---------------------------------------------------------------- writing


def content_of(ledger: Ledger) -> bytes:
    """The ledger as its file holds it."""
    header = _Header(VERSION, ledger.namespace, ledger.vault)
    lines: list[_Header | Entry] = [header]
    lines += [_told(entry) if entry.ordinals else entry for entry in ledger.entries]
    try:
        return _ENCODER.encode_lines(lines)
    except UnicodeEncodeError:
        return b"".join([_line(one) for one in lines])


def _told(entry: Entry) -> Entry:
    """An entry whose ordinals are as the file has them: without what goes without saying."""
    ordinals = [
        (o.ordinal, o.digest, 1) if o.gone else (o.ordinal, o.digest) for o in entry.ordinals
    ]
    return structs.replace(entry, ordinals=ordinals)


def _line(one: _Header | Entry) -> bytes:
    """A line of JSON; in ASCII if it holds half a pair of surrogates, as a name may."""
    try:
        return _ENCODER.encode(one) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(one), separators=(",", ":")).encode() + b"\n"


def _attributes(file: Path) -> str:
    """Have git merge the lines of both sides without asking, and keep their ends on Windows."""
    return f"{file.name} merge=union eol=lf\n"


def _digest(content: bytes) -> bytes:
    """A short name for what a file holds, by which `announce` and `save` understand each other."""
    return hashlib.sha256(content).digest()


def announce(file: Path, ledger: Ledger, root: Path) -> bytes | None:
    """Leave word that `ledger` is what `save` will put into `file`, in the vault `root`.

    From now on it is known, even if `save` is never reached. Answers a digest of what the file
    will hold, for `save`; None = it holds it already. Raises Obs2ankiError where it cannot be
    written.
    """
    content = content_of(ledger)
    with _sentences(file, root, "run this again; nothing was written so far."):
        if _holds(file, content):
            return None
        _make_folder(file.parent, root)
        _replace(file, content, _next(file))
    return _digest(content)


def withdraw(file: Path, known: Ledger | None) -> None:
    """Take back what was announced: nothing came of it.

    `known` is what `read` answered before that: what an earlier run has announced and never saved
    is part of it, and stays announced. Where that cannot be written, all of it does.
    """
    with suppress(OSError, Obs2ankiError):
        if known is None or known == _read(file):
            _next(file).unlink(missing_ok=True)
        else:
            _replace(file, content_of(known), _next(file))


def save(
    file: Path,
    ledger: Ledger,
    root: Path,
    memory: Memory | None = None,
    announced: bytes | None = None,
) -> bytes:
    """Put `ledger` into `file`, whole or not at all; an equal one is not touched.

    `announced` is what `announce` has answered, if it was asked for this ledger. Answers a digest
    of what the file holds from now on, which is the `content` of who reads it. Raises
    Obs2ankiError where it cannot be written, or where the vault `root` is not there any more; the
    file that was there is then as it was.
    """
    content: bytes | None = None  # it is there already
    if announced is None or _digest_of(_next(file)) != announced:
        content = content_of(ledger)
        announced = _digest(content)
    remedy = "export again; until then the deck is newer than the ledger."
    with _sentences(file, root, remedy):
        _aside(file).unlink(missing_ok=True)  # of a run that was killed
        if content is None or not _holds(file, content):
            _make_folder(file.parent, root)
            attributes = file.parent / ".gitattributes"
            if file.parent.name == ".obs2anki" and not os.path.lexists(attributes):
                _replace(attributes, _attributes(file).encode("utf-8"))
            if content is None:
                _next(file).replace(file)
            else:
                _replace(file, content)
        _next(file).unlink(missing_ok=True)
    if memory is not None:
        memory.ledger = replace(ledger, tidy=True, content=announced)
    return announced


@contextmanager
def _sentences(file: Path, root: Path, remedy: str) -> Iterator[None]:
    """Say why the ledger cannot be written, and what to do about it."""
    try:
        yield
    except OSError as error:
        if not root.is_dir():
            raise Obs2ankiError(
                f"The vault {root} was moved meanwhile, so its ledger was not written. Run this "
                "again where it is now."
            ) from error
        if error.errno in FULL:
            raise Obs2ankiError(
                f"There is no room on the disk for the ledger {file}. Free some, then {remedy}"
            ) from error
        raise Obs2ankiError(
            f"The ledger {file} cannot be written: {error.strerror or error}. Mend that, then "
            f"{remedy}"
        ) from error


def _make_folder(folder: Path, root: Path) -> None:
    """Make a folder of the vault, but never the vault: it may have been renamed meanwhile."""
    if folder != root and root in folder.parents:
        _make_folder(folder.parent, root)
        folder.mkdir(exist_ok=True)


def _digest_of(file: Path) -> bytes:
    with suppress(OSError), file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
    return b""


def _holds(file: Path, content: bytes) -> bool:
    with suppress(FileNotFoundError):
        return file.stat().st_size == len(content) and file.read_bytes() == content
    return False


def _next(file: Path) -> Path:
    """Where it is announced what a ledger is going to be."""
    return file.with_name(f".{file.name}.next")


def _aside(file: Path) -> Path:
    """Where a file is written before it takes its place; always there, so that none pile up."""
    return file.with_name(f".{file.name}.tmp")


def _replace(file: Path, content: bytes, place: Path | None = None) -> None:
    """Write aside, bring it to the disk, then take the file's place, or another beside it."""
    aside = _aside(file)
    aside.unlink(missing_ok=True)
    try:
        # "x" follows no link that somebody's vault may hold there.
        with aside.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(OSError):
            shutil.copymode(file, aside)
        aside.replace(place or file)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def is_announced(file: Path) -> bool:
    """Whether there is word of a ledger that was never saved, so that the next run saves it."""
    return _next(file).exists()


def conflict_copies(file: Path) -> list[str]:
    """The names of the copies that a sync service left of a ledger beside it."""
    try:
        names = [other.name for other in file.parent.iterdir()]
    except OSError:
        return []
    return sorted(name for name in names if conflicts.copied_from(name) == file.name)


def is_writable(file: Path) -> bool:
    """Whether a ledger can be kept there: the folder, or the nearest one above it, takes files."""
    folder = file.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if file.exists() and not os.access(file, os.W_OK):
        return False
    return os.access(folder, os.W_OK)


# ---------------------------------------------------------------- the lock


@contextmanager
def locked(file: Path, patience: float | None = None) -> Iterator[None]:
    """Hold the ledger for a whole run, so that two runs at once do not forget each other's.

    The lock lies in the folder for temporary files: a vault stays free of it.
    Raises Obs2ankiError where another run holds it for more than `patience` seconds
    (None = PATIENCE).
    """
    import filelock

    seconds = PATIENCE if patience is None else patience
    name = hashlib.sha256(str(file.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else "user"
    place = Path(tempfile.gettempdir()) / f"obs2anki-{user}-{name}.lock"
    lock = filelock.FileLock(place, timeout=seconds)
    try:
        with lock:
            yield
    except filelock.Timeout:
        raise Obs2ankiError(
            f"Another obs2anki has been at work on this vault for {seconds:g} seconds. "
            f"Wait for it to end, or end it; the lock is {place}."
        ) from None
