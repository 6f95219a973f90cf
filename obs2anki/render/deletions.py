r"""Marked deletions in a page of HTML, as Anki's clozes.

    the capital is ·0·<b>Oslo</b>·0·   ->   the capital is {{c1::<b>Oslo</b>::city}}

Anki 26.09 reads a field as text: `}}` ends the innermost cloze and the first `::` in it begins
the hint, in maths, code and attributes too (rslib/src/cloze.rs). So what an author wrote of
these is taken apart: by an empty comment, as Anki's manual has it; by a space in maths, where
TeX ignores it and Anki strips tags; by an entity in attributes.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from obs2anki.render.atoms import CLOSE, MATHS_IN, MATHS_OUT, OPEN

MAX_NUMBER = 500
"""Anki gets a stray card from c501 and above."""
_MOST_BROKEN = 8
"""How many deletions that overlap tags may lie one within another; more are plain text."""

_PIECE = re.compile(
    f"·(?P<mark>[{OPEN}{CLOSE}])(?P<number>[0-9]+)\ufdd1·"
    rf"|{MATHS_IN}(?P<maths>\\[(\[])|(?P<maths_end>\\[)\]]){MATHS_OUT}"
    r'|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)[^">]*(?:"[^"]*"[^">]*)*>'
)
_VOID = frozenset(["area", "br", "col", "hr", "img", "input", "source", "wbr"])
_SEEN = frozenset(("img", "input", "audio", "video"))
_MATHS = "maths"

_GAP = "<!-- -->"
_IN_CLOZE = re.compile(r"\}(?=\})|:(?=:)|\{(?=\{c)|image-(?=occlusion:)")
_ANYWHERE = re.compile(r"\{(?=\{c)")
_DELIMITER = re.compile(r"\\(?=[(\[])")  # Anki takes the tags out between these, also in code
_ENTITIES = {"}": "&#125;", ":": "&#58;", "{": "&#123;", "image-": "image&#45;"}


class Asked(NamedTuple):
    """What stands around a deletion in Anki."""

    opening: str
    """`{{c1,3::`."""
    closing: str
    """`::hint}}`."""


@lru_cache(maxsize=1024)  # most are a lone number without a hint
def asked(numbers: tuple[int, ...], hint: str = "") -> Asked | None:
    """The cloze of these numbers and the HTML of its hint; None if Anki takes no number of them."""
    known = [str(number) for number in numbers if 1 <= number <= MAX_NUMBER]
    if not known:
        return None
    if hint:
        hint = f"::{hint}{_GAP}" if hint.endswith("}") else f"::{hint}"
    return Asked(f"{{{{c{','.join(known)}::", hint + "}}")


class _Kind(Enum):
    TEXT = auto()
    ELEMENT = auto()
    ELEMENT_END = auto()
    VOID = auto()
    DELETION = auto()
    DELETION_END = auto()


class _Node(NamedTuple):
    r"""A piece of the page; maths is an element whose tags are `\\(` and `\\)`."""

    kind: _Kind
    text: str = ""
    name: str = ""
    number: int = -1


def placed(page: str, asked: dict[int, Asked]) -> str:
    """The page with a cloze for each deletion that arrived with both its ends.

    `asked` is by the number of the token. A deletion that overlaps elements asks each piece of
    text in it; one in which nothing is to be seen is left out.
    """
    if (quickly := _placed_in_text(page, asked)) is not None:
        return quickly
    nodes = _nodes(page)
    whole, broken = _paired(nodes, asked)
    return _Writer(asked, whole, broken).written(nodes)


_IN_TEXT = re.compile(f"·{OPEN}([0-9]+)\ufdd1·([^<·\ufdd0-\ufdef]*)·{CLOSE}\\1\ufdd1·")
_ENDS_BADLY = ("}", ":")


def _placed_in_text(page: str, asked: dict[int, Asked]) -> str | None:
    """The page, if each deletion is a run of text with nothing in it that needs care."""
    if "{{c" in page or "}}" in page or "::" in page or "image-" in page:
        return None
    if "\\" in page and "<code" in page:
        return None
    placed: set[int] = set()

    def cloze(match: re.Match[str]) -> str:
        text, digits, answer = match.group(0, 1, 2)
        number = int(digits)
        if number not in asked or number in placed or not answer.strip():
            return text
        if answer.endswith(_ENDS_BADLY):
            return text
        placed.add(number)
        opening, closing = asked[number]
        return f"{opening}{answer}{closing}"

    page = _IN_TEXT.sub(cloze, page)
    return page if OPEN not in page and CLOSE not in page else None


def _nodes(page: str) -> list[_Node]:
    nodes: list[_Node] = []
    position = 0
    for match in _PIECE.finditer(page):
        if match.start() > position:
            nodes.append(_Node(_Kind.TEXT, page[position : match.start()]))
        position = match.end()
        nodes.append(_node(match))
    if position < len(page):
        nodes.append(_Node(_Kind.TEXT, page[position:]))
    return nodes


def _node(match: re.Match[str]) -> _Node:
    if match["mark"]:
        kind = _Kind.DELETION if match["mark"] == OPEN else _Kind.DELETION_END
        return _Node(kind, number=int(match["number"]))
    if match["maths"]:
        return _Node(_Kind.ELEMENT, match["maths"], _MATHS)
    if match["maths_end"]:
        return _Node(_Kind.ELEMENT_END, match["maths_end"], _MATHS)
    name = match["name"].lower()
    if name in _VOID:
        return _Node(_Kind.VOID, match[0], name)
    return _Node(_Kind.ELEMENT_END if match["close"] else _Kind.ELEMENT, match[0], name)


def _paired(nodes: list[_Node], asked: dict[int, Asked]) -> tuple[set[int], set[int]]:
    """The deletions that hold whole elements, and those that overlap some.

    Those that lack an end, come twice or show nothing are in neither.
    """
    whole: set[int] = set()
    broken: set[int] = set()
    stack: list[int] = []  # deletions that are open, by number, and elements, as -1
    opened: dict[int, int] = {}  # how much was to be seen before each deletion
    done: set[int] = set()
    seen = 0
    for node in nodes:
        match node.kind:
            case _Kind.TEXT:
                seen += bool(node.text.strip())
            case _Kind.VOID:
                seen += node.name in _SEEN
            case _Kind.ELEMENT:
                seen += node.name in _SEEN
                stack.append(-1)
            case _Kind.ELEMENT_END:
                while stack and stack.pop() != -1:
                    pass
            case _Kind.DELETION if node.number in asked and node.number not in opened:
                opened[node.number] = seen
                stack.append(node.number)
            case _Kind.DELETION_END if node.number in opened and node.number not in done:
                while stack and stack[-1] in done:
                    stack.pop()
                done.add(node.number)
                fits = bool(stack) and stack[-1] == node.number
                if seen > opened[node.number]:
                    (whole if fits else broken).add(node.number)
    return whole, broken


class _Writer:
    """Writes the nodes of a page out, clozes in place."""

    def __init__(self, asked: dict[int, Asked], whole: set[int], broken: set[int]) -> None:
        self.asked = asked
        self.whole = whole
        self.broken = broken
        self.out: list[str] = []
        self.open: set[int] = set()
        """The whole deletions that are open."""
        self.overlapping: dict[int, None] = {}
        """The overlapping deletions that are open, outermost first."""
        self.piece: list[int] = []
        """Those of them for which a cloze is open."""
        self.hinted: set[int] = set()
        self.last = ""
        """The last character, if it is the author's."""
        self.code = 0
        self.maths = False

    def written(self, nodes: list[_Node]) -> str:
        """The page as Anki gets it."""
        for node in nodes:
            match node.kind:
                case _Kind.TEXT:
                    self._leaf(self._apart(node.text), bool(node.text.strip()))
                    self.last = node.text[-1]
                case _Kind.VOID:
                    self._leaf(self._tag(node.text), node.name in _SEEN)
                case _Kind.ELEMENT | _Kind.ELEMENT_END:
                    self._element(node)
                case _Kind.DELETION | _Kind.DELETION_END:
                    self._deletion(node)
        return "".join(self.out)

    def _leaf(self, text: str, seen: bool) -> None:
        if self.overlapping and not self.piece and seen:
            self.piece = list(self.overlapping)
            self.out += (self.asked[number].opening for number in self.piece)
        self.out.append(text)
        self.last = ""

    def _element(self, node: _Node) -> None:
        self._end_piece()
        opening = node.kind is _Kind.ELEMENT
        if node.name == _MATHS:
            self.maths = opening
        elif node.name in ("code", "pre"):
            self.code += 1 if opening else -1
        self.out.append(self._tag(node.text))
        self.last = ""

    def _deletion(self, node: _Node) -> None:
        opening = node.kind is _Kind.DELETION
        if node.number in self.whole and opening is (node.number not in self.open):
            self._end_piece()
            if opening:
                self.open.add(node.number)
                self.out.append(self.asked[node.number].opening)
                self.last = ""
            else:
                self.open.remove(node.number)
                self._end(node.number)
        elif node.number in self.broken:
            self._end_piece()
            if not opening:
                self.overlapping.pop(node.number, None)
                self.broken.remove(node.number)
            elif len(self.overlapping) < _MOST_BROKEN:
                self.overlapping[node.number] = None

    def _end_piece(self) -> None:
        for number in reversed(self.piece):
            self._end(number)
        self.piece = []

    def _end(self, number: int) -> None:
        """The hint, if there is one, and the end; what went before never runs into either."""
        closing = "}}" if number in self.hinted else self.asked[number].closing
        self.hinted.add(number)
        if self.last == "}" or (self.last == ":" and closing[0] == ":"):
            self.out.append(" " if self.maths else _GAP)
        self.out.append(closing)
        self.last = ""

    def _apart(self, text: str) -> str:
        """Text in which Anki finds no braces or colons that are its own."""
        special = _IN_CLOZE if self.open or self.piece or self.overlapping else _ANYWHERE
        gap = " " if self.maths else _GAP
        if self.code and "\\" in text:
            text = _DELIMITER.sub(lambda m: m[0] + _GAP, text)
        return special.sub(lambda m: m[0] + gap, text)

    def _tag(self, text: str) -> str:
        r"""A tag, likewise; `\\(` has nothing of the kind."""
        special = _IN_CLOZE if self.open or self.overlapping else _ANYWHERE
        return special.sub(lambda m: _ENTITIES[m[0]], text)


_IN_HINT = re.compile(r"(?P<maths>\\[(\[].*?\\[)\]])|\}(?=\})|:(?=:)|\{(?=\{c)", re.DOTALL)


def hint_apart(html: str) -> str:
    """A hint's HTML in which nothing ends the cloze."""

    def apart(match: re.Match[str]) -> str:
        if match["maths"] is None:
            return match[0] + _GAP
        return _IN_CLOZE.sub(lambda special: special[0] + " ", match["maths"])

    return _IN_HINT.sub(apart, html)
