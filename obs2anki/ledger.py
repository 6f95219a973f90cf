"""The ledger: what obs2anki remembers of each flashcard, in a file beside the vault's notes.

    {"obs2anki": 1, "namespace": "obs2anki", "vault": "Biology"}
    {"guid": "vAuSF^~FyQ", "type": "single-line-basic", "path": "cells.md", "question": ...}

One line a flashcard, sorted by GUID, so that git merges two ledgers line by line (`merge=union`
in the .gitattributes beside it). Reading accepts any order and, of several lines with one GUID,
keeps the latest; the next save sorts. It is replaced whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from obs2anki.data import DeckName, Entry, FlashcardType, Guid, Ordinal, VaultPath
from obs2anki.diagnostics import Obs2ankiError

VERSION = 1

ATTRIBUTES = "ledger.jsonl merge=union\n"
"""Git's way to merge lines of both sides without asking."""

PATIENCE = 120
"""Seconds to wait for another obs2anki that is at work on the same ledger."""

_CONFLICT = ("<<<<<<<", "=======", ">>>>>>>", "|||||||")


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a ledger file says."""

    namespace: str
    vault: str
    """The vault's name in links and as a deck: that of the first export, on every machine."""
    entries: tuple[Entry, ...] = ()
    """By GUID."""


# ---------------------------------------------------------------- reading


def read(file: Path) -> Ledger | None:
    """The ledger in `file`; None if there is none.

    Raises Obs2ankiError, with the line and a remedy, where it cannot be understood: rather than
    make new notes of everything, nothing is exported.
    """
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Obs2ankiError(
            f"The ledger {file} cannot be read: {error}. Mend it, or bring back an earlier one."
        ) from error
    lines = text.split("\n")
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
    return Ledger(
        namespace=str(header.get("namespace", "")),
        vault=str(header.get("vault", "")),
        entries=tuple(entries[guid][2] for guid in sorted(entries)),
    )


def _is_header(line: str) -> bool:
    return line.startswith('{"obs2anki":')


def _header(file: Path, lines: Sequence[str]) -> dict[str, object]:
    header: dict[str, object] = {}
    for number, line in enumerate(lines, 1):
        if line.startswith(_CONFLICT):
            raise Obs2ankiError(
                f"{file}:{number}: The ledger holds the marks of a git conflict. Delete the lines "
                f"that begin with {', '.join(_CONFLICT[:3])} and keep all others; to have git do "
                f"it from now on, commit {file.parent / '.gitattributes'}."
            )
        if _is_header(line):
            try:
                header = json.loads(line)
            except ValueError:
                raise _broken(file, number) from None
            version = header.get("obs2anki")
            if not isinstance(version, int) or version > VERSION:
                raise Obs2ankiError(
                    f"{file}:{number}: The ledger was written by a newer obs2anki. "
                    "Update obs2anki: pip install --upgrade obs2anki"
                )
    if not header and any(line.strip() for line in lines):
        raise _broken(file, 1)
    return header


def _broken(file: Path, number: int) -> Obs2ankiError:
    return Obs2ankiError(
        f"{file}:{number}: This line of the ledger cannot be read. Bring back an earlier ledger "
        f"(git checkout -- {file.name}), or delete the line: its flashcard then counts as new."
    )


def _entry(file: Path, number: int, line: str) -> Entry:
    try:
        value = json.loads(line)
        gone = value.get("gone")
        return Entry(
            guid=Guid(_text(value["guid"])),
            type=FlashcardType(value["type"]),
            path=VaultPath(_text(value["path"])),
            deck=DeckName(_text(value["deck"])),
            tags=tuple(map(_text, value["tags"])),
            block_id=value["block_id"] and _text(value["block_id"]),
            question=_text(value["question"]),
            answer=_text(value["answer"]),
            question_digest=_text(value["digest"][0]),
            answer_digest=_text(value["digest"][1]),
            context_digest=_text(value["context"]),
            after=value["after"] and Guid(_text(value["after"])),
            reviews=tuple(map(_text, value["reviews"])),
            content=_text(value["content"]),
            mod=int(value["mod"]),
            seen=int(value["seen"]),
            ordinals=tuple(
                Ordinal(int(ordinal), _text(digest), bool(rest and rest[0]))
                for ordinal, digest, *rest in value.get("ordinals", ())
            ),
            gone=None if gone is None else date.fromisoformat(gone),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        raise _broken(file, number) from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


# ---------------------------------------------------------------- writing


def text_of(ledger: Ledger) -> str:
    """The ledger as its file holds it."""
    header = {"obs2anki": VERSION, "namespace": ledger.namespace, "vault": ledger.vault}
    return "".join(f"{line}\n" for line in (_json(header), *map(_line, ledger.entries)))


def _line(entry: Entry) -> str:
    value: dict[str, object] = {
        "guid": entry.guid,
        "type": entry.type,
        "path": entry.path,
        "deck": entry.deck,
        "tags": entry.tags,
        "block_id": entry.block_id,
        "question": entry.question,
        "answer": entry.answer,
        "digest": (entry.question_digest, entry.answer_digest),
        "context": entry.context_digest,
        "after": entry.after,
        "reviews": entry.reviews,
        "content": entry.content,
        "mod": entry.mod,
        "seen": entry.seen,
    }
    if entry.ordinals:
        value["ordinals"] = [
            (o.ordinal, o.digest, 1) if o.gone else (o.ordinal, o.digest) for o in entry.ordinals
        ]
    if entry.gone is not None:
        value["gone"] = entry.gone.isoformat()
    return _json(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def save(file: Path, ledger: Ledger) -> None:
    """Put `ledger` into `file`, whole or not at all; an equal one is not touched.

    Raises Obs2ankiError where it cannot be written; the file that was there is then as it was.
    """
    text = text_of(ledger)
    try:
        with suppress(FileNotFoundError):
            if file.read_bytes() == text.encode("utf-8"):
                return
        file.parent.mkdir(parents=True, exist_ok=True)
        attributes = file.parent / ".gitattributes"
        if file.parent.name == ".obs2anki" and not attributes.exists():
            _replace(attributes, ATTRIBUTES)
        _replace(file, text)
    except OSError as error:
        raise Obs2ankiError(
            f"The ledger {file} cannot be written: {error.strerror or error}. Make room or mend "
            "its permissions, then export again; until then the deck is newer than the ledger."
        ) from error


def _replace(file: Path, text: str) -> None:
    """Write aside, bring it to the disk, then take the file's place."""
    handle, aside = tempfile.mkstemp(prefix=f".{file.name}-", suffix=".tmp", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        with suppress(OSError):
            Path(aside).chmod(file.stat().st_mode if file.exists() else 0o644)
        Path(aside).replace(file)
    except BaseException:
        with suppress(OSError):
            Path(aside).unlink()
        raise


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
def locked(file: Path) -> Iterator[None]:
    """Hold the ledger for a whole run, so that two runs at once do not forget each other's.

    The lock lies in the folder for temporary files: a vault stays free of it.
    Raises Obs2ankiError where another run holds it for too long.
    """
    import filelock

    name = hashlib.sha256(str(file.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    user = os.getuid() if hasattr(os, "getuid") else "user"
    place = Path(tempfile.gettempdir()) / f"obs2anki-{user}-{name}.lock"
    lock = filelock.FileLock(place, timeout=PATIENCE)
    try:
        with lock:
            yield
    except filelock.Timeout:
        raise Obs2ankiError(
            f"Another obs2anki has been at work on this vault for {PATIENCE} seconds. "
            f"Wait for it to end, or end it; the lock is {place}."
        ) from None
