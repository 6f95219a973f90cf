"""Which paths a glob means: as minimatch 10 means it, which the plugin asks.

    **/*.excalidraw.md    drafts/*    {a,b}/[0-9]*.md    !keep/**    @(x|y)/?.md

Paths are those of a vault, so that no part of one is empty or begins with a dot; minimatch's
rules for such parts have no say here. Patterns may come with anyone's vault: they become
regular expressions of RE2, whose time is linear, and what RE2 cannot say, `!(x)` inside a
pattern, is decided beside it, place by place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import bracex
import re2

LONGEST = 4_096
"""Characters, as many as a path can have; longer patterns match nothing."""

ALTERNATIVES = 1_000
"""A pattern whose braces make more than these is taken without its braces' meaning."""

DEEPEST = 20
"""Levels of groups within groups that have their meaning; deeper brackets are plain text."""


def ignored_by(path: str, patterns: Iterable[str]) -> bool:
    """Whether a list of ignored folders holds a path: `path.startsWith(p) || minimatch(path, p)`.

    So "Temp" also holds "Templates/x.md", and an empty entry holds every path (the plugin's
    settings page writes none). Plugin 1.15.4, src/utils/fs.ts.
    """
    return any(path.startswith(pattern) or matches(path, pattern) for pattern in patterns)


def matches(path: str, pattern: str) -> bool:
    """Whether minimatch 10, with no options, finds that `path` matches `pattern`."""
    glob = _compiled(pattern)
    path = _utf16(path)
    return glob is not None and glob.negated != any(one.meets(path) for one in glob.alternatives)


@dataclass(frozen=True, slots=True)
class _Not:
    """A group `!(a|b)`: what may not stand where it stands, as a regular expression."""

    regex: str


Piece = str | _Not
"""A stretch of a path part: a regular expression, or what RE2 cannot say."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """A pattern that is one regular expression."""

    regex: str

    def meets(self, path: str) -> bool:
        return _meets(self.regex, path)


@dataclass(frozen=True, slots=True)
class _ByParts:
    """A pattern with a `!(x)` in it; `None` is a part `**`."""

    parts: tuple[tuple[Piece, ...] | None, ...]

    def meets(self, path: str) -> bool:
        names = path.split("/")
        # The numbers of names that the parts so far can have met.
        reached = {0}
        for place, part in enumerate(self.parts):
            last = place == len(self.parts) - 1
            if part is not None:
                reached = {n + 1 for n in reached if n < len(names) and _part_meets(part, names[n])}
            elif reached:
                # At the end `**` wants at least one name, elsewhere none.
                reached = set(range(min(reached) + last, len(names) + 1))
        return len(names) in reached


def _part_meets(pieces: tuple[Piece, ...], name: str) -> bool:
    """Whether a path part meets the pieces of a pattern's part.

    A group `!(x)` may end wherever it likes, so all that counts is how early it can begin:
    not where an x, followed by the rest of the pattern, would reach the end of the name.
    """
    start, before = 0, ""
    for place, piece in enumerate(pieces):
        if isinstance(piece, str):
            before += piece
            continue
        barred = piece.regex + _joined(pieces[place + 1 :])
        begins = (
            at
            for at in range(start, len(name) + 1)
            if _meets(before, name[start:at]) and not _meets(barred, name[at:])
        )
        if (at := next(begins, None)) is None:
            return False
        start, before = at, "[^/]*"
    return _meets(before, name[start:])


def _joined(pieces: Iterable[Piece]) -> str:
    """The pieces as one regular expression; a further `!(x)` in it stands for anything."""
    return "".join("[^/]*" if isinstance(piece, _Not) else piece for piece in pieces)


# ---------------------------------------------------------------- from a pattern to expressions


@dataclass(frozen=True, slots=True)
class _Glob:
    """A pattern, understood."""

    negated: bool
    alternatives: tuple[_Plain | _ByParts, ...]


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> _Glob | None:
    """A pattern, understood; None where it is a comment or too long, and so matches nothing."""
    if pattern.startswith("#") or len(pattern) > LONGEST:
        return None
    bare = pattern.lstrip("!")
    negated = (len(pattern) - len(bare)) % 2 == 1
    alternatives = tuple(_alternative(_utf16(one)) for one in braces(bare) if one)
    return _Glob(negated, alternatives)


def braces(pattern: str) -> list[str]:
    """`{a,b}/c` as `a/c` and `b/c`; a pattern that would make too many stays as it is."""
    if "{" not in pattern:
        return [pattern]
    try:
        return bracex.expand(pattern, keep_escapes=True, limit=ALTERNATIVES)
    except (bracex.ExpansionLimitException, ValueError, RecursionError):
        return [pattern]


def _alternative(pattern: str) -> _Plain | _ByParts:
    """A pattern without braces."""
    parts: list[tuple[Piece, ...] | None] = []
    for text in _without_parents(re.split("/+", pattern)):
        if text != "**":
            parts.append(_pieces(text))
        elif not parts or parts[-1] is not None:
            parts.append(None)
    if any(isinstance(piece, _Not) for part in parts for piece in part or ()):
        return _ByParts(tuple(parts))
    *inner, last = parts
    expressions = ["(?:[^/]+/)*" if part is None else f"{_joined(part)}/" for part in inner]
    end = "(?:[^/]+/)*[^/]+" if last is None else _joined(last)
    return _Plain("".join(expressions) + end)


def _without_parents(parts: list[str]) -> list[str]:
    """The parts with `x/..` left out."""
    kept: list[str] = []
    for part in parts:
        if part == ".." and kept and kept[-1] not in ("", ".", "..", "**"):
            kept.pop()
        else:
            kept.append(part)
    return kept or [""]


def _pieces(part: str) -> tuple[Piece, ...]:
    """What a part of a pattern says of one part of a path."""
    return tuple(_Reader(part, _closings(part)).sequence()[0])


def _closings(part: str) -> dict[int, int]:
    """Where each bracket `(` of a part that is closed is closed."""
    closings: dict[int, int] = {}
    open_: list[int] = []
    escaped = False
    for place, char in enumerate(part):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "(":
            open_.append(place)
        elif char == ")" and open_:
            start = open_.pop()
            if len(open_) < DEEPEST:
                closings[start] = place
    return closings


@dataclass(slots=True)
class _Reader:
    """Reads a part of a pattern from left to right."""

    part: str
    closings: dict[int, int]
    at: int = 0
    classless: set[int] = field(default_factory=set)
    """Ends before which no further `]` closes a class."""

    def sequence(self, end: int | None = None) -> list[list[Piece]]:
        """The alternatives up to `end`, which `|` parts if it is the end of a group."""
        stop = len(self.part) if end is None else end
        alternatives: list[list[Piece]] = [[]]
        while self.at < stop:
            if end is not None and self.part[self.at] == "|":
                self.at += 1
                alternatives.append([])
            else:
                alternatives[-1].append(self.piece(stop))
        return alternatives

    def piece(self, stop: int) -> Piece:
        """The piece that begins here."""
        char, start = self.part[self.at], self.at
        if char in "?*+@!" and (closing := self.closings.get(start + 1)) is not None:
            self.at = start + 2
            inside = "|".join(_joined(one) for one in self.sequence(closing))
            self.at = closing + 1
            group = f"(?:{inside})"
            return _Not(group) if char == "!" else group + char.replace("@", "")
        if char == "[" and stop not in self.classless:
            found = _character_class(self.part, start, stop)
            if found is not None:
                regex, self.at = found
                return regex
            self.classless.add(stop)
        self.at += 1
        if char == "\\" and self.at < stop:
            self.at += 1
            return re.escape(self.part[self.at - 1])
        if char == "*":
            while self.at < stop and self.part[self.at] == "*" and self.at + 1 not in self.closings:
                self.at += 1
            return "[^/]*"
        return "[^/]" if char == "?" else re.escape(char)


_POSIX = {
    "alnum": r"\p{L}\p{Nl}\p{Nd}",
    "alpha": r"\p{L}\p{Nl}",
    "ascii": r"\x00-\x7f",
    "blank": r"\p{Zs}\t",
    "cntrl": r"\p{Cc}",
    "digit": r"\p{Nd}",
    "lower": r"\p{Ll}",
    "print": r"\P{C}",
    "punct": r"\p{P}",
    "space": r"\p{Z}\t\r\n\v\f",
    "upper": r"\p{Lu}",
    "word": r"\p{L}\p{Nl}\p{Nd}\p{Pc}",
    "xdigit": r"A-Fa-f0-9",
}


def _character_class(part: str, start: int, stop: int) -> tuple[str, int] | None:
    """The class `[a-z]` that begins at `start`, and where it ends; None if it is none."""
    at = start + 1
    negated = part[at : at + 1] in ("!", "^")
    at += negated
    first = at
    ranges: list[str] = []
    while at < stop and (part[at] != "]" or at == first):
        if part.startswith("[:", at) and (end := part.find(":]", at, stop)) > 0:
            name = part[at + 2 : end]
            if name in _POSIX:
                ranges.append(_POSIX[name])
                at = end + 2
                continue
        low, at = _class_character(part, at)
        if part[at : at + 1] == "-" and part[at + 1 : at + 2] not in ("", "]"):
            high, at = _class_character(part, at + 1)
            if low <= high:  # a range that runs backwards holds nothing
                ranges.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            ranges.append(re.escape(low))
    if at >= stop:
        return None
    inside = "".join(ranges)
    if negated:
        return (f"[^/{inside}]" if inside else "[^/]"), at + 1
    return (f"[{inside}]" if inside else r"[^\x00-\x{10ffff}]"), at + 1


def _class_character(part: str, at: int) -> tuple[str, int]:
    """A character of a class and the place behind it; a backslash makes the next one plain."""
    if part[at] == "\\" and at + 1 < len(part):
        at += 1
    return part[at], at + 1


# ---------------------------------------------------------------- RE2 and JavaScript


@lru_cache(maxsize=4096)
def _expression(regex: str) -> re2._Regexp[str] | None:
    """A regular expression of RE2; None where it would take too much memory."""
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    try:
        return re2.compile(regex, options)
    except re2.error:
        return None


def _meets(regex: str, text: str) -> bool:
    """Whether the whole text meets an expression."""
    expression = _expression(regex)
    return expression is not None and expression.fullmatch(text) is not None


def _utf16(text: str) -> str:
    """The text with a character for each of JavaScript's, so that 😀 meets `??` and not `?`.

    The halves of a character beyond the first 65,536 become private ones, which UTF-8 can hold.
    """
    if text.isascii():
        return text
    return re.sub("[\U00010000-\U0010ffff]", _halves, text)


def _halves(found: re.Match[str]) -> str:
    """A character as two."""
    beyond = ord(found[0]) - 0x10000
    return chr(0xE000 + (beyond >> 10)) + chr(0xE400 + (beyond & 0x3FF))
