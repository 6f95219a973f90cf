"""Parts of a document that an embed can name: all of it, a section, a block.

    # Cell
    ## Nucleus              ![[cell#Nucleus]]       this section, without its heading
    It holds the DNA. ^dna  ![[cell#^dna]]          this block

A document is looked through once; finding a passage in it then costs next to nothing, so that
many embeds of a long document stay cheap.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from obs2anki import markdown, review
from obs2anki.data import Document, Heading, Source

_MOST_ALIKE = 1_000
"""So many headings of one text are looked at for the one that a path of headings names."""

_BLOCK_ID = re.compile(r"(?:^|[ \t])\^([A-Za-z0-9-]+)[ \t]*$")
_FOOTNOTE = re.compile(r" {0,3}\[\^([^\[\]\s]{1,100})\]:[ \t]*(.*)")
_ITEM = re.compile(r"([ \t]*)(?:[-*+]|[0-9]{1,9}[.)])(?:[ \t]|$)")
# What Obsidian leaves out when it compares a link with a heading (its `stripHeading`).
_NOT_COMPARED = re.compile(r"[!\"#$%&()*+,.:;<=>?@^`{|}~/\[\]\\\s]+")


@dataclass(frozen=True, slots=True)
class Passage:
    """A part of a document: its lines, 1-based."""

    line: int
    end_line: int


class Outline:
    """What can be found in a document."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.lines = source.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")

    @property
    def rtl(self) -> bool | None:
        """Whether its frontmatter says that it runs from right to left; None = it does not say."""
        return self._document.rtl

    @cached_property
    def _document(self) -> Document:
        return markdown.parse(self.source)[0]

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The headings, by line."""
        return self._document.headings

    @cached_property
    def first(self) -> int:
        """The first line after the frontmatter as Obsidian delimits it, 1-based."""
        closing = markdown.frontmatter_end(self.lines)
        return closing + 2 if closing else 1

    def passage(self, subpath: str) -> Passage | None:
        """What `#heading`, `#heading#heading below`, `#^block` or nothing names."""
        parts = [part for part in subpath.split("#") if part.strip()]
        if not parts:
            return Passage(self.first, len(self.lines))
        if parts[-1].lstrip().startswith("^"):
            line = self._ids.get(parts[-1].strip()[1:].lower())
            return None if line is None else self._block(line)
        return self._section([_compared(part) for part in parts])

    def size(self, passage: Passage) -> int:
        """How many characters a passage has."""
        return self._starts[passage.end_line] - self._starts[passage.line - 1]

    def text(self, passage: Passage) -> str:
        """A passage as it is shown: without the comments that hold reviews."""
        lines = self.lines[passage.line - 1 : passage.end_line]
        return review.without_comment_lines("\n".join(lines))

    @cached_property
    def _starts(self) -> list[int]:
        starts = [0]
        for line in self.lines:
            starts.append(starts[-1] + len(line) + 1)
        return starts

    @cached_property
    def footnotes(self) -> dict[str, str]:
        """What each footnote says, by its name in lower case; the first that has the name."""
        found: dict[str, list[str]] = {}
        says: list[str] = []
        last = 0
        for number, line in markdown.outside_code(self.lines, self.first - 1):
            if "[^" in line and (match := _FOOTNOTE.match(line)):
                says = [match[2]]
                found.setdefault(match[1].lower(), says)
            elif number != last + 1 or not (line[:1] in " \t" or (line and says[-1:] != [""])):
                says = []  # a gap, or text that belongs to no footnote
            elif says:
                says.append(line.strip() and line.removeprefix("\t").removeprefix("    "))
            last = number
        return {
            name: review.without_comment_lines("\n".join(lines)).strip()
            for name, lines in found.items()
        }

    # ------------------------------------------------------------ sections

    @cached_property
    def _parents(self) -> list[int]:
        """For each heading the one that it stands below, by index; -1 = none."""
        parents: list[int] = []
        above: list[int] = []
        for index, heading in enumerate(self.headings):
            while above and self.headings[above[-1]].level >= heading.level:
                above.pop()
            parents.append(above[-1] if above else -1)
            above.append(index)
        return parents

    @cached_property
    def _ends(self) -> list[int]:
        """The last line of each heading's section."""
        ends = [len(self.lines)] * len(self.headings)
        above: list[int] = []
        for index, heading in enumerate(self.headings):
            while above and self.headings[above[-1]].level >= heading.level:
                ends[above.pop()] = heading.line - 1
            above.append(index)
        return ends

    @cached_property
    def _by_text(self) -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for index, heading in enumerate(self.headings):
            found[_compared(heading.text)].append(index)
        return dict(found)

    def _section(self, parts: Sequence[str]) -> Passage | None:
        """The lines below a heading; each of `parts` names one further down."""
        for index in self._by_text.get(parts[-1], [])[:_MOST_ALIKE]:
            wanted = list(parts[:-1])
            above = self._parents[index]
            while wanted and above >= 0:
                if _compared(self.headings[above].text) == wanted[-1]:
                    wanted.pop()
                above = self._parents[above]
            if not wanted:
                return Passage(self.headings[index].line + 1, self._ends[index])
        return None

    # ------------------------------------------------------------ blocks

    @cached_property
    def _outside(self) -> frozenset[int]:
        """The lines that stand in no fenced code, 1-based."""
        return frozenset(n for n, _ in markdown.outside_code(self.lines, self.first - 1))

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The line of each block id, the first if there are several."""
        found: dict[str, int] = {}
        for number, line in markdown.outside_code(self.lines, self.first - 1):
            if "^" in line:
                shown = review.without_comments(line) if review.OPENER in line else line
                if match := _BLOCK_ID.search(shown[-200:]):
                    found.setdefault(match[1].lower(), number)
        return found

    @cached_property
    def _runs(self) -> list[int]:
        """The lines at which a run of lines without a gap begins, or that stand in a gap."""
        heads = {heading.line for heading in self.headings}
        starts = [self.first]
        for number in range(self.first + 1, len(self.lines) + 1):
            apart = (
                not self.lines[number - 1].strip()
                or not self.lines[number - 2].strip()
                or number in heads
                or number - 1 in heads
                or (number in self._outside) is not (number - 1 in self._outside)
            )
            # Fenced code is one run, whatever blank lines it holds.
            if apart and (number in self._outside or number - 1 in self._outside):
                starts.append(number)
        return starts

    @cached_property
    def _items(self) -> dict[int, int]:
        """For each line that begins an item of a list the last line of that item."""
        ends: dict[int, int] = {}
        still: list[tuple[int, int]] = []  # indentation and line of the items that are open
        last = self.first
        for number in range(self.first, len(self.lines) + 1):
            line = self.lines[number - 1]
            if number not in self._outside or not line.strip():
                continue
            indent = len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip())
            item = _ITEM.match(line)
            lazy = not item and self._run(number).line != number  # goes on with the line above
            while still and indent <= still[-1][0] and not lazy:
                ends[still.pop()[1]] = last
            if item:
                still.append((indent, number))
            last = number
        return ends | dict.fromkeys((number for _, number in still), last)

    @cached_property
    def _own_items(self) -> list[int]:
        return sorted(self._items)

    def _run(self, line: int) -> Passage:
        """The lines without a gap among which `line` stands."""
        index = bisect_right(self._runs, line)
        end = self._runs[index] - 1 if index < len(self._runs) else len(self.lines)
        return Passage(self._runs[index - 1], end)

    def _block(self, line: int) -> Passage:
        """The block that has its id in `line`; an id alone in its line is that of what is above."""
        if _BLOCK_ID.fullmatch(self.lines[line - 1].lstrip()):
            above = line - 1
            while above > self.first and not self.lines[above - 1].strip():
                above -= 1
            return self._run(above) if above >= self.first else Passage(line, line)
        run = self._run(line)
        index = bisect_right(self._own_items, line)
        item = self._own_items[index - 1] if index else 0
        if item >= run.line:
            return Passage(item, max(self._items[item], line))
        next_item = self._own_items[index] if index < len(self._own_items) else len(self.lines) + 1
        return Passage(run.line, min(run.end_line, next_item - 1))


def _compared(heading: str) -> str:
    return _NOT_COMPARED.sub(" ", markdown.normalised(heading)).strip().casefold()


@lru_cache(maxsize=256)  # many sides embed one document
def outline(source: Source) -> Outline:
    """What can be found in a document."""
    return Outline(source)
