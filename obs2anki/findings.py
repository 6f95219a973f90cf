"""How findings are told: a line for each on a terminal, or a command that GitHub shows beside it.

    Cells.md:9:1: O401 The review belongs to no flashcard.
        Put the comment directly below its flashcard.
    ::warning file=Cells.md,line=9,col=1,title=O401::The review belongs to no flashcard.

Findings as JSON are a part of each command's own (`report.as_json`, `checking.as_json`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from obs2anki.data import Diagnostic, Severity
from obs2anki.settings import Problem
from obs2anki.terminal import harmless, painted
from obs2anki.wording import Wording

NOT_IN_TEXT = frozenset({"O406", "O605"})
"""Infos for those who look for them: the paragraph on what was left behind sums up the first, and
of dead links, which Obsidian allows for what is not written yet, a vault may have thousands."""


def worth_a_line(diagnostics: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings that people are told beside a report or a list."""
    return (found for found in diagnostics if found.code not in NOT_IN_TEXT)


def lines(diagnostics: Iterable[Diagnostic], wording: Wording, colour: bool) -> Iterator[str]:
    """Each finding on a line, `path:line:column: CODE sentence`, its remedy below.

    Of several in a row with one remedy, it stands below the last: in a large vault there may be
    hundreds.
    """
    for _, alike in groupby(diagnostics, lambda found: (found.code, found.hint)):
        for found in alike:
            code = painted(found.code, found.severity) if colour else found.code
            place = f"{wording.place(found.path, found.line)}:{found.column}"
            yield f"{place}: {code} {harmless(found.message)}"
        yield from (f"    {line}" for line in _remedy(found))


def _remedy(found: Diagnostic) -> Iterator[str]:
    """The lines of a remedy: a sentence, and what is to be pasted."""
    return map(harmless, found.hint.split("\n")) if found.hint else iter(())


_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def commands(diagnostics: Iterable[Diagnostic], wording: Wording) -> Iterator[str]:
    """Each finding as a workflow command of GitHub, which shows it beside the line."""
    for found in diagnostics:
        place = _property(wording.file(found.path))
        said = "\n".join((harmless(found.message), *_remedy(found)))
        yield (
            f"::{_LEVELS[found.severity]} file={place},line={found.line},col={found.column},"
            f"title={found.code}::{_data(said)}"
        )


def commands_of(problems: Iterable[Problem]) -> Iterator[str]:
    """Settings that cannot be used, as workflow commands; paths start in the working folder."""
    for problem in problems:
        place = _property(harmless(problem.origin))
        said = f"{harmless(problem.sentence)}\n{harmless(problem.remedy)}"
        yield f"::error file={place},line={problem.line or 1}::{_data(said)}"


def _data(value: str) -> str:
    """Text as a workflow command carries it."""
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    """Text as a property of a workflow command carries it."""
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def unobeyed(text: str) -> str:
    """`text` without a line that GitHub would take for a command."""
    return "\n".join(
        f"| {line}" if line.lstrip().startswith(("::", "##[")) else line
        for line in text.split("\n")
    )
