"""From a document to its flashcards, as the plugin's parser cuts them.

    Capital of Norway;; Oslo                      single-line
    <!--SR:!2024-04-12,14,232-->

    What does a cell's wall do?                   multi-line: a line that is just ?
    ?
    It holds the cell together.

    ==Oslo== is the capital of ==Norway==         cloze

The plugin (1.15.4, src/parser.ts) reads line by line and knows one pending block. So does
`blocks`: each line is classified, then meets the state in which the block is. `flashcards`
takes each block apart (src/data/data-structures/card/questions/question.ts).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import lru_cache
from typing import NamedTuple

from obs2anki import cloze, diagnostics, review
from obs2anki.data import (
    Cloze,
    Diagnostic,
    Document,
    Flashcard,
    FlashcardType,
    Heading,
    LeftBehind,
    Review,
    Value,
)
from obs2anki.markdown import SPACE, SR_CALLOUT, code_spans, outside_code, shown, trim
from obs2anki.settings import Grammar

_LEADING_TAG = re.compile(rf"#[^#{re.escape(SPACE)}]+")
_BLOCK_ID = re.compile(r" \^([a-zA-Z0-9-]+)")

_USUAL = (":::", ";;;", "::", ";;", "||", ">>", "==>", "=>", "->", "\u2192")
"""Separators that people choose, for guessing which one a settings file lacks."""

_SINGLE = (FlashcardType.SINGLE_LINE_BASIC, FlashcardType.SINGLE_LINE_REVERSED)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What a document holds: its flashcards, the reviews that belong to none, the findings."""

    flashcards: tuple[Flashcard, ...]
    left_behind: tuple[LeftBehind, ...]
    diagnostics: tuple[Diagnostic, ...]


# ---------------------------------------------------------------- blocks


class LineKind(Enum):
    """What a line is by itself, in the order in which the plugin asks."""

    COMMENT = auto()
    BLANK = auto()
    END_MARKER = auto()
    SINGLE_LINE = auto()
    MULTI_LINE = auto()
    FENCE = auto()
    TEXT = auto()


class Block(Value, frozen=True):
    """One flashcard's lines, as cut. Lines are 1-based."""

    type: FlashcardType
    separator: str
    """What parts its sides; empty for a cloze."""
    text: str
    line: int
    end_line: int
    own_line: int
    """Where its text begins; the plugin's `line` may be that of the flashcard above."""
    comments: tuple[int, ...]
    """Lines of the text that hold an SR comment, or the beginning of one."""
    examples: tuple[int, ...] = ()
    """The same, in code blocks."""


@dataclass(slots=True)
class _Pending:
    """The block that is being read."""

    line: int
    type: FlashcardType | None = None
    separator: str = ""
    lines: list[str] = field(default_factory=list)
    """As they stand in the document; trimmed at their ends once it is known to be a flashcard."""
    own_line: int = 0
    comments: list[int] = field(default_factory=list)
    examples: list[int] = field(default_factory=list)
    """Lines of code with an SR comment; only a flashcard around them takes it."""
    verbatim: set[int] = field(default_factory=set)
    """Indices of lines that are not trimmed: those of code."""
    cut: tuple[str, int, tuple[object, ...]] | None = None
    """What is to be said of the single-line flashcard above, if it took the question of this."""
    joined: tuple[int, int] | None = None
    """The line of an HTML comment that hid the end of the block, and how many lines it had."""
    fenced: list[tuple[int, int]] = field(default_factory=list)
    """Indices of the lines that open and close code blocks."""

    def append(self, number: int, text: str) -> None:
        if not self.lines:
            self.own_line = number
        if review.OPENER in text:
            self.comments.append(number)
        self.lines.append(text)

    def append_code(self, number: int, lines: Sequence[str]) -> None:
        self.examples += [n for n, line in enumerate(lines, number) if review.OPENER in line]
        self.verbatim.update(range(len(self.lines), len(self.lines) + len(lines)))
        self.lines += lines

    def longer_than_a_character(self) -> bool:
        """The plugin's `cardText.length > 1`, in UTF-16 units."""
        return len(self.lines) > 1 or _units(self.lines[0].rstrip(SPACE)) > 1

    @property
    def text(self) -> str:
        kept = self.verbatim
        if not kept:
            return "\n".join([line.rstrip(SPACE) for line in self.lines]).rstrip(SPACE)
        trimmed = (x if i in kept else x.rstrip(SPACE) for i, x in enumerate(self.lines))
        return "\n".join(trimmed).rstrip(SPACE)


@dataclass(slots=True)
class Blocks:
    """The result of cutting: blocks, reviews outside of them, and what the plugin loses."""

    blocks: list[Block] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    """Lines with an SR comment that no block took."""
    swallowed: list[int] = field(default_factory=list)
    """Lines with an SR comment inside what an HTML comment hides."""
    behind: list[int] = field(default_factory=list)
    """Lines with an SR comment behind the end of an HTML comment, which goes with that."""
    fenced: list[tuple[int, int, bool]] = field(default_factory=list)
    """Indices of the lines that open and close code blocks, and whether each is a flashcard's."""
    found: list[tuple[str, int, tuple[object, ...]]] = field(default_factory=list)
    """Code, line and details of each finding."""


class _Rules(NamedTuple):
    """A grammar, made ready for reading lines and whole paragraphs."""

    grammar: Grammar
    patterns: cloze.Patterns
    inline: tuple[tuple[str, FlashcardType], ...]
    """The single-line separators."""
    types: Mapping[str, FlashcardType]
    """Those of the multi-line separators."""
    marks: tuple[str, ...]
    """One of these stands in a line with a single-line separator."""
    whole: tuple[str, ...]
    """One of these stands in a line that is a multi-line separator, or has a cloze."""
    telling: tuple[str, ...]
    """One of these stands in a paragraph that is more than text."""
    plain: bool
    """Whether each empty line ends a block, and no separator is as good as empty."""


@lru_cache(maxsize=64)
def _rules(grammar: Grammar) -> _Rules:
    patterns, _ = cloze.compile_patterns(grammar.cloze_patterns)
    inline = [separator for separator, _ in grammar.inline]
    marks = dict.fromkeys(s for s in inline if not any(o != s and o in s for o in inline))
    types = {
        grammar.multi_line_reversed: FlashcardType.MULTI_LINE_REVERSED,
        grammar.multi_line: FlashcardType.MULTI_LINE_BASIC,
    }
    types.pop("", None)
    plain = not grammar.end_marker and all(map(trim, inline))
    whole = (*types, *cloze.telling(patterns))
    # A character is found several times as fast as two.
    telling = dict.fromkeys(one[:1] for one in (*marks, "<", *whole, "`", "~"))
    return _Rules(
        grammar,
        patterns,
        grammar.inline,
        types,
        tuple(marks),
        whole,
        tuple(telling) if plain else ("",),
        plain,
    )


def blocks(lines: Sequence[str], grammar: Grammar) -> Blocks:
    """Cut the lines of a document, the frontmatter's blanked, into blocks."""
    result = Blocks()
    rules = _rules(grammar)
    telling = rules.telling
    index = 0
    for end in (*[i for i, line in enumerate(lines) if not line], len(lines)):
        if index < end:
            paragraph = lines[index:end]
            text = "\n".join(paragraph)
            # Most paragraphs are prose or one flashcard. Whatever else they may be, they say so
            # by one of a few marks.
            for mark in telling:
                if mark in text:
                    if not _paragraph(paragraph, text, index + 1, rules, result):
                        while index < end:
                            index = _stretch(lines, index, rules, result)
                    break
        index = max(index, end + 1)
    return result


def _paragraph(lines: Sequence[str], text: str, number: int, rules: _Rules, result: Blocks) -> bool:
    """Cut lines between empty ones, the first being `number`, into blocks; `text` joins them.

    Returns False, having done nothing, if only `_stretch` can tell what they are.
    """
    if not rules.plain or ("`" in text and "```" in text) or ("~" in text and "~~~" in text):
        return False
    if "<" in text and text.count("<!--") > text.count(review.OPENER):
        return False
    for mark in rules.marks:
        if mark in text:
            return "`" not in text and _single_lines(lines, number, rules, result)
    type_, separator = None, ""
    for mark in rules.whole:
        if mark in text:
            kept = [line.rstrip(SPACE) for line in lines]
            if "" in kept:
                return False
            type_, separator = _type(lines, kept, rules)
            text = "\n".join(kept)
            break
    comments: Sequence[int] = ()
    if "<" in text and review.OPENER in text:
        comments = [n for n, line in enumerate(lines, number) if review.OPENER in line]
    if type_ is None:
        result.orphans += comments
    else:
        end_line = number + len(lines) - 1
        block = Block(type_, separator, text, number, end_line, number, tuple(comments))
        result.blocks.append(block)
    return True


def _type(
    lines: Sequence[str], kept: Sequence[str], rules: _Rules
) -> tuple[FlashcardType | None, str]:
    """Type and separator of a block without a single-line separator; `kept` are trimmed lines."""
    types = rules.types
    asking = [place for place, line in enumerate(kept) if line.lstrip(SPACE) in types]
    # The last one counts; one that stands first must be longer than a character.
    if asking and (asking[-1] or _units(kept[0]) > 1):
        separator = kept[asking[-1]].lstrip(SPACE)
        return types[separator], separator
    for place, line in enumerate(lines):
        if place not in asking and cloze.found_in(line, rules.patterns):
            return FlashcardType.CLOZE, ""
    return None, ""


def _single_lines(lines: Sequence[str], number: int, rules: _Rules, result: Blocks) -> bool:
    """As `_paragraph`, where there is a single-line separator and no code."""
    made: list[Block] = []
    place = 0
    while place < len(lines):
        text, line = lines[place], number + place
        found = None
        for pair in rules.inline:
            if pair[0] in text:
                found = pair
                break
        if found is None or text.startswith(SR_CALLOUT):
            return False
        separator, type_ = found
        comments = (line,) if review.OPENER in text else ()
        place += 1
        if place < len(lines) and lines[place].startswith(review.OPENER):
            text = f"{text}\n{lines[place]}"
            comments = (*comments, line + 1)
            place += 1
        made.append(Block(type_, separator, text, line, number + place - 1, line, comments))
    result.blocks += made
    return True


def _stretch(lines: Sequence[str], index: int, rules: _Rules, result: Blocks) -> int:
    """Read line by line up to the end of a block; returns the index of the line behind."""
    grammar = rules.grammar
    pending = _Pending(line=index + 1)
    while index < len(lines):
        line, number = lines[index], index + 1
        kind, type_, separator = _classify(line, line.strip(SPACE), rules)
        if kind is LineKind.BLANK and grammar.end_marker and pending.type is not None:
            # With an end marker a blank line belongs to the flashcard. A separator of white space
            # then counts in it, and an empty one, which otherwise is switched off, takes it.
            kind, type_, separator = _blank_inside(line, grammar)
        match kind:
            case LineKind.TEXT:
                pending.append(number, line)
                if pending.type is None and cloze.found_in(line, rules.patterns):
                    pending.type = FlashcardType.CLOZE
            case LineKind.COMMENT:
                after = _skip_comment(lines, index, grammar, result)
                hides_end = after == index + 2 and not trim(lines[index + 1])
                if pending.lines and hides_end and not grammar.end_marker:
                    pending.joined = pending.joined or (number, len(pending.lines))
                index = after
                continue
            case LineKind.BLANK | LineKind.END_MARKER:
                _close(pending, index, result)
                return number
            case LineKind.SINGLE_LINE if type_:
                _discard(pending, number, separator, result)
                begun = pending.own_line if pending.lines else number
                index = _single_line(lines, index, type_, separator, grammar, result)
                # The plugin does not advance the line at which the next block begins.
                pending = _Pending(line=number, cut=("O302", number, (separator, begun)))
            case LineKind.MULTI_LINE:
                if pending.cut is not None and not pending.lines:
                    result.found.append(pending.cut)
                pending.append(number, line)
                if pending.longer_than_a_character():
                    pending.type, pending.separator = type_, separator
            case LineKind.FENCE:
                index = _fence(lines, index, pending, result)
        index += 1
    _close(pending, len(lines), result)
    return len(lines)


_Classified = tuple[LineKind, FlashcardType | None, str]


def _classify(line: str, trimmed: str, rules: _Rules) -> _Classified:
    if not trimmed:
        return LineKind.BLANK, None, ""
    if line.startswith("<!--") and not line.startswith(review.OPENER):
        return LineKind.COMMENT, None, ""
    if trimmed == rules.grammar.end_marker:
        return LineKind.END_MARKER, None, ""
    for separator, type_ in rules.inline:
        if separator in line:
            at = line.find(separator)
            if not _in_code(line, at, at + len(separator)):
                return LineKind.SINGLE_LINE, type_, separator
    if trimmed in rules.types:
        return LineKind.MULTI_LINE, rules.types[trimmed], trimmed
    if line.startswith(("```", "~~~")):
        return LineKind.FENCE, None, ""
    return LineKind.TEXT, None, ""


def _units(text: str) -> int:
    """The length of a text for JavaScript, in units of UTF-16."""
    return len(text.encode("utf-16-le")) // 2


def _blank_inside(line: str, grammar: Grammar) -> _Classified:
    for separator, type_ in grammar.inline:
        if separator in line:
            return LineKind.SINGLE_LINE, type_, separator
    if not grammar.multi_line:
        return LineKind.MULTI_LINE, FlashcardType.MULTI_LINE_BASIC, ""
    if not grammar.multi_line_reversed:
        return LineKind.MULTI_LINE, FlashcardType.MULTI_LINE_REVERSED, ""
    return LineKind.TEXT, None, ""


def _in_code(line: str, start: int, end: int) -> bool:
    """The plugin's test: an odd number of backticks on both sides, whatever their runs."""
    if "`" not in line:
        return False
    return line.count("`", 0, start) % 2 == 1 and line.count("`", end) % 2 == 1


def _close(pending: _Pending, end_line: int, result: Blocks) -> None:
    """End the pending block before the line after `end_line`."""
    result.fenced += [(*fence, pending.type is not None) for fence in pending.fenced]
    if pending.type is None:
        result.orphans += pending.comments
        return
    if pending.joined is not None and len(pending.lines) > pending.joined[1]:
        result.found.append(("O208", pending.joined[0], ()))
    result.blocks.append(
        Block(
            pending.type,
            pending.separator,
            pending.text,
            pending.line,
            end_line,
            pending.own_line,
            tuple(pending.comments),
            tuple(pending.examples),
        )
    )


def _discard(pending: _Pending, number: int, separator: str, result: Blocks) -> None:
    """A single-line flashcard throws away what was read of its block."""
    result.fenced += [(*fence, False) for fence in pending.fenced]
    result.orphans += pending.comments
    if pending.type is not None:
        result.found.append(("O302", number, (separator, pending.own_line)))
        if pending.joined is not None:  # without the comment there were two blocks
            result.found.append(("O208", pending.joined[0], ()))


def _single_line(
    lines: Sequence[str],
    index: int,
    type_: FlashcardType,
    separator: str,
    grammar: Grammar,
    result: Blocks,
) -> int:
    """Emit the flashcard of one line with its review; returns the index of its last line."""
    text = _Pending(line=index + 1, type=type_, separator=separator)
    text.append(index + 1, lines[index])
    following = lines[index + 1] if index + 1 < len(lines) else ""
    if following.startswith(review.OPENER):
        index += 1
        text.append(index + 1, following)
    elif following.startswith(SR_CALLOUT):
        opened = index + 2
        swallows = False
        while index + 1 < len(lines):
            ends = not lines[index + 1].startswith((">", review.OPENER))
            if ends and "callouts" in grammar.mend:
                break
            index += 1
            text.append(index + 1, lines[index])
            swallows = swallows or ends
            if review.OPENER in lines[index]:
                if swallows:
                    what = f"all down to the SR comment in line {index + 1}"
                    result.found.append(("O304", opened, (what,)))
                break
        else:
            result.found.append(("O304", opened, ("the rest of the document",)))
    result.blocks.append(
        Block(
            type_,
            separator,
            "\n".join(text.lines),
            text.line,
            index + 1,
            text.line,
            tuple(text.comments),
        )
    )
    return index


def _fence(lines: Sequence[str], index: int, pending: _Pending, result: Blocks) -> int:
    """Take a fenced block whole; returns the index of the line that closes it."""
    opening = lines[index]
    mark = opening[0]
    fence = mark * (len(opening) - len(opening.lstrip(mark)))
    pending.append(index + 1, opening)
    start = index + 1
    end = next((i for i in range(start, len(lines)) if lines[i].startswith(fence)), len(lines))
    if end == len(lines):
        result.found.append(("O207", start, (fence,)))
    pending.fenced.append((index, end))
    # The plugin writes the closing line as the opening one's fence, whatever follows it there.
    pending.append_code(start + 1, (*lines[start:end], fence))
    return end


def _skip_comment(lines: Sequence[str], index: int, grammar: Grammar, result: Blocks) -> int:
    """Skip an HTML comment; returns the index of the line to go on with.

    The plugin looks for the end in the first line only: if it is there, the next line is
    skipped as well; if not, all the rest of the document.
    """
    start = index
    mend = "html-comments" in grammar.mend
    closes = review.CLOSER in lines[index]
    if mend:
        while review.CLOSER not in lines[index] and index + 1 < len(lines):
            index += 1
        end = index + 1
    else:
        end = min(index + 2, len(lines)) if closes else len(lines)
        hidden = [line for line in lines[start + 1 : end] if trim(line) and not _is_comment(line)]
        if hidden and closes:
            result.found.append(("O204", start + 1, ()))
        elif hidden:
            result.found.append(("O205", start + 1, (end - start - 1,)))
    comment_end = next((i for i in range(start, end) if review.CLOSER in lines[i]), start)
    # What stands inside the comment was put there on purpose; what it swallows was not.
    if review.OPENER in lines[comment_end].partition(review.CLOSER)[2]:
        result.behind.append(comment_end + 1)
    result.swallowed += [i + 1 for i in range(comment_end + 1, end) if review.OPENER in lines[i]]
    return end


def _is_comment(line: str) -> bool:
    """Whether a line is one comment, with which nothing is lost; a review is more than that."""
    line = trim(line)
    ends = line.find(review.CLOSER) == len(line) - len(review.CLOSER)
    return line.startswith("<!--") and ends and not line.startswith(review.OPENER)


# ---------------------------------------------------------------- flashcards


def flashcards(document: Document, grammar: Grammar) -> Extraction:
    """Every flashcard of a document, by line; decks and tags are `decks`' to add.

    A cloze that makes no card is among them: its lines are a flashcard's all the same, and the
    tags on them are not the document's.
    """
    rules = _rules(grammar)
    cut = blocks(document.lines, grammar)
    made: list[Flashcard] = []
    found = [diagnostics.at(code, document.path, line, *more) for code, line, more in cut.found]
    above = contexts(document.headings)
    starts = [line for line, _ in above]
    for block in cut.blocks:
        headings = above[bisect_right(starts, block.line) - 1][1]
        flashcard, problems = _flashcard(block, document, headings, rules)
        found += problems
        made.append(flashcard)
    further = _further_comments(document.lines, cut)
    found += [diagnostics.at("O404", document.path, line) for line in further]
    cut.orphans = [line for line in cut.orphans if line not in further]
    code = _hidden(document.lines, cut, rules)
    if code.found is not None:
        found.append(diagnostics.at("O210", document.path, *code.found))
    left = _left_behind(document, cut, code.reviews, grammar)
    for item in left:
        if item.cause == "orphan":
            why = "no flashcard stands directly above it"
            if item.line in cut.behind:
                why = "another comment begins its line, which the plugin skips"
            found.append(diagnostics.at("O401", document.path, item.line, why))
    return Extraction(tuple(made), left, tuple(sorted(found, key=lambda d: d.line)))


def _further_comments(lines: Sequence[str], cut: Blocks) -> dict[int, None]:
    """The lines of reviews that stand below the one that a single-line flashcard has taken."""
    if not cut.orphans:
        return {}
    ends = {block.end_line for block in cut.blocks if block.comments and block.type in _SINGLE}
    further: dict[int, None] = {}
    for line in sorted(cut.orphans):
        if line - 1 in ends and lines[line - 1].startswith(review.OPENER):
            ends.add(line)
            further[line] = None
    return further


class _Hidden(NamedTuple):
    """What is code for the plugin, and for no reader."""

    reviews: list[int]
    """Lines with an SR comment that no flashcard takes; one around the code takes the first."""
    found: tuple[int, int] | None
    """The lines that begin and end the first such block."""


def _hidden(lines: Sequence[str], cut: Blocks, rules: _Rules) -> _Hidden:
    """The flashcards and reviews that only the plugin takes for code.

    It sees a fence at the very beginning of a line only, and ends a block at the first line that
    begins with as many marks, whatever follows them there. One fence that it reads otherwise turns
    all below around.
    """
    visible: frozenset[int] | None = None
    reviews: list[int] = []
    counts: dict[int, int] = {}  # of blocks with such code, the line of the review that counts
    found: tuple[int, int] | None = None
    for opening, end, taken in cut.fenced:
        lost = [i for i in range(opening + 1, end) if _is_of_a_flashcard(lines[i], rules)]
        if lost and end < len(lines):  # an example would have been closed, and O207 is told
            if visible is None:
                visible = frozenset(number for number, _ in outside_code(list(lines), 0))
            lost = [i for i in lost if i + 1 in visible]
            if lost and found is None:
                found = opening + 1, end + 1
        hidden = [i + 1 for i in lost if review.OPENER in lines[i]]
        if taken and hidden:
            at = bisect_right(cut.blocks, opening + 1, key=lambda block: block.own_line) - 1
            if at not in counts:
                counts[at], _ = _commented(cut.blocks[at], lines)
            hidden = [line for line in hidden if line != counts[at]]
        reviews += hidden
        if end < len(lines) and review.OPENER in lines[end]:
            reviews.append(end + 1)  # of the line that closes a block, only the fence remains
    return _Hidden(reviews, found)


def _commented(block: Block, lines: Sequence[str]) -> tuple[int, tuple[int, ...]]:
    """The line of the SR comment that counts, 0 if there is none, and those of further ones.

    What the flashcard shows as code is no further one: that is an example.
    """
    if len(block.comments) == 1 and not block.examples and block.text.count(review.OPENER) == 1:
        return block.comments[0], ()  # nearly always; one that does not close does no harm
    held = sorted((*block.comments, *block.examples))
    first, *more = [n for n in held for _ in review.comments(lines[n - 1])] or [0]
    examples = frozenset(block.examples)
    return first, tuple(dict.fromkeys(n for n in more if n not in examples))


def _is_of_a_flashcard(line: str, rules: _Rules) -> bool:
    """Whether a line has a separator or a review."""
    kind, _, _ = _classify(line, line.strip(SPACE), rules)
    return kind in (LineKind.SINGLE_LINE, LineKind.MULTI_LINE) or review.OPENER in line


def _left_behind(
    document: Document, cut: Blocks, coded: Sequence[int], grammar: Grammar
) -> tuple[LeftBehind, ...]:
    """The reviews that no flashcard took, by line."""
    if not (cut.orphans or cut.behind or cut.swallowed or coded):
        return ()
    causes = dict.fromkeys(cut.orphans, "orphan")
    if causes and not any("==" in pattern for pattern in grammar.cloze_patterns):
        # A highlight above may have been a cloze.
        causes |= {at: "no-cloze" for at in _highlighted(document.lines) if at in causes}
    causes |= dict.fromkeys(cut.behind, "orphan")
    causes |= dict.fromkeys(cut.swallowed, "comment") | dict.fromkeys(coded, "code")
    return tuple(
        LeftBehind(document.path, line, cause, count, likely_separator(document.lines, line))
        for line, cause in sorted(causes.items())
        if (count := reviews_in(_outside_code(document.lines[line - 1])))
    )


def _outside_code(line: str) -> str:
    """A line without its inline code: a note about the plugin may show what it writes."""
    if "`" not in line:
        return line
    spans = code_spans(line)
    starts, ends = (0, *(end for _, end in spans)), (*(start for start, _ in spans), len(line))
    return "".join(line[start:end] for start, end in zip(starts, ends, strict=True))


_HIGHLIGHT = re.compile(r"==[^=\n]+==")
_OF_A_COMMENT = re.compile("<!--(?:.*?-->)?|-->")


def _highlighted(lines: Sequence[str]) -> Iterator[int]:
    """The lines above which, in the same block or in themselves, a highlight stands."""
    seen = False
    for number, line in enumerate(lines, 1):
        seen = bool(trim(line)) and (seen or _HIGHLIGHT.search(line) is not None)
        if seen:
            yield number


def likely_separator(lines: Sequence[str], line: int) -> str | None:
    """What may be a separator before a review, in its line or in the one above, the longest first.

    The arrow that closes a comment is none: as a separator it would stand in every review.
    """
    text = _written(lines[line - 1])
    if not text and line > 1:
        text = _written(lines[line - 2])
    return next((separator for separator in _USUAL if separator in text), None)


def _written(line: str) -> str:
    """What a line says outside of comments and inline code, without the marks of a quote."""
    return trim(_outside_code(_OF_A_COMMENT.sub(" ", line))).lstrip("> ")


def reviews_in(text: str) -> int:
    """How many reviews the SR comments of a text hold, cards never reviewed left out."""
    bodies = (
        text[start + len(review.OPENER) : end - len(review.CLOSER)]
        for start, end in review.comments(text)
    )
    count = 0
    for body in bodies:
        reviews, unreadable = review.of_comment(body)
        count += sum(r is not None for r in reviews) + sum(not u.mended for u in unreadable)
    return count


def _flashcard(
    block: Block,
    document: Document,
    headings: tuple[str, ...],
    rules: _Rules,
) -> tuple[Flashcard, list[Diagnostic]]:
    parts = _parts(block)
    found: list[Diagnostic] = []
    deletions: Cloze | None = None
    if block.type is FlashcardType.CLOZE:
        deletions, too_high = cloze.parse(parts.text, rules.patterns)
        if too_high:
            found.append(diagnostics.at("O502", document.path, block.line, too_high))
    cards = deletions.cards if deletions is not None else 2 if block.type.reversed else 1
    reviews: tuple[Review | None, ...] = ()
    if block.comments or "!" in block.text:
        reviews, problems = _reviews(block, document, cards)
        found += problems
    if not cards:
        found.append(diagnostics.at("O503", document.path, block.line))
    flashcard = Flashcard(
        block.type,
        document.path,
        block.line,
        block.end_line,
        () if parts.sides == parts.shown else parts.sides,
        parts.shown,
        deletions,
        parts.block_id,
        parts.anchor,
        headings,
        None if rules.grammar.folders_as_decks else parts.leading_tag,
        (),  # topics and tags are for `decks.place`
        (),
        reviews[:cards] if cards else reviews,  # those of no card at all are left behind
        document.rtl,
        block.own_line,
    )
    return flashcard, found


def _reviews(
    block: Block, document: Document, cards: int
) -> tuple[tuple[Review | None, ...], list[Diagnostic]]:
    reviews, unreadable = review.of_text(block.text)
    counts, further = _commented(block, document.lines)
    line = counts or next(iter(block.comments), block.line)
    found: list[Diagnostic] = []
    for problem in unreadable:
        code = "O407" if problem.mended else "O402"
        details = (problem.segment, problem.reason)
        found.append(diagnostics.at(code, document.path, line, *details))
    if cards and any(r is not None for r in reviews[cards:]):
        extra = len(reviews) - cards
        found.append(diagnostics.at("O403", document.path, line, len(reviews), cards, extra))
    # A comment that begins a block belonged to what stood above it.
    begins = counts == block.own_line and block.type not in _SINGLE
    if begins and not trim(review.without_comments(document.lines[line - 1])):
        found.append(diagnostics.at("O408", document.path, line))
    found += [diagnostics.at("O404", document.path, at) for at in further]
    return reviews, found


# ---------------------------------------------------------------- the parts of a question


class _Parts(Value, frozen=True):
    """What a block's text is made of; for its sides and block ids see `Flashcard`."""

    text: str
    """Without review, leading tag and block id (the plugin's QuestionText)."""
    sides: tuple[str, ...]
    shown: tuple[str, ...]
    leading_tag: str | None = None
    block_id: str | None = None
    anchor: str | None = None


def _parts(block: Block) -> _Parts:
    left, bare = review.bare(block.text)
    # Nearly always there is nothing to be taken off but white space: no tag, block id, comment
    # or callout.
    if "#" in left or "^" in left or "<" in left or ">" in left or left.rstrip(SPACE) != bare:
        return _marked_parts(left, bare, block)
    sides = _cut(bare, block)
    return _Parts(bare, sides, tuple([side.rstrip() for side in sides]))


def _marked_parts(left: str, bare: str, block: Block) -> _Parts:
    """The parts of a block's text, which `review.bare` has freed of its comments in two ways."""
    question = _question(left)
    same = bare == (left if question.leading_tag else left.rstrip(SPACE))
    learnt = question if same else _question(bare)
    sides = _sides(question.text, block)
    return _Parts(
        question.text,
        sides,
        tuple(map(shown, sides if learnt.text == question.text else _sides(learnt.text, block))),
        question.leading_tag,
        question.block_id,
        learnt.block_id or _anchor(learnt.text),
    )


class _Question(NamedTuple):
    """A block's text that was taken apart."""

    text: str
    leading_tag: str | None
    block_id: str | None


def _question(bare: str) -> _Question:
    """Take a block's text apart that has lost its comments."""
    text, leading = bare.rstrip(SPACE), None
    start = bare.lstrip(SPACE)
    if start.startswith("#") and (tag := _LEADING_TAG.match(start)):
        path = "/".join(part for part in tag.group()[1:].split("/") if part)
        if path:
            # What follows the tag is not trimmed at its end, so that a comment on the next line
            # leaves a newline behind and keeps a block id from being seen.
            text, leading = start[tag.end() :].lstrip(SPACE), path
    rest, block_id = _block_id(text)
    return _Question(rest, leading, block_id)


def _block_id(text: str) -> tuple[str, str | None]:
    """A text without the block id that ends it, and that block id."""
    at = text.rfind(" ^")
    found = _BLOCK_ID.fullmatch(text, at) if at >= 0 else None
    return (text[: at + 1].rstrip(SPACE), found[1]) if found else (text, None)


def _anchor(text: str) -> str | None:
    """The block id that ends a text, where the plugin sees none.

    It stands before a callout, or on a line of its own, as Obsidian has it below lists and tables.
    """
    text = _without_callout(text) if SR_CALLOUT in text else text
    start, _, last = text.rpartition("\n")
    return _block_id(f" {last}" if start else text)[1] if "^" in last else None


def _sides(text: str, block: Block) -> tuple[str, ...]:
    sides = _cut(text, block)
    if SR_CALLOUT not in text:
        return sides
    if block.type in _SINGLE:
        front, back = sides
        return front, _without_callout_tail(back)
    return tuple(map(_without_callout, sides))


def _cut(text: str, block: Block) -> tuple[str, ...]:
    """A text at its separator."""
    if block.type is FlashcardType.CLOZE:
        return (text,)
    if block.type in _SINGLE:
        front, found, back = text.partition(block.separator)
        if not found:
            # The separator stood in what was cut; the plugin's substring(-1 + length) remains,
            # counted in UTF-16 units.
            units = len(block.separator.encode("utf-16-le")) - 2
            return "", text.encode("utf-16-le")[units:].decode("utf-16-le", "replace")
        return front, back
    front, found, back = text.partition(f"\n{block.separator}\n")
    if found and block.separator not in front:
        return front, back
    lines = text.split("\n")
    at = next((i for i, line in enumerate(lines) if trim(line) == block.separator), -1)
    if at < 0:
        return "\n".join(lines[:-1]), text
    return "\n".join(lines[:at]), "\n".join(lines[at + 1 :])


def _without_callout_tail(text: str) -> str:
    """Behind a single line only the callout of its review can stand."""
    at = text.find("\n" + SR_CALLOUT)
    return text[:at] if at >= 0 else text


def _without_callout(text: str) -> str:
    """Cut the callout that held the review, up to the end of the quote."""
    if SR_CALLOUT not in text:
        return text
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        inside = line.startswith(SR_CALLOUT) or (inside and line.startswith(">"))
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def contexts(headings: Sequence[Heading]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """From which line on which headings stand above, outermost first.

    A heading ends those of its own level and below (SRNoteTFile.getQuestionContext).
    """
    stack: list[Heading] = []
    result: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    for heading in headings:
        while stack and stack[-1].level >= heading.level:
            stack.pop()
        stack.append(heading)
        result.append((heading.line, tuple(h.text for h in stack)))
    return tuple(result)


def faces(flashcard: Flashcard) -> Iterator[tuple[str, str]]:
    """Front and back of each of the plugin's cards, as Markdown, by the plugin's order."""
    if flashcard.cloze is not None:
        (text,) = flashcard.sides
        for ordinal in range(flashcard.cloze.cards):
            yield (
                cloze.front(text, flashcard.cloze, ordinal),
                cloze.back(text, flashcard.cloze, ordinal),
            )
        return
    front, back = flashcard.sides
    yield front, back
    if flashcard.type.reversed:
        yield back, front
