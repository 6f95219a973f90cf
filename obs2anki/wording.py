"""How sentences name and count things: what every command says in the same words.

    Wording("notes/", "notes").place("Cells.md", 12)  ->  notes/Cells.md:12
    quantity(2, "review")  ->  2 reviews

Paths are shown as seen from the working folder, and nothing of them is obeyed by a terminal.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from obs2anki.data import VaultPath
from obs2anki.terminal import harmless


@dataclass(frozen=True, slots=True)
class Wording:
    """What the sentences need to know besides the report."""

    prefix: str
    """Leads from the working folder to the vault; empty = it is the working folder."""
    vault: str
    """The vault as the user wrote it."""

    def place(self, path: VaultPath, line: int | None = None) -> str:
        """A path of the vault as seen from the working folder, with its line."""
        shown = self.file(path)
        return shown if line is None else f"{shown}:{line}"

    def file(self, path: VaultPath) -> str:
        """A path of the vault as seen from the working folder; `.` is the vault itself."""
        return harmless(self.prefix + path if path != "." else self.prefix.rstrip("/") or ".")


def quantity(number: int, noun: str, nouns: str = "") -> str:
    """`1 review`, `2 reviews`; `nouns` is the plural where `s` does not make it."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {nouns or noun + 's'}"


def argument(text: str) -> str:
    """Text as a shell takes it."""
    return harmless(shlex.quote(text))


def in_json(value: object) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False)


def quoted(text: str) -> str:
    """Text as TOML writes it: as JSON does."""
    return in_json(text)


FEW_FILES = 3
"""So many files are named; of more, only their number is told."""


def took(changed: Sequence[str], seconds: float) -> str:
    """Why a round was made and how long it took: `(Cells.md; 0.24 s)`."""
    files = [harmless(path) for path in changed]
    where = ", ".join(files) if len(files) <= FEW_FILES else quantity(len(files), "file")
    return f"({where}; {seconds:.2f} s)" if where else f"({seconds:.2f} s)"
