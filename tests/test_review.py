"""Reading SR comments: every form that the plugin has written, and what it cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import review
from obs2anki.data import FsrsReview, Sm2Review
from obs2anki.markdown import SPACE

FSRS = "fsrs,2026-05-20T10:00:00.000Z,3,3.1262,5.31,2,4,1,0,2026-05-17T10:00:00.000Z"


def reviews(text: str) -> tuple[object, ...]:
    return review.of_text(text)[0]


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("2024-05-01", date(2024, 5, 1)),
        (" 2024-05-01 ", date(2024, 5, 1)),
        ("2024-5-1", date(2024, 5, 1)),
        ("2024/05/01", date(2024, 5, 1)),
        ("2024-05-01T08:00:00", date(2024, 5, 1)),
        ("20-08-2021", date(2021, 8, 20)),
        ("05/01/2024", date(2024, 1, 5)),
        ("Fri Aug 20 2021", date(2021, 8, 20)),
        ("24-05-01", date(2024, 5, 1)),
    ],
)
def test_a_date_in_any_form_that_the_plugin_reads(written: str, day: date) -> None:
    assert reviews(f"Q::A\n<!--SR:!{written},3,250-->") == (Sm2Review(day, 3, 250),)


@pytest.mark.parametrize(
    "written", ["2024-13-45", "2024-02-30", "soon", "", "2024", "0000-00-00", "99999-01-01"]
)
def test_what_is_no_date_makes_a_new_card_and_is_told(written: str) -> None:
    assert review.of_comment(f"!{written},3,250") == (
        (None,),
        [review.Unreadable(f"{written},3,250", "its date is not a date", mended=False)],
    )


@pytest.mark.parametrize("written", ["2000-01-01", "01-01-2000", "2000/1/1", "Sat Jan 01 2000"])
def test_the_placeholder_is_a_card_never_reviewed(written: str) -> None:
    assert review.of_comment(f"!{written},1,250!2024-05-01,3,230") == (
        (None, Sm2Review(date(2024, 5, 1), 3, 230)),
        [],
    )


def test_an_fsrs_review_keeps_its_memory() -> None:
    (found,) = reviews(f"Q::A\n<!--SR:!{FSRS}-->")
    assert found == FsrsReview(
        due=datetime(2026, 5, 20, 10, tzinfo=UTC),
        interval=3.0,
        stability=3.1262,
        difficulty=5.31,
        state=2,
        reps=4,
        lapses=1,
        last_review=datetime(2026, 5, 17, 10, tzinfo=UTC),
    )


def test_an_fsrs_card_without_a_due_time_is_new() -> None:
    assert review.of_comment("!fsrs,-,0,0,0,0,0,0,0,-") == ((None,), [])


def test_numbers_are_read_as_javascript_reads_them() -> None:
    assert reviews("<!--SR:!2024-05-01, 2.9,234.7-->") == (Sm2Review(date(2024, 5, 1), 2, 234),)
    assert reviews("<!--SR:!2024-05-01,3,250,7-->") == (Sm2Review(date(2024, 5, 1), 3, 250),)


def test_numbers_without_end_are_no_trouble() -> None:
    huge = "9" * 5000
    read, _ = review.of_comment(f"!2024-05-01,{huge},{huge}!fsrs,2026-05-20T10:00Z,{huge},1e999")
    assert len(read) == 2


def test_only_the_first_comment_of_a_flashcard_counts() -> None:
    text = "Q::A <!--SR:!2024-05-01,3,230-->\n<!--SR:!2024-06-01,4,240-->"
    assert reviews(text) == (Sm2Review(date(2024, 5, 1), 3, 230),)
    assert review.without_comments(text) == "Q::A \n"


def test_all_from_a_comment_to_the_last_end_on_its_line_vanishes() -> None:
    text = "Q::A <!--SR:!2024-05-01,3,250--> keep <!-- note --> more"
    assert review.without_comments(text) == "Q::A  more"


def test_a_comment_that_does_not_close_on_its_line_is_none() -> None:
    text = "Q::A\n<!--SR:!2024-05-01,3,250\n-->"
    assert list(review.comments(text)) == []
    assert review.without_comments(text) == text
    # The plugin then takes the text itself, in the form from before there were comments.
    assert reviews(text) == (Sm2Review(date(2024, 5, 1), 3, 250),)


def test_an_empty_comment_is_none() -> None:
    assert reviews("Q::A\n<!--SR:-->") == ()
    assert review.without_comments("Q::A\n<!--SR:-->") == "Q::A\n<!--SR:-->"


PIECES = ("Q;; A", "<!--SR:", "!2024-05-01,3,250", "-->", "\n", " ", "- ", "x")


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_where_the_comment_stands_makes_no_difference_to_how_it_is_cut(text: str) -> None:
    learnt = review.without_comment_lines(text).rstrip(SPACE)
    assert review.bare(text) == (review.without_comments(text), learnt)
