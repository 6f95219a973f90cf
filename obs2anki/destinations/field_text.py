r"""What the fields of a note say, as text for comparing.

    plain("H<sub>2</sub>O&nbsp;is <b>water</b>")   ->  "H2O is water"
    read_cloze("the {{c2::sun::star}} sets")       ->  Deletions of number 2, asking for "sun"

Two notes that say the same may differ in their HTML, once Anki's editor has had them.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from urllib.parse import parse_qs

from obs2anki.data import VaultPath
from obs2anki.markdown import normalised

_TAG = re.compile(r"<[^<>]*>")  # attributes that obs2anki writes hold no bracket
_BLOCK = re.compile(r"</?(?:br|p|div|li|ul|ol|t[rdh]|hr|h[1-6]|pre|blockquote)\b")
_VAULT = re.compile(r'vault=[^&"=<>]*&amp;')


def plain(field: str) -> str:
    """The words of a field, and the names of its pictures and sounds."""
    if "<" not in field and "&" not in field:
        return normalised(field)
    return normalised(html.unescape(_TAG.sub(_instead, field)))


def _instead(tag: re.Match[str]) -> str:
    _, named, rest = tag[0].partition(' src="')
    if named:
        name, _, _ = rest.partition('"')
        return f" {name} "
    return " " if _BLOCK.match(tag[0]) else ""


def unnamed(field: str) -> str:
    """A field without the vault's name in its links: a renamed vault says the same."""
    return _VAULT.sub("", field) if "vault=" in field else field


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a Source field says that its note comes from."""

    vault: str
    path: VaultPath
    block_id: str | None


NOWHERE = Origin("", VaultPath(""), None)


def origin(source: str) -> Origin:
    """What the link in a Source field names; NOWHERE if there is none."""
    _, found, rest = source.partition("obsidian://open?")
    if not found:
        return NOWHERE
    values = parse_qs(html.unescape(rest.partition('"')[0]))
    file, _, block = values.get("file", [""])[0].partition("#^")
    path = VaultPath(f"{file}.md" if file else "")
    return Origin(values.get("vault", [""])[0], path, block or None)


# ---------------------------------------------------------------- clozes

_MARK = re.compile(r"\{\{c([0-9]{1,3}(?:,[0-9]{1,3}){0,500})::|\}\}|::")
_DEEPEST = 8
"""Clozes that may lie one within another, as Anki has it."""


@dataclass(frozen=True, slots=True)
class Deletions:
    """The clozes of a Text field, in the order in which they begin."""

    numbers: tuple[frozenset[int], ...]
    """Those of each deletion, 1-based."""
    answers: tuple[str, ...]
    """What each hides, as text for comparing."""
    solved: str
    """The text with every answer in place."""
    frame: str
    """The field with all its numbers left out."""

    def asked(self) -> dict[int, str]:
        """What the card of each number asks for, by their order in the text."""
        found: dict[int, list[str]] = {}
        for numbers, answer in zip(self.numbers, self.answers, strict=True):
            for number in sorted(numbers):
                found.setdefault(number, []).append(answer)
        return {number: " / ".join(answers) for number, answers in found.items()}

    def places(self) -> dict[int, tuple[int, ...]]:
        """Which deletions each number asks."""
        found: dict[int, tuple[int, ...]] = {}
        for place, numbers in enumerate(self.numbers):
            for number in sorted(numbers):
                found[number] = (*found.get(number, ()), place)
        return found


@dataclass(slots=True)
class _Open:
    """A deletion that is being read."""

    place: int
    pieces: list[str]
    in_hint: bool = False


def read_cloze(text: str) -> Deletions:
    """The deletions of a Text field, as Anki finds them."""
    numbers: list[frozenset[int]] = []
    answers: dict[int, str] = {}
    stack = [_Open(-1, [])]
    frame: list[str] = []
    position = 0
    for mark in _MARK.finditer(text):
        before = text[position : mark.start()]
        position = mark.end()
        top = stack[-1]
        top.pieces += [] if top.in_hint else [before]
        frame += before, "{{c::" if mark[1] else mark[0]
        if mark[1] and len(stack) <= _DEEPEST:
            stack.append(_Open(len(numbers), []))
            numbers.append(frozenset(map(int, mark[1].split(","))))
        elif mark[0] == "}}" and len(stack) > 1:
            stack.pop()
            answers[top.place] = "".join(top.pieces)
            stack[-1].pieces += [] if stack[-1].in_hint else [answers[top.place]]
        elif mark[0] == "::" and len(stack) > 1:
            top.in_hint = True
        elif not top.in_hint:
            top.pieces.append(mark[0])
    stack[0].pieces += [piece for open_ in stack[1:] for piece in open_.pieces]
    solved = "".join(stack[0].pieces) + text[position:]
    return Deletions(
        tuple(numbers),
        tuple(plain(answers.get(place, "")) for place in range(len(numbers))),
        plain(solved),
        "".join(frame) + text[position:],
    )
