"""Cloze deletions: finding them by the plugin's patterns, and asking them card by card.

A pattern is literal text with three slots, as clozecraft 0.4.0 reads it:

    ==[123;;]answer[;;hint]==        finds ==Oslo==, ==Oslo;;city== and ==1;;Oslo;;city==

The patterns come from a vault that anyone may have written, and so does the text. RE2 matches
them in time linear in the text, with the same choice of match as the plugin's own expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from obs2anki.data import Cloze, ClozeKind, Deletion, Value

if TYPE_CHECKING:
    import re2

MAX_CARDS = 500
"""Anki knows cloze numbers 1 to 500 (spec of Anki 26.09: c501 and above get a stray card)."""

OPEN, BODY, CLOSE = "\ufdd0", "\ufdd1", "\ufdd2"
"""Noncharacters that mark a deletion in a text on its way through Markdown."""

_LONGEST_PLAIN = 100
"""Characters; a longer pattern, which nobody has, is left to its expression."""

_EXACT_WORK = 2_000_000
"""Up to so many characters times deletions are replaced just as the plugin does it."""

_EXACT_WORK_AT_A_PLACE = 20_000
"""The same where deletions overlap in a longer text, which may have many such places."""


# ---------------------------------------------------------------- patterns


@dataclass(frozen=True, slots=True)
class BadPattern:
    """A pattern that cannot be used, and why."""

    pattern: str
    reason: str


_Found = tuple[int, str, str, str | None, str]


@dataclass(frozen=True, slots=True)
class _Marks:
    """What stands around a cloze, as `==`, `1;;`, `;;` and `==` do in `==1;;answer;;hint==`.

    None of them is empty or holds the end of a line.
    """

    opening: str
    sequence: re.Pattern[str] | None
    """The number slot. It ends where its digits or letters end, and they begin where it begins."""
    before_hint: str
    closing: str

    def deletions(self, text: str) -> Iterator[_Found]:
        """What `opening sequence(.+?)(?:before_hint(.+?))?closing` finds line by line."""
        line_end = -1
        start = text.find(self.opening)
        while start >= 0:
            begin, sequence = start + len(self.opening), ""
            if self.sequence is not None:
                slot = self.sequence.match(text, begin)
                if slot is None:
                    start = text.find(self.opening, start + 1)
                    continue
                begin, sequence = slot.end(), slot[1]
            if line_end < begin:
                line_end = text.find("\n", begin)
                line_end = len(text) if line_end < 0 else line_end
            # An answer has a character at least, a hint too.
            end = closes = text.find(self.closing, begin + 1, line_end)
            if end < 0:  # nor does anything close what opens further on in this line
                start = text.find(self.opening, line_end)
                continue
            hint = None
            at = text.find(self.before_hint, begin + 1, end + len(self.before_hint))
            if at >= 0:
                begins = at + len(self.before_hint)
                behind = text.find(self.closing, begins + 1, line_end)
                if behind >= 0:
                    end, closes, hint = at, behind, text[begins:behind]
            after = closes + len(self.closing)
            yield start, text[start:after], text[begin:end], hint, sequence
            start = text.find(self.opening, after)


def _has_odd_line_ends(text: str) -> bool:
    """Whether lines end in other ways, too, in which they do for JavaScript's dot."""
    return "\r" in text or "\u2028" in text or "\u2029" in text


@dataclass(frozen=True, slots=True)
class _Matcher:
    """One pattern, ready to find one kind of cloze."""

    regex: re2._Regexp[str]
    literals: tuple[str, ...]
    """All of them stand in any text that matches: a cheap first look."""
    sequences: re.Pattern[str] | None
    """Stands there too, where there is a sequence: how one ends, and what follows it."""
    answer: int
    hint: int
    sequence: int
    """Numbers of the groups; the sequence's is 0 for simple clozes."""
    marks: _Marks | None
    """Where they are all that there is to it, they find it without the expression."""

    def search(self, text: str) -> bool:
        return next(self.deletions(text), None) is not None

    def may_match(self, text: str) -> bool:
        for literal in self.literals:
            if literal not in text:
                return False
        return self.sequences is None or self.sequences.search(text) is not None

    def deletions(self, text: str) -> Iterator[_Found]:
        """Start, raw text, answer, hint and sequence of each match."""
        if not self.may_match(text):
            return iter(())
        if self.marks is not None and not _has_odd_line_ends(text):
            return self.marks.deletions(text)
        return self.matches(text)

    def matches(self, text: str) -> Iterator[_Found]:
        """`deletions`, as the expression finds them."""
        for match in self.regex.finditer(text):
            sequence = match.group(self.sequence) if self.sequence else ""
            yield (
                match.start(),
                match.group(0),
                match.group(self.answer),
                match.group(self.hint),
                sequence,
            )


class _Pattern(NamedTuple):
    """A pattern, by kind of cloze; the kind that has precedence stands first."""

    numbered: _Matcher
    overlapping: _Matcher
    simple: _Matcher


Patterns = tuple[_Pattern, ...]

# Digits, hint or anything else between brackets; \] is a bracket inside a slot.
_SLOT = re.compile(r"\[((?:\\\]|[^\]])*)\]")
_SPECIAL = re.compile(r"[.*+?^${}()|\[\]\\]")
# JavaScript's dot stops at four line ends, RE2's at one.
_LAZY = r"([^\n\r\x{2028}\x{2029}]+?)"
_LINE_END = re.compile("[\n\r\u2028\u2029]")
_SEQUENCE = {ClozeKind.NUMBERED: r"(\d+)", ClozeKind.OVERLAPPING: "([ash]+)"}
_SEQUENCE_CHARACTERS = {ClozeKind.NUMBERED: "0-9", ClozeKind.OVERLAPPING: "ash"}


@lru_cache(maxsize=64)
def compile_patterns(patterns: tuple[str, ...]) -> tuple[Patterns, tuple[BadPattern, ...]]:
    """Make the patterns ready for use; those that cannot be used are told apart.

    clozecraft throws for a pattern without a number slot, a hint slot or the word `answer`,
    and the plugin then loads no document at all; here the other patterns stay in force.
    """
    good: list[_Pattern] = []
    bad: list[BadPattern] = []
    for pattern in patterns:
        try:
            good.append(_Pattern(*(_matcher(pattern, kind) for kind in _READERS)))
        except ValueError as error:
            bad.append(BadPattern(pattern, str(error)))
    return tuple(good), tuple(bad)


def _matcher(pattern: str, kind: ClozeKind) -> _Matcher:
    """The form of a pattern that finds one kind; raises ValueError, which says what it lacks."""
    number, hint, outside = _pieces(pattern)
    groups = _groups(number, hint, kind)
    literals = [piece for part in outside for piece in part.split("answer", 1)]
    sequences = None
    if kind in _SEQUENCE:
        around = re.split(r"\d+", _unbracketed(number))
        literals += around
        sequences = re.compile(f"[{_SEQUENCE_CHARACTERS[kind]}]{re.escape(around[1])}")
    return _Matcher(
        _compiled(_expression(number, hint, outside, kind), max(groups.values())),
        tuple(dict.fromkeys(literal for literal in literals if literal)),
        sequences,
        groups["answer"],
        groups["hint"],
        groups.get("sequence", 0),
        _marks(outside, number, hint, kind),
    )


class _Pieces(NamedTuple):
    """A pattern, taken apart."""

    number: re.Match[str]
    """The slot of the number."""
    hint: re.Match[str]
    """The slot of the hint."""
    outside: tuple[str, str, str]
    """What stands before, between and behind the two; one of them holds `answer`."""


def _pieces(pattern: str) -> _Pieces:
    number = _slot(pattern, re.compile(r"\d"), "number slot such as [123;;]")
    hint = _slot(pattern, re.compile("hint"), "hint slot such as [;;hint]")
    first, second = sorted((number, hint), key=lambda slot: slot.start())
    if second.start() < first.end():
        raise ValueError("number and hint share one slot")
    outside = (
        pattern[: first.start()],
        pattern[first.end() : second.start()],
        pattern[second.end() :],
    )
    if not any("answer" in part for part in outside):
        raise ValueError('it lacks the word "answer"')
    return _Pieces(number, hint, outside)


def _expression(
    number: re.Match[str], hint: re.Match[str], outside: Sequence[str], kind: ClozeKind
) -> str:
    """The expression that clozecraft makes of a pattern for one kind."""
    inside = {
        number: "",
        hint: "(?:" + _escape(_unbracketed(hint)).replace("hint", _LAZY) + ")?",
    }
    if sequence := _SEQUENCE.get(kind):
        inside[number] = re.sub(r"\d+", lambda _: sequence, _escape(_unbracketed(number)))
    parts = [_escape(part) for part in outside]
    holds = next(i for i, part in enumerate(outside) if "answer" in part)
    parts[holds] = parts[holds].replace("answer", _LAZY, 1)
    first, second = sorted((number, hint), key=lambda slot: slot.start())
    return parts[0] + inside[first] + parts[1] + inside[second] + parts[2]


def _groups(number: re.Match[str], hint: re.Match[str], kind: ClozeKind) -> Mapping[str, int]:
    """The numbers of the expression's groups, which stand where the pattern has their words.

    clozecraft puts the answer's group at the first "answer" of the finished expression.
    """
    places = {"answer": number.string.index("answer"), "hint": hint.start()}
    if kind in _SEQUENCE:
        places["sequence"] = number.start()
    return {name: i + 1 for i, name in enumerate(sorted(places, key=lambda name: places[name]))}


def _compiled(expression: str, groups: int) -> re2._Regexp[str]:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        regex = re2.compile(expression, options)
    except re2.error as error:
        raise ValueError("it makes no usable expression") from error
    if regex.groups < groups:
        raise ValueError("it makes no usable expression")
    return regex


def _marks(
    outside: Sequence[str], number: re.Match[str], hint: re.Match[str], kind: ClozeKind
) -> _Marks | None:
    """The marks of a pattern like `==[123;;]answer[;;hint]==`.

    Then its simple form finds something wherever its numbered or overlapping form does.
    """
    opening, between, closing = outside
    before_hint, _, after_hint = _unbracketed(hint).partition("hint")
    usual = number.start() < hint.start() and between == "answer" and "answer" not in opening
    filled = opening and before_hint and closing and not after_hint
    pattern = number.string
    if not usual or not filled or _LINE_END.search(pattern) or len(pattern) > _LONGEST_PLAIN:
        return None
    if kind is ClozeKind.SIMPLE:
        return _Marks(opening, None, before_hint, closing)
    before, *behind = re.split(r"\d+", _unbracketed(number))
    # Then no run of digits or letters is looked at twice, and none can be cut short.
    alien = re.compile(f"[^{_SEQUENCE_CHARACTERS[kind]}]")
    if len(behind) != 1 or not alien.match(behind[0]) or not alien.match((opening + before)[-1]):
        return None
    slot = f"{re.escape(before)}([{_SEQUENCE_CHARACTERS[kind]}]+){re.escape(behind[0])}"
    return _Marks(opening, re.compile(slot), before_hint, closing)


def _slot(pattern: str, holds: re.Pattern[str], wanted: str) -> re.Match[str]:
    for slot in _SLOT.finditer(pattern):
        if holds.search(slot.group(1)):
            return slot
    raise ValueError(f"it lacks a {wanted}")


def _unbracketed(slot: re.Match[str]) -> str:
    return slot.group(1).replace(r"\[", "[").replace(r"\]", "]")


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda match: "\\" + match.group(), text)


# ---------------------------------------------------------------- finding


def telling(patterns: Patterns) -> tuple[str, ...]:
    """One of these stands in any line that a pattern matches in."""
    return tuple([max(pattern.simple.literals, key=len, default="") for pattern in patterns])


def found_in(line: str, patterns: Patterns) -> bool:
    """Whether any pattern matches in this line, which makes its block a cloze flashcard."""
    # The simple form of a pattern matches wherever its numbered or overlapping form does,
    # unless its slots stand in other places: then all three are asked. What the simple form
    # cannot do without, none of them can.
    for pattern in patterns:
        if pattern.simple.marks is not None:
            if pattern.simple.search(line):
                return True
        elif pattern.simple.may_match(line) and any(one.search(line) for one in pattern):
            return True
    return False


NOTHING = Cloze(ClozeKind.SIMPLE, (), 0)
"""A cloze without deletions: its marks stood in what is cut, such as a leading tag."""


def parse(text: str, patterns: Patterns) -> tuple[Cloze, str]:
    """The deletions of a whole flashcard's text, and which of its clozes are too many for Anki.

    The kind is the best over all patterns, numbered before overlapping before simple; marks of
    the other kinds stay in the text (clozecraft's ClozeCrafter.getNoteType).
    """
    for place, read in enumerate(_READERS.values()):
        found = [one for pattern in patterns for one in pattern[place].deletions(text)]
        if found:
            return read(found)
    return NOTHING, ""


def _simple(found: list[_Found]) -> tuple[Cloze, str]:
    deletions = tuple(
        Deletion(raw, answer, hint, (i,) if i < MAX_CARDS else (), (), start)
        for i, (start, raw, answer, hint, _) in enumerate(found)
    )
    too_high = f"{len(found) - MAX_CARDS} of {len(found)} clozes" if len(found) > MAX_CARDS else ""
    return Cloze(ClozeKind.SIMPLE, deletions, min(len(found), MAX_CARDS)), too_high


def _numbered(found: list[_Found]) -> tuple[Cloze, str]:
    deletions: list[Deletion] = []
    too_high: list[str] = []
    for start, raw, answer, hint, sequence in found:
        # Python refuses to read absurdly long numbers; more than nine digits are too many anyhow.
        digits = sequence.lstrip("0")
        number = int(digits or "0") if len(digits) <= 9 else MAX_CARDS + 1
        if number > MAX_CARDS:
            too_high.append(digits[:12])
        asked = (number - 1,) if 1 <= number <= MAX_CARDS else ()
        deletions.append(Deletion(raw, answer, hint, asked, start=start))
    cards = max((d.asked[0] + 1 for d in deletions if d.asked), default=0)
    said = f"number {', '.join(dict.fromkeys(too_high[:5]))}" if too_high else ""
    return Cloze(ClozeKind.NUMBERED, tuple(deletions), cards), said


def _overlapping(found: list[_Found]) -> tuple[Cloze, str]:
    deletions = tuple(
        Deletion(
            raw,
            answer,
            hint,
            tuple(i for i, action in enumerate(sequence[:MAX_CARDS]) if action == "a"),
            tuple(i for i, action in enumerate(sequence[:MAX_CARDS]) if action == "h"),
            start=start,
        )
        for start, raw, answer, hint, sequence in found
    )
    longest = max(len(sequence) for *_, sequence in found)
    too_high = f"cards 501 to {longest}" if longest > MAX_CARDS else ""
    return Cloze(ClozeKind.OVERLAPPING, deletions, min(longest, MAX_CARDS)), too_high


# By precedence, as `_Pattern`.
_READERS: dict[ClozeKind, Callable[[list[_Found]], tuple[Cloze, str]]] = {
    ClozeKind.NUMBERED: _numbered,
    ClozeKind.OVERLAPPING: _overlapping,
    ClozeKind.SIMPLE: _simple,
}


# ---------------------------------------------------------------- asking


def front(text: str, cloze: Cloze, ordinal: int) -> str:
    """The question of the plugin's card `ordinal` (0-based), as Markdown."""

    def shown(deletion: Deletion) -> str:
        if ordinal in deletion.asked or ordinal in deletion.hidden:
            return _placeholder(deletion)
        return deletion.answer

    return _replaced(text, cloze, shown)


def back(text: str, cloze: Cloze, ordinal: int) -> str:
    """The answer of the plugin's card `ordinal`; what an overlapping cloze hides stays hidden."""
    return _replaced(text, cloze, lambda d: _placeholder(d) if ordinal in d.hidden else d.answer)


def asked(cloze: Cloze) -> dict[int, tuple[str, ...]]:
    """The answers that each of the plugin's cards asks for; cards that ask nothing are left out."""
    answers: dict[int, tuple[str, ...]] = {}
    for deletion in cloze.deletions:
        for ordinal in deletion.asked:
            answers[ordinal] = (*answers.get(ordinal, ()), deletion.answer)
    return dict(sorted(answers.items()))


def solved(text: str, cloze: Cloze) -> str:
    """The text with every answer in place and no mark left."""
    return _replaced(text, cloze, lambda deletion: deletion.answer)


def _placeholder(deletion: Deletion) -> str:
    return f"[{deletion.hint}]" if deletion.hint else "[...]"


class Mark(Value, frozen=True):
    """What Anki's cloze says besides the answer: its numbers (1-based) and the hint."""

    ordinals: tuple[int, ...]
    hint: str | None


class Marked(Value, frozen=True):
    """A cloze text on its way through Markdown.

    The deletion k reads OPEN + str(k) + BODY + answer + CLOSE, and `marks[k]` tells the rest.
    Deletions may nest, where two patterns found the same words.
    """

    text: str
    marks: tuple[Mark, ...]


def marked(text: str, cloze: Cloze, places: Sequence[int] = range(MAX_CARDS)) -> Marked:
    """Put markers where Anki's clozes belong; deletions that are never asked become plain text.

    `places` gives Anki's ordinal for each of the plugin's cards, -1 for none.

    Anki can ask, but not merely hide: what an overlapping cloze hides on a card that asks
    something else is asked there too, so that the front is the plugin's own.
    """
    asking = frozenset([i for deletion in cloze.deletions for i in deletion.asked])
    marks: list[Mark] = []

    def shown(deletion: Deletion) -> str:
        cards: Collection[int] = deletion.asked
        if deletion.hidden:
            cards = {*cards, *(i for i in deletion.hidden if i in asking)}
        numbers = tuple(sorted([places[i] + 1 for i in cards if places[i] >= 0]))
        if not numbers:
            return deletion.answer
        marks.append(Mark(numbers, deletion.hint))
        return f"{OPEN}{len(marks) - 1}{BODY}{deletion.answer}{CLOSE}"

    return Marked(_replaced(text, cloze, shown), tuple(marks))


_ANKI = re.compile(r"\{\{c([0-9]{1,3}(?:,[0-9]{1,3}){0,500})::")


def numbers(html: str) -> frozenset[int]:
    """The cloze numbers (1-based) that Anki finds in a field."""
    return frozenset(int(n) for match in _ANKI.finditer(html) for n in match[1].split(","))


def _replaced(text: str, cloze: Cloze, shown: Callable[[Deletion], str]) -> str:
    """Replace each deletion in turn.

    The plugin replaces the first place that reads like the deletion, so that one pattern may
    reach into what another has left. That takes time in proportion to text times deletions,
    so in a text of extraordinary length each is replaced where it was found instead.
    """
    if len(text) * len(cloze.deletions) <= _EXACT_WORK:
        return _replaced_in_turn(text, cloze.deletions, shown)
    first = min(cloze.deletions, key=lambda deletion: deletion.start)
    # The text may have lost its beginning since.
    cut = first.start - max(text.find(first.raw), 0)
    pieces: list[str] = []
    position = 0
    for start, end, there in _places(cloze.deletions):
        if start - cut >= position:
            raw = text[start - cut : end - cut]
            pieces += (text[position : start - cut], _replaced_in_turn(raw, there, shown))
            position = end - cut
    return "".join((*pieces, text[position:]))


def _replaced_in_turn(
    text: str, deletions: Iterable[Deletion], shown: Callable[[Deletion], str]
) -> str:
    for deletion in deletions:
        text = text.replace(deletion.raw, shown(deletion), 1)
    return text


def _places(deletions: Sequence[Deletion]) -> Iterator[tuple[int, int, list[Deletion]]]:
    """Where deletions stand: from where to where, and which, in the plugin's order.

    Those of two patterns may overlap, as in `==a **b**==`, and then share a place. What would make
    it too long a work is left out.
    """
    start = end = 0
    there: list[int] = []
    for number in sorted(range(len(deletions)), key=lambda number: deletions[number].start):
        begins = deletions[number].start
        reach = max(end, begins + len(deletions[number].raw))
        if begins >= end:
            if there:
                yield start, end, [deletions[one] for one in sorted(there)]
            start, end, there = begins, reach, [number]
        elif (reach - start) * (len(there) + 1) <= _EXACT_WORK_AT_A_PLACE:
            end = reach
            there.append(number)
    yield start, end, [deletions[one] for one in sorted(there)]
