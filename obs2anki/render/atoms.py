"""What Markdown must not touch, put aside while it works, and put back afterwards.

    the sum $a_1 + a_2$ of [[vectors|two vectors]]

goes through Markdown as `the sum ·1· of ·2·` (each number between noncharacters, which no
document holds when it gets here), and the maths and the link come back in the HTML. Where
Markdown carried a token into code or an attribute, the source text comes back instead.

A token has a mark of punctuation at both ends, so that emphasis beside it opens and closes as it
does beside the `$`, `[` or `=` that stood there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple
from urllib.parse import quote

OPEN, CLOSE, ATOM, CALLOUT, BODY = "\ufdd0", "\ufdd2", "\ufdd3", "\ufdd4", "\ufdd5"
"""The kinds of tokens: a deletion opens or closes; an atom; a callout's title; a code block."""

TOKEN = re.compile("·([\ufdd0\ufdd2-\ufdd4])([0-9]+)\ufdd1·")
MATHS_IN, MATHS_OUT = "\ufdd6", "\ufdd7"
"""What stands around maths until the deletions have been placed."""

_ENCODED = re.compile("%C2%B7%EF%B7%9([0234])([0-9]+)%EF%B7%91%C2%B7")
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef]")
CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff"
"""What no field may hold, for a character class: Anki drops it, or refuses the whole package."""
_CONTROL = re.compile(f"[{CONTROL}\ufdd0-\ufdef]")
# What Anki acts upon wherever it stands in a field: sounds and speech, LaTeX to be compiled.
_DIRECTIVE = re.compile(r"\[(?=sound:|anki:|/?latex\]|/?\$\$?\])", re.IGNORECASE)


def token(kind: str, number: int) -> str:
    """The text that stands for something put aside."""
    return f"·{kind}{number}\ufdd1·"


def inert(html: str) -> str:
    """HTML without what Anki would act upon: an author's `[sound:x.mp3]` is text in Obsidian."""
    return _DIRECTIVE.sub("&#91;", html) if "[" in html else html


def without_noncharacters(text: str) -> str:
    """The last line of defence: no mark of ours leaves this package."""
    return text if text.isascii() else _NONCHARACTERS.sub("", text)


def without_control(text: str) -> str:
    """Text without control characters, surrogates and noncharacters."""
    return text if text.isprintable() else _CONTROL.sub("", text)


class Atom(NamedTuple):
    """Something put aside: its HTML, and its source for where no HTML can stand."""

    html: str | Callable[[], str]
    """Called when it is put back, if that has effects: a medium is packed where it is shown."""
    source: str
    in_link: str | None = None
    """What stands for it inside of another link; None = the HTML."""
    maths: bool = False


class Callout(NamedTuple):
    """What the first line of a callout says besides its title: `[!tip]-`."""

    kind: str
    fold: str = ""
    """`+` folds and is open, `-` folds and is shut, "" does not fold."""


@dataclass(slots=True)
class Shelf:
    """What one fragment has put aside."""

    atoms: list[Atom] = field(default_factory=list)
    callouts: list[Callout] = field(default_factory=list)
    """Each callout whose title is marked."""
    bodies: list[tuple[int, str]] = field(default_factory=list)
    """Fenced code, closing fence included, and the column in which the fence stood."""
    opened: int = 0
    """How many deletions are marked in the text."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to be put back."""
        return not (self.atoms or self.callouts or self.opened)

    def keep(self, atom: Atom) -> str:
        """Put `atom` aside; what stands for it meanwhile."""
        self.atoms.append(atom)
        return token(ATOM, len(self.atoms) - 1)

    def source(self, text: str) -> str:
        """`text` with the source of every atom in place of its token, and no other token."""
        if "\ufdd1" not in text:
            return text
        return TOKEN.sub(lambda m: self._source(m[1], m[2]), text)

    def source_in_tag(self, tag: str) -> str:
        """The same for a tag, whose values stand between double quotes."""
        return TOKEN.sub(lambda m: attribute(self._source(m[1], m[2])), tag)

    def source_of_url(self, url: str) -> str:
        """The same for a URL, in which Markdown has percent-encoded the tokens."""
        if "%EF%B7%91" in url:
            url = _ENCODED.sub(lambda m: quote(self._source(chr(0xFDD0 + int(m[1])), m[2])), url)
        return self.source(url)

    def _source(self, kind: str, number: str) -> str:
        if kind != ATOM or int(number) >= len(self.atoms):
            return ""
        return self.atoms[int(number)].source


def attribute(value: str) -> str:
    """A value as it stands between double quotes, inert for Anki."""
    return inert(escape(value))
