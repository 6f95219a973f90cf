"""A side as it stands in a document, made ready for a Markdown parser that knows no Obsidian.

    - [ ] What is $x_1$? %%check this%% ^q1

becomes `What is ·0·?`: comments and block ids are gone, maths and wikilinks are put aside, and
what a fragment carries of its surroundings (indentation, a lone bullet) is taken off. Every
step is linear in the length of the text, whatever stands in it.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from html import escape
from typing import Protocol

from obs2anki.markdown import is_break
from obs2anki.render.atoms import (
    BODY,
    CALLOUT,
    CONTROL,
    Atom,
    Callout,
    Shelf,
    inert,
    token,
    without_control,
)

MAX_QUOTES = 32
"""Block quotes nest no deeper: a browser would not show it, and a parser's time is its depth."""

# Tokens of deletions are the only noncharacters that a text may bring along.
_ASCII_CONTROL = bytes(code for code in range(128) if re.match(f"[{CONTROL}]", chr(code)))
_CONTROL_BUT_TOKENS = re.compile(f"[{CONTROL}\ufdd3-\ufdef]")


class Surroundings(Protocol):
    """What knows the vault and the document around a fragment."""

    def wikilink(self, inner: str, embed: bool) -> Atom:
        """The atom for `[[inner]]`, or for `![[inner]]`."""
        ...

    def footnote(self, name: str) -> str | None:
        """What the document says in the footnote `[^name]`."""
        ...


def prepared(text: str, shelf: Shelf, links: Surroundings) -> str:
    """The Markdown to be parsed; what it stands without is on the `shelf`.

    `text` may hold tokens of deletions; every other noncharacter is dropped.
    """
    markdown = _prepared(text, shelf, links)
    return _with_footnotes(markdown, shelf, links) if "[^" in markdown else markdown


def _prepared(text: str, shelf: Shelf, links: Surroundings) -> str:
    text = _clean(text, tokens=bool(shelf.opened))
    if _may_hold_inline(text):
        text = _Scan(text, shelf, links).result()
    if "^" in text:
        text = _BLOCK_ID.sub("", text)
    if "[" in text and "[!sr|" in text:
        text = _SR_CALLOUT.sub("", text)
    text = _without_edges(text)
    if "[^" in text:
        text = _with_plain_footnotes(text)
    text = _laid_out(text, shelf)
    return _with_code(text, shelf) if shelf.bodies else text


def laid_out(text: str) -> str:
    """What `prepared` makes of a text in which nothing is to be put aside or taken out."""
    return _laid_out(_without_edges(text), Shelf())


def _laid_out(text: str, shelf: Shelf) -> str:
    return _several_lines(text, shelf) if "\n" in text else _one_line(text.strip())


def _clean(text: str, *, tokens: bool) -> str:
    r"""NFC with `\n` alone between lines, and none of what no field may hold."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        # The quickest of all ways to see that there is nothing to be done.
        if len(text.encode().translate(None, _ASCII_CONTROL)) == len(text):
            return text
        return without_control(text)
    text = _CONTROL_BUT_TOKENS.sub("", text) if tokens else without_control(text)
    return unicodedata.normalize("NFC", text)


# ---------------------------------------------------------------- inside of lines


def _may_hold_inline(text: str) -> bool:
    """A quick look whether there may be anything to be put aside or taken out."""
    return (
        "$" in text
        or "~" in text
        or ("[" in text and "[[" in text)
        or ("%" in text and "%%" in text)
        or ("<" in text and "<!--" in text)
        or ("`" in text and "```" in text)
    )


# It begins with a set of characters, for which a regex engine searches fast.
_STOP = re.compile(
    r"[\\`~$%<!\[:](?:"
    r"(?<=\\)."  # escaped: whatever follows means nothing
    r"|(?<=`)(?:(?P<code>[^`\n]++`)(?!`)|`*)|(?<=~)~*|(?<=%)%"
    r"|(?<=\$)(?:\$|(?P<formula>(?:[^$\\]++|\\.)*+)\$)?"
    r"|(?<=<)(?:!--|/?[A-Za-z][^<>\n]*>)"  # in a tag and in an address, `$` and `~` are just that
    r"|(?:(?<=http:)|(?<=https:))//[^\s<>`)]*"
    r"|(?:(?<=\[)|(?<=!)\[)\[(?![ \t#|]*+\])(?P<inner>[^\[\]\n]+)\]\]"
    r")",
    re.DOTALL,
)
_BLANK_OR_BLOCK = re.compile(
    r"\n(?=[ \t>]*(?:\n|[-*+][ \t]|[0-9]{1,9}[.)][ \t]|#{1,6}[ \t]|```|~~~))"
)
_CONTAINERS = re.compile(r"(?:[ \t]*(?:>|(?:[-*+]|[0-9]{1,9}[.)])(?=[ \t])))*[ \t]*")
_FENCE_END = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*$", re.MULTILINE)
_QUOTE_MARKS = re.compile(r"^[ \t]*>[ \t>]*", re.MULTILINE)


# MathJax makes a link of `\href{javascript:...}{x}`; with braces in it, it is no address.
_SCRIPT = re.compile(r"\s*".join("script") + r"(?=\s*:)", re.IGNORECASE)


class _Ahead:
    """Where things stand further on in a text; each is looked for once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._found: dict[str, int] = {}

    def find(self, needle: str, start: int) -> int:
        """The first `needle` from `start` on, or -1. `start` never goes back."""
        known = self._found.get(needle, 0)
        if known >= 0 and (known < start or needle not in self._found):
            known = self._found[needle] = self.text.find(needle, start)
        return known

    def unescaped(self, needle: str, start: int) -> int:
        """The first `needle` from `start` on that no backslash takes the meaning from, or -1."""
        at = self.find(needle, start)
        while at > 0 and self.text[at - 1] == "\\" and self._escaped(at):
            at = self._found[needle] = self.text.find(needle, at + 1)
        return at

    def _escaped(self, at: int) -> bool:
        first = at
        while first and self.text[first - 1] == "\\":
            first -= 1
        return (at - first) % 2 == 1

    @cached_property
    def _breaks(self) -> list[int]:
        return [m.start() for m in _BLANK_OR_BLOCK.finditer(self.text)]

    def same_paragraph(self, start: int, end: int) -> bool:
        """Whether no blank line, list item or heading begins between the two places."""
        if not 0 <= self.find("\n", start) < end:
            return True
        index = bisect_left(self._breaks, start)
        return index == len(self._breaks) or self._breaks[index] >= end

    @cached_property
    def _runs(self) -> dict[int, list[int]]:
        runs: defaultdict[int, list[int]] = defaultdict(list)
        for match in re.finditer("`+", self.text):
            runs[len(match[0])].append(match.start())
        return runs

    def code_end(self, start: int, length: int) -> int:
        """Where a code span ends whose `length` backticks end at `start`; -1 if it never does."""
        places = self._runs.get(length, [])
        index = bisect_left(places, start)
        if index == len(places) or not self.same_paragraph(start, places[index]):
            return -1
        return places[index] + length


class _Scan:
    """One walk through a text: comments out, maths and wikilinks aside, code left alone."""

    def __init__(self, text: str, shelf: Shelf, links: Surroundings) -> None:
        self.text = text
        self.shelf = shelf
        self.links = links
        self.ahead = _Ahead(text)

    def result(self) -> str:
        """The text with tokens in it."""
        pieces: list[str] = []
        position = 0
        while stop := _STOP.search(self.text, position):
            pieces.append(self.text[position : stop.start()])
            piece, position = self._at(stop)
            pieces.append(piece)
        pieces.append(self.text[position:])
        return "".join(pieces)

    def _at(self, stop: re.Match[str]) -> tuple[str, int]:
        """What stands for that which begins at `stop`, and where the walk goes on."""
        found = stop[0]
        match stop.lastgroup:
            case "inner":
                atom = self.links.wikilink(stop["inner"], found[0] == "!")
                return self.shelf.keep(atom), stop.end()
            case "formula":
                return self._formula(stop)
            case "code":
                return found, stop.end()
        match found[0]:
            case "`" | "~":
                return self._code(stop)
            case "$" if found == "$$":
                return self._display(stop)
            case "%":
                return self._comment(stop)
            case "<" if found == "<!--":
                return self._html_comment(stop)
        return found, stop.end()

    def _code(self, stop: re.Match[str]) -> tuple[str, int]:
        run, start, end = stop[0], stop.start(), stop.end()
        if len(run) >= 3 and (fence := self._fence(stop)):
            return fence
        if run == "~":  # Obsidian strikes out between two, Markdown's extension also between one
            return self.shelf.keep(Atom("~", "~")), end
        if run[0] == "~" or (close := self.ahead.code_end(end, len(run))) < 0:
            return run, end
        return self.text[start:close], close

    def _fence(self, stop: re.Match[str]) -> tuple[str, int] | None:
        """Fenced code: the opening line, and a line that stands for the rest of it."""
        text, run, start = self.text, stop[0], stop.start()
        line_start = text.rfind("\n", max(0, start - 200), start) + 1
        if (not line_start and start > 200) or not _CONTAINERS.fullmatch(text, line_start, start):
            return None
        line_end = self.ahead.find("\n", start)
        if "`" in text[stop.end() : line_end if line_end >= 0 else None] and run[0] == "`":
            return None
        if line_end < 0:
            return text[start:], len(text)
        closing = (
            m.end()
            for m in _FENCE_END.finditer(text, line_end + 1)
            if m[1][0] == run[0] and len(m[1]) >= len(run)
        )
        end = next(closing, -1)
        before = text[line_start:start]
        if end < 0:
            end = len(text)
            body = _without_blank_end(text[line_end + 1 :], quoted=">" in before)
        else:
            body = text[line_end + 1 : end]
        self.shelf.bodies.append((_columns(before.partition(">")[0]), body))
        blank = "".join(c if c in ">\t" else " " for c in before)
        mark = f"{BODY}{len(self.shelf.bodies) - 1}\ufdd1"
        return f"{text[start:line_end]}\n{blank}{mark}", end

    def _formula(self, stop: re.Match[str]) -> tuple[str, int]:
        """`$...$`, up to the first dollar that no backslash stands before."""
        content, start, end = stop["formula"], stop.start() + 1, stop.end()
        # As in Obsidian: no white space inside of the dollars, no digit after them, so that
        # $5 and $6 are money.
        money = content[0].isspace() or content[-1].isspace()
        if money or self.text[end : end + 1].isdecimal():
            return "$", start
        if "\n" in content and not self.ahead.same_paragraph(start, end):
            return "$", start
        return self._maths(content, stop.start(), end, r"\(%s\)")

    def _display(self, stop: re.Match[str]) -> tuple[str, int]:
        close = self.ahead.unescaped("$$", stop.end())
        content = self.text[stop.end() : close] if close >= 0 else ""
        if not content.strip():
            return "$$", stop.end()
        return self._maths(content, stop.start(), close + 2, r"\[%s\]")

    def _maths(self, content: str, start: int, end: int, shown: str) -> tuple[str, int]:
        if "\n" in content:
            content = _QUOTE_MARKS.sub("", content) if self._quoted(start) else content
        content = content.strip()
        content = _SCRIPT.sub(r"\g<0>{}", content) if ":" in content else content
        content += " " if content.endswith("\\") else ""  # `\\ ` is a space, `\\\\` a line end
        html = shown % inert(escape(content, quote=False))
        return self.shelf.keep(Atom(html, self.text[start:end], maths=True)), end

    def _quoted(self, position: int) -> bool:
        line_start = self.text.rfind("\n", max(0, position - 200), position) + 1
        return self.text[line_start : line_start + 200].lstrip().startswith(">")

    def _comment(self, stop: re.Match[str]) -> tuple[str, int]:
        close = self.ahead.find("%%", stop.end())
        return ("%%", stop.end()) if close < 0 else ("", close + 2)

    def _html_comment(self, stop: re.Match[str]) -> tuple[str, int]:
        text, start, end = self.text, stop.start(), stop.end()
        if text.startswith((">", "->"), end):
            return "", end + (1 if text[end] == ">" else 2)
        close = self.ahead.find("-->", end)
        if text.startswith("SR:", end):  # a leftover never reaches beyond its line
            line_end = self.ahead.find("\n", end)
            line_end = len(text) if line_end < 0 else line_end
            return "", close + 3 if 0 <= close < line_end else line_end
        if close >= 0:
            return "", close + 3
        line_start = text.rfind("\n", max(0, start - 4), start) + 1
        if (line_start or start < 4) and not text[line_start:start].strip():
            return "", len(text)  # as in Markdown: from the start of a line it hides the rest
        return "&lt;!--", end


# ---------------------------------------------------------------- footnotes

_MOST_FOOTNOTES = 50
_LONGEST_FOOTNOTES = 10_000
"""Of one fragment, in characters: many flashcards may name a long one."""

_FOOTNOTE = re.compile(r"\[\^([^\[\]\s]{1,100})\]")
_DEFINITION = re.compile(
    r"^((?:[ \t]*+(?:>|[-*+]|[0-9]{1,9}[.)]))*+[ \t]*+)\[\^([^\[\]\s]{1,100})\]:[ \t]*",
    re.MULTILINE,
)


def _with_footnotes(markdown: str, shelf: Shelf, links: Surroundings) -> str:
    """A fragment, and what footnotes say that it names and that stand outside of it."""
    known = {match[2].lower() for match in _DEFINITION.finditer(markdown)}
    parts = [markdown]
    room = _LONGEST_FOOTNOTES
    for part in parts:  # what a footnote says may name another one
        for match in _FOOTNOTE.finditer(part):
            if match[1].lower() in known or len(known) >= _MOST_FOOTNOTES:
                continue
            known.add(match[1].lower())
            says = links.footnote(match[1])
            if says and len(says) <= room:
                room -= len(says)
                body = _prepared(says, shelf, links).replace("\n", "\n    ")
                parts.append(f"{match[0]}: {body}")
    return "\n\n".join(parts)


def _with_plain_footnotes(text: str) -> str:
    """Text in which each footnote has one name, and none that nobody names opens it.

    A fragment that begins as such a one is what the footnote says; and two of one name would
    confuse the parser.
    """
    opening = _DEFINITION.match(text)
    named = {match[1] for match in _FOOTNOTE.finditer(_DEFINITION.sub("", text))}
    defined: set[str] = set()

    def once(match: re.Match[str]) -> str:
        before, name = match[1], match[2]
        if opening and name not in named:
            return before
        mark = "\\" if name.lower() in defined else ""
        defined.add(name.lower())
        return f"{before}{mark}{match[0][len(before) :]}"

    return _DEFINITION.sub(once, text)


# ---------------------------------------------------------------- lines

# Obsidian hides the id with one space before it, or on a line of its own.
_BLOCK_ID = re.compile(r"(?:^|(?<=[ \t]))\^[A-Za-z0-9-]+[ \t]*$", re.MULTILINE)
_SR_CALLOUT = re.compile(
    r"^[ \t]*>[ \t]*\[!sr\|card-metadata\].*(?:\n[ \t]*>[ \t]*$)*", re.MULTILINE
)
_MARK = re.compile(r"(?:[-*+]|#{1,6}|[0-9]{1,9}[.)])(?=[ \t])|>")
_MARKING = frozenset("-*+_#>0123456789")
_TASK = re.compile(r"\[[^\]\n]\][ \t]+")
_CALLOUT = re.compile("\\[!([^\\[\\]\n|·\ufdd0-\ufdef]{1,64})(?:\\|[^\\]\n]*)?\\]([+-]?)")
_BREAKING = frozenset("-*_ \t")
_LONE = re.compile(r"[-*+#>]|[0-9]{1,9}[.)]|#{2,6}")


def _without_edges(text: str) -> str:
    """Text without the blank lines and the thematic breaks at either end."""
    if text and not (text[0].isspace() or text[-1].isspace()):
        end = text.find("\n")  # a break is known by its last character
        if text[-1] not in _BREAKING and text[end - 1 : end] not in _BREAKING:
            return text
    lines = text.split("\n")
    start, end = 0, len(lines)
    while start < end and _is_edge(lines[start]):
        start += 1
    while end > start and _is_edge(lines[end - 1]):
        end -= 1
    return "\n".join(lines[start:end])


def _without_blank_end(code: str, *, quoted: bool) -> str:
    """Code that nothing closes, without the blank lines between it and the end of the side."""
    lines = code.split("\n")
    blank = " \t>" if quoted else " \t"
    while len(lines) > 1 and not lines[-1].strip(blank):
        lines.pop()
    return "\n".join(lines)


def _is_edge(line: str) -> bool:
    return not line.strip() or is_break(line)


def _one_line(line: str) -> str:
    """A line that is all there is: no lone bullet, quote bar or heading; a number is text."""
    if line[:1] not in _MARKING:
        return line
    if is_break(line):
        return ""
    start, end, callout = 0, len(line), None
    while mark := _MARK.match(line, start):
        if mark[0][0].isdigit():
            return f"{mark[0][:-1]}\\{mark[0][-1]}{line[mark.end() : end]}"
        start = _after_blanks(line, mark.end())
        callout = None
        if mark[0] in "-*+" and (task := _TASK.match(line, start)):
            start = task.end()
        elif mark[0] == ">" and (callout := _CALLOUT.match(line, start)):
            start = _after_blanks(line, callout.end())
        elif mark[0][0] == "#":
            end = _without_closing_hashes(line, start, end)
    rest = line[start:end]
    if _LONE.fullmatch(rest):
        return rest[:-1] + "\\" + rest[-1]
    return rest or (_title_of(callout[1]) if callout else "")


def _title_of(kind: str) -> str:
    """What Obsidian calls a callout that has no title: `my-type` is "My type"."""
    return kind.strip().replace("-", " ").capitalize()


def _after_blanks(line: str, start: int) -> int:
    while line.startswith((" ", "\t"), start):
        start += 1
    return start


def _without_closing_hashes(line: str, start: int, end: int) -> int:
    """Where a heading's text ends: `## Q ##` closes, `## C#` does not."""
    at = end
    while at > start and line[at - 1] == "#":
        at -= 1
    if at == end or (at > start and line[at - 1] not in " \t"):
        return end
    while at > start and line[at - 1] in " \t":
        at -= 1
    return at


def _several_lines(text: str, shelf: Shelf) -> str:
    steps: list[Callable[[list[str]], list[str]]] = []
    if text[0] in " \t":
        steps.append(_dedented)
    if ("\t" in text or "    " in text) and _WIDE_GAP.search(text) and not _is_tree(text):
        steps.append(_without_code_by_indentation)
    if ">" in text and (">>>>" in text or "> > > >" in text):
        steps.append(lambda lines: [_shallow(line) for line in lines])
    if ">" in text and "[!" in text:
        steps.append(lambda lines: _with_callout_titles(lines, shelf))
    if not steps:
        return text
    lines = text.split("\n")
    for step in steps:
        lines = step(lines)
    return "\n".join(lines)


def _columns(indent: str, start: int = 0) -> int:
    """How wide white space is that begins in column `start`; tabs go to multiples of four."""
    if "\t" not in indent:
        return len(indent)
    return len((" " * start + indent).expandtabs(4)) - start


def _split_indent(line: str) -> tuple[int, str]:
    """The columns of a line's indentation, and the line without it."""
    bare = line.lstrip(" \t")
    return _columns(line[: len(line) - len(bare)]), bare


def _dedented(lines: list[str]) -> list[str]:
    """Lines without the indentation of the first."""
    width, _ = _split_indent(lines[0])
    return [_moved(line, width) for line in lines] if width else lines


def _moved(line: str, by: int) -> str:
    """A line with up to `by` columns of indentation taken off."""
    width, bare = _split_indent(line)
    return " " * max(0, width - by) + bare if width else line


_QUOTES = re.compile(r"(?:[ \t]{0,3}>[ ]?)*")
# After the start of a line or a mark: nothing else is ever taken for code.
_WIDE_GAP = re.compile(r"[\n>*+.)-] {0,4}(?:(?<=    )|\t)")
_BAR = re.compile(r"([ \t]*)(>[ ]?)")
_Item = tuple[int, int]
"""An item of a list: the columns of its content, as found and as written."""
_NEVER_LAZY = frozenset("#`~|")
_ITEM_MARKS = frozenset("-*+0123456789")
_ITEM = re.compile(r"([-*+]|[0-9]{1,9}[.)])([ \t]+|$)")
_INDENTING = frozenset(" \t>") | _ITEM_MARKS
# Plain items, each at most a tab deeper than the one above, between them lines of text.
_MARKED = r"(?:[-*+]|[0-9]{1,2}[.)])[ ]"
_EMPHASISED = r"[*_]{1,2}(?![\s*_])"
_TREE = re.compile(
    rf"(?:(?:\t*+{_MARKED}(?:{_EMPHASISED}|(?![0-9]{{1,9}}[.)])[^\s<>*+_-])"
    rf"|{_EMPHASISED}|[^\s\d<>*+_`~#|-])[^\n]*+(?:\n++|\Z))*+"
)
_LEAP = re.compile(rf"\n(?:(\t*+){_MARKED}[^\n]*+\n++\1\t\t|(?!{_MARKED})\S[^\n]*+\n++\t)")
# What most lists are made of: the same as below, quicker.
_PLAIN_ITEM = re.compile(r"(\t*)[-*+] [^\s\d>*+_-]")
_MAX_OPENED = 64  # characters of list marks in one line; beyond that nobody nests, only machines


def _is_tree(text: str) -> bool:
    """Whether tabs do no more in it than to nest lists, as Markdown reads them too."""
    return _TREE.fullmatch(text) is not None and not _LEAP.search(f"\n{text}")


def _without_code_by_indentation(lines: list[str]) -> list[str]:
    """Lines in which indentation makes nested lists, but never a code block.

    Only fences make code: what is indented in a fragment mostly stood deep in a list. So a line
    that is indented by four or more beyond the list item it belongs to moves up to it.
    """
    result: list[str] = []
    levels: list[list[_Item]] = [[]]  # outside of quotes, in a quote, in a quote in that, ...
    after_text = False
    for line in lines:
        if line and line[0] not in _INDENTING:
            if line[0] == "[" and _DEFINITION.match(line):
                levels = [[(4, 4)]]
            elif len(levels) > 1 or not after_text or line[0] in _NEVER_LAZY:
                levels = [[]]  # else it goes on with the paragraph of an item
            result.append(line)
            after_text = True
            continue
        if len(levels) == 1 and (item := _PLAIN_ITEM.match(line)):
            items, column = levels[0], 4 * len(item[1])
            at = _under(items, column)
            items.append((column + 2, at + 2))
            result.append(" " * at + line[len(item[1]) :])
            after_text = True
            continue
        bars, line = _with_bars(line, levels) if ">" in line else ("", line)
        depth = bars.count(">")
        del levels[depth + 1 :]
        items = levels[depth]
        column, bare = _split_indent(line)
        after_text = bool(bare)
        if not bare:
            result.append(bars + line)
            continue
        at = _under(items, column)
        if bare[0] in _ITEM_MARKS and not (bare[-1] in "-* \t" and is_break(bare)):
            bare = _noting_items(bare, column, at, items)
        result.append(f"{bars}{' ' * at}{bare}")
    return result


def _with_bars(line: str, levels: list[list[_Item]]) -> tuple[str, str]:
    """The bars that a line begins with, moved under their items, and what follows them.

    A bar in another item than the one above begins another quote.
    """
    bars = ""
    start = depth = 0
    while depth < MAX_QUOTES and (bar := _BAR.match(line, start)):
        items = levels[depth]
        before = len(items)
        at = _under(items, _columns(bar[1]))
        depth += 1
        if len(items) < before:
            del levels[depth:]
        if depth == len(levels):
            levels.append([])
        bars += " " * at + bar[2]
        start = bar.end()
    return bars, line[start:]


def _under(items: list[_Item], column: int) -> int:
    """Where what begins in `column` belongs below the items; those that it ends are taken off."""
    while items and column < items[-1][0]:
        items.pop()
    found, written = items[-1] if items else (0, 0)
    beyond = column - found
    return written + (beyond if beyond < 4 else 0)


def _noting_items(bare: str, column: int, at: int, items: list[_Item]) -> str:
    """Note the items that a line opens (`- 1. x` opens two); the line with narrow gaps."""
    opened = ""
    start = 0
    while len(opened) < _MAX_OPENED and (item := _ITEM.match(bare, start)):
        mark = len(item[1])
        gap = _columns(item[2], (column + mark) % 4)
        gap = gap if 1 <= gap <= 4 else 1
        items.append((column + mark + gap, at + mark + gap))
        column, at = items[-1]
        opened += item[1] + " " * gap
        start = item.end()
    return opened + bare[start:]


def _quotes(line: str) -> str:
    """The bars that a line begins with."""
    match = _QUOTES.match(line)
    return match[0] if match else ""


def _shallow(line: str) -> str:
    quotes = _quotes(line)
    if quotes.count(">") <= MAX_QUOTES:
        return line
    return "> " * MAX_QUOTES + line[len(quotes) :].lstrip("> \t")


_LIST_MARKS = r"((?:[ \t]*+(?:[-*+]|[0-9]{1,9}[.)])(?=[ \t]))*+)"
_BARS = r"((?:[ \t]*+>)*+)"
_BEFORE_TEXT = re.compile(_LIST_MARKS + _BARS)
_CALLOUT_LINE = re.compile(rf"{_LIST_MARKS}{_BARS}[ \t]*+{_CALLOUT.pattern}[ \t]*")


def _with_callout_titles(lines: list[str], shelf: Shelf) -> list[str]:
    """Lines in which the title of each callout is a marked paragraph of its own."""
    result: list[str] = []
    depth = 0
    for line in lines:
        before = _BEFORE_TEXT.match(line) if ">" in line else None
        above, depth = depth, before[2].count(">") if before else 0
        match = _CALLOUT_LINE.match(line) if depth and "[!" in line else None
        # Only what begins a quote is a callout: `[!tip]` in its second line is text.
        if match and (depth > above or match[1].strip()):
            kind = match[3].strip().lower()
            shelf.callouts.append(Callout(kind, match[4]))
            title = line[match.end() :] or _title_of(kind)
            mark = token(CALLOUT, len(shelf.callouts) - 1)
            inside = " " * len(match[1]) + match[2]
            result += (f"{match[1]}{match[2]} {mark}{title}", inside)
        else:
            result.append(line)
    return result


_BODY_LINE = re.compile(f"([ \t]*)([^\n]*?){BODY}([0-9]+)\ufdd1")


def _with_code(text: str, shelf: Shelf) -> str:
    """The text with fenced code back in it, moved as far as its fence was."""
    lines = text.split("\n")
    return "\n".join(_body(line, shelf) if BODY in line else line for line in lines)


def _body(line: str, shelf: Shelf) -> str:
    match = _BODY_LINE.match(line)
    if not match:
        return line
    column, body = shelf.bodies[int(match[3])]
    by = column - _columns(match[1])
    rest = line[match.end() :]
    if by > 0:
        body = "\n".join(_moved(code, by) for code in body.split("\n"))
    return body + rest
