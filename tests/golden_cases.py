"""Golden cases: Markdown files that a person can read.

    title
    .
    input
    .
    expected
    .

With OBS2ANKI_GOLDEN=1 in the environment what is expected is written anew.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "fixtures" / "cases"


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a file."""

    file: Path
    title: str
    input: str
    expected: str


def read(file: Path) -> list[Case]:
    """The cases of a file, in order; what stands between them is for readers."""
    found: list[Case] = []
    parts: list[list[str]] = []
    before = ""
    for line in file.read_text("utf-8").split("\n"):
        if line == ".":
            parts.append([])
            if len(parts) == 1:
                title = before
            elif len(parts) == 3:
                found.append(Case(file, title, "\n".join(parts[0]), "\n".join(parts[1])))
                parts = []
        elif parts:
            parts[-1].append(line)
        before = line
    assert not parts, f"{file.name}: the last case is not finished"
    return found


def cases(folder: str) -> pytest.MarkDecorator:
    """Parametrize a test with each case of the files `<folder>*.md`, by name."""
    found = [case for file in sorted(FOLDER.glob(f"{folder}*.md")) for case in read(file)]
    assert found, f"no cases in {folder}"
    return pytest.mark.parametrize("case", found, ids=[f"{c.file.stem}: {c.title}" for c in found])


def hold(case: Case, made_from: Callable[[str], str]) -> None:
    """Compare what is made of the input with what is expected, or write it down."""
    made = made_from(case.input)
    if os.environ.get("OBS2ANKI_GOLDEN"):
        text = case.file.read_text("utf-8")
        before = f"{case.title}\n.\n{case.input}\n.\n"
        after = f"{case.expected}\n.\n" if case.expected else ".\n"
        assert text.count(before + after) == 1, case.title
        new = f"{made}\n.\n" if made else ".\n"
        case.file.write_text(text.replace(before + after, before + new), "utf-8")
        return
    assert made == case.expected
