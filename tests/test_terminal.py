"""Text as a terminal gets it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import terminal

ANY_TEXT = st.text(st.characters(), max_size=60)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a b", "a b"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202efdp.exe", r"\u202efdp.exe"),
        ("\udc80", r"\udc80"),
        ("Família 👩‍👧 日本", "Família 👩‍👧 日本"),
    ],
)
def test_what_a_terminal_would_obey_is_spelt_out(text: str, shown: str) -> None:
    assert terminal.harmless(text) == shown


@given(ANY_TEXT)
def test_no_text_holds_a_control_character_after_that(text: str) -> None:
    kinds = {unicodedata.category(character) for character in terminal.harmless(text)}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}


@given(ANY_TEXT, st.integers(2, 40))
def test_a_shortened_text_fits(text: str, columns: int) -> None:
    assert terminal.width(terminal.shortened(text, columns)) <= columns


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("two\n\n lines", 20, "two lines"),
        ("日本語", 5, "日本…"),
        ("a" + " " * 1000 + "b", 10, "a…"),
    ],
)
def test_a_text_is_shortened_to_one_line(text: str, columns: int, shown: str) -> None:
    assert terminal.shortened(text, columns) == shown


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("Norge", 5),
        ("日本", 4),
        ("e\u0301", 1),
        ("\u0e19\u0e35\u0e49", 1),  # Thai: a consonant, a vowel above it, a tone above that
        ("\u0939\u0941\u0928\u094d", 2),  # Devanagari: a vowel below, a virama
        ("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", 4),
        ("\u200fא\u200e", 1),  # which way it runs
        ("می\u200cخواهم", 7),  # Persian: letters that are not to be joined
    ],
)
def test_marks_and_joiners_take_no_column(text: str, columns: int) -> None:
    assert terminal.width(text) == columns


def test_columns_end_below_each_other() -> None:
    rows = [("Deck", "Cards"), ("日本", "7"), ("e\u0301", "12")]
    assert list(terminal.columns(rows, right=[1])) == [
        "Deck  Cards",
        "日本      7",
        "e\u0301        12",
    ]
