"""GUIDs: stable, all different, and the same for everybody."""

from __future__ import annotations

from genanki import guid_for
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import identity
from obs2anki.data import Guid
from tests import written


def guids(text: str, path: str = "a.md", namespace: str = "obs2anki") -> list[str]:
    assigned, _ = identity.assign(written.flashcards(text, path), namespace)
    return [one.guid for one in assigned]


def test_a_guid_is_made_of_namespace_and_question() -> None:
    assert guids("Capital of Norway;; Oslo") == [guid_for("obs2anki", "Capital of Norway")]
    assert guids("Capital of Norway;; Oslo", namespace="another") == [
        guid_for("another", "Capital of Norway")
    ]


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_a_guid_is_the_one_that_genanki_makes(texts: list[str]) -> None:
    assert identity.guid_for(*texts) == guid_for(*texts)


def test_neither_place_nor_form_nor_review_nor_tags_play_a_part() -> None:
    same = [
        "Q and more;; A",
        "Q  and more\t;;; B",
        "Q and more\n?\nC",
        "Q and\nmore\n??\nC ^id",
        "#tag Q and more;; A #other\n<!--SR:!2024-05-01,3,250-->",
        "# Heading\n\nQ and more;; A <!--SR:!2024-05-01,3,250-->",
    ]
    assert {guids(text, path)[0] for text in same for path in ("a.md", "b/c.md")} == {
        guid_for("obs2anki", "Q and more")
    }


def test_text_is_compared_in_one_unicode_form() -> None:
    assert guids("caf\u00e9;; A") == guids("cafe\u0301;; A")


def test_the_next_with_the_same_question_has_its_answer_too() -> None:
    assert guids("Q;; A\nQ;; B") == [guid_for("obs2anki", "Q"), guid_for("obs2anki", "Q", "B")]


def test_exact_copies_have_path_and_count_too() -> None:
    assert guids("Q;; A\nQ;; A\nQ;; A") == [
        guid_for("obs2anki", "Q"),
        guid_for("obs2anki", "Q", "A", "a.md", 1),
        guid_for("obs2anki", "Q", "A", "a.md", 2),
    ]


def test_marking_other_words_of_a_cloze_text_asks_the_same() -> None:
    assert guids("==Oslo== is in Norway") == guids("Oslo is in ==Norway==")


def test_a_thousand_copies_are_all_different() -> None:
    assert len(set(guids("Q;; A\n" * 1000))) == 1000


def test_the_id_stands_for_the_guid_in_plain_digits() -> None:
    (guid,) = guids("Q;; A")
    assert len(identity.note_id(Guid(guid))) == 16
    int(identity.note_id(Guid(guid)), 16)
