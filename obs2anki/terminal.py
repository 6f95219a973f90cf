r"""Text as a terminal should get it: harmless, in columns, coloured only where that is welcome.

    Deck                 Cards  Due now
    languages::日本語       120       14

File names and flashcards come out of a vault that anyone may have written, so no control
character of theirs reaches a terminal: the name `a\x1b[2J.md` is shown as `a\x1b[2J.md`.
"""

from __future__ import annotations

import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO, TypeVar

from obs2anki.data import Severity

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")

# Control characters, line ends of Unicode, what turns the direction of a whole line, and
# halves of surrogate pairs. Joiners stay: emoji and several scripts are spelled with them.
_HARMFUL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_COLOURS = {Severity.ERROR: "\x1b[31m", Severity.WARNING: "\x1b[33m", Severity.INFO: "\x1b[36m"}
_PLAIN = "\x1b[0m"


def harmless(text: str) -> str:
    """`text` on one line, with everything that a terminal would obey written as an escape."""
    return _HARMFUL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


# Marks above, below and around a letter, and what joins letters. Those of Thai or Devanagari
# have no combining class, so `unicodedata.combining` does not tell of them.
_NO_COLUMN = frozenset(("Mn", "Me", "Cf"))


def width(text: str) -> int:
    """How many columns `text` takes: East Asian characters take two, marks and joiners none."""
    if text.isascii():
        return len(text)
    return sum(
        0
        if unicodedata.category(c) in _NO_COLUMN
        else 2
        if unicodedata.east_asian_width(c) in "FW"
        else 1
        for c in text
    )


def shortened(text: str, columns: int) -> str:
    """The start of `text` as one harmless line of at most `columns`; white space is one blank."""
    # Only what can be seen is looked at: the text may have megabytes.
    line = harmless(" ".join(text[: columns * 4].split()))
    if width(line) <= columns and len(text) <= columns * 4:
        return line
    kept, room = "", columns - 1
    for character in line:
        room -= width(character)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + "…"


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> Iterator[str]:
    """The rows as lines whose cells stand below each other; those of `right` end together."""
    to_the_right = frozenset(right)
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            " " * (room - width(cell)) + cell
            if number in to_the_right
            else cell + " " * (room - width(cell))
            for number, (cell, room) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def wants_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose user has nothing against colours."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, severity: Severity) -> str:
    """`text` in the colour of a severity."""
    return f"{_COLOURS[severity]}{text}{_PLAIN}"


# ---------------------------------------------------------------- something is going on

PATIENCE = 1.0
"""Seconds that people wait without being told what for."""


class Waiting:
    """A progress bar that shows itself only if the work takes more than a moment.

    Used as a context; `watch` counts the documents that go by. On a stream that is no terminal
    it shows nothing at all.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`, which people should be looking at."""
        self._stream = stream
        self._timer = threading.Timer(PATIENCE, self._show)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._bar: Progress | None = None
        self._doing, self._done, self._total = "Reading the vault", 0, 0
        self._over = False

    def __enter__(self) -> Waiting:
        if self._stream.isatty():
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Show nothing any more: something else is to be read."""
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._bar is not None:
                self._bar.stop()

    def do(self, doing: str) -> None:
        """From now on something else is being done, and nobody can say how much of it there is."""
        self._doing, self._done, self._total = doing, 0, 0
        self._tell()

    def watch(self, items: Iterable[Item]) -> Iterable[Item]:
        """The same items, counted as they go by."""
        known = tuple(items)
        self._total = len(known)
        for self._done, item in enumerate(known):
            self._doing = f"Looking for flashcards, {self._done:,} of {self._total:,} documents"
            self._tell()
            yield item
        self.do("Making the cards")

    def _show(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        with self._lock:
            if self._over or self._bar is not None:
                return
            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                console=Console(file=self._stream),
                transient=True,
            )
            bar.add_task(self._doing, total=None)
            bar.start()
            self._bar = bar

    def _tell(self) -> None:
        if self._bar is not None:
            (task,) = self._bar.tasks
            task.description, task.completed = self._doing, self._done
            task.total = self._total or None  # an unknown total moves to and fro
