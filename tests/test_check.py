"""What is told about flashcards that are exported all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import check, render
from obs2anki.data import VaultPath
from obs2anki.settings import Obsidian, Settings
from tests.plans import note, plan
from tests.vault_files import library

LIBRARY = library()


def findings(front: str, back: str) -> list[tuple[str, str]]:
    """Code and sentence of what is found about a flashcard."""
    (planned,) = plan(note("a")).planned
    flashcard = replace(planned.flashcard, shown=(front, back))
    return [(found.code, found.message) for found in check.flashcards([flashcard], Settings())]


@pytest.mark.parametrize(
    "side", ["", " \n", "---", "***", " _ _ _ ", "---\n\n***", "%%a%%", "<!-- -->"]
)
def test_a_side_that_shows_nothing_is_told(side: str) -> None:
    empty = "of this flashcard is empty; Anki shows (empty) there."
    assert findings(side, "x") == [("O301", f"The front {empty}")]
    assert findings("x", side) == [("O301", f"The back {empty}")]


@pytest.mark.parametrize("side", ["x", "--", "-*-", "- - x", "---\nx", "**a**", "%%a", "-", "<b>"])
def test_a_side_that_shows_something_is_not_told(side: str) -> None:
    assert findings(side, side) == []


PIECES = ("---", "* * *", "___", "--", "*", "x", "%%", "%%a%%", "<!-- b -->", "`", "$", "\n", " ")


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_a_side_is_told_to_be_empty_where_it_is_shown_so(side: str) -> None:
    place = render.Place(VaultPath("a.md"), 1, "")
    shown, _ = render.side(side, place, LIBRARY, Obsidian())
    assert bool(findings(side, "x")) is not bool(shown.html)


def test_a_side_of_a_hundred_thousand_comment_marks_is_read_in_one_pass() -> None:
    assert findings("<!--" * 100_000, "%%" * 100_001) == []
