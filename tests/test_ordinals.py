"""Which card of a cloze note a deletion is: it keeps its own, and never gets another's."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import cloze, identity
from obs2anki.data import DeckName, Entry, Flashcard, Guid, Ordinal
from obs2anki.identity import REMEMBERED, digest
from tests import written

SETTINGS = replace(
    written.EVERY_DOCUMENT,
    grammar=replace(written.EVERY_DOCUMENT.grammar, single_line="::", single_line_reversed=":::"),
)
"""So that `;;` in a cloze separates its number and its hint."""

PATTERNS, _ = cloze.compile_patterns(written.EVERY_DOCUMENT.grammar.cloze_patterns)


def flashcard(text: str) -> Flashcard:
    (one,) = written.flashcards(text, settings=SETTINGS)
    return one


def entry(text: str, ordinals: tuple[Ordinal, ...]) -> Entry:
    """What the ledger remembers of a cloze after an export."""
    one = flashcard(text)
    key = identity.key(one)
    return Entry(
        guid=Guid("guid"),
        type=one.type,
        path=one.path,
        deck=DeckName("deck"),
        tags=(),
        block_id=None,
        question=key.question[:REMEMBERED],
        answer=key.answer[:REMEMBERED],
        digest=key.texts,
        context_digest=digest(),
        after=None,
        reviews=(),
        content="",
        mod=1,
        seen=1,
        ordinals=ordinals,
    )


def exports(*texts: str) -> list[identity.Ordinals]:
    """What becomes of the ordinals of a cloze, text after text."""
    kept: list[identity.Ordinals] = []
    before: Entry | None = None
    for text in texts:
        kept.append(identity.keep(flashcard(text), before, PATTERNS))
        before = entry(text, kept[-1].remembered)
    return kept


def told(text: str, kept: identity.Ordinals) -> str:
    """Answer and cN, card by card of the plugin's: `sun=c1 moon=c2`."""
    deletions = flashcard(text).cloze
    assert deletions is not None
    asked = cloze.asked(deletions)
    return " ".join(f"{'/'.join(asked[n])}=c{kept.places[n] + 1}" for n in sorted(asked))


def after(*texts: str) -> str:
    """How the last of the texts is numbered, after an export of each."""
    return told(texts[-1], exports(*texts)[-1])


SKY = "The ==sun== lights the ==moon== at ==dawn== each day"


@pytest.mark.parametrize(
    ("edited", "numbered"),
    [
        (SKY, "sun=c1 moon=c2 dawn=c3"),
        ("The sun lights the ==moon== at ==dawn== each day", "moon=c2 dawn=c3"),
        ("The ==sun== lights the moon at ==dawn== each day", "sun=c1 dawn=c3"),
        ("The ==sun== lights the ==moon== at dawn each day", "sun=c1 moon=c2"),
        ("The sun lights the moon at ==dawn== each day", "dawn=c3"),
        ("==The== ==sun== lights the ==moon== at ==dawn== each day",
         "The=c4 sun=c1 moon=c2 dawn=c3"),
        ("The ==sun== ==lights== the ==moon== at ==dawn== each day",
         "sun=c1 lights=c4 moon=c2 dawn=c3"),
        (SKY.replace("day", "==day=="), "sun=c1 moon=c2 dawn=c3 day=c4"),
        ("At ==dawn== the ==moon== is lit by the ==sun==", "dawn=c3 moon=c2 sun=c1"),
        ("The ==moon== lights the ==sun== at ==dawn==", "moon=c2 sun=c1 dawn=c3"),
        (SKY.replace("moon", "full moon"), "sun=c1 full moon=c2 dawn=c3"),
        (SKY.replace("moon", "earth"), "sun=c1 earth=c2 dawn=c3"),
        (SKY.replace("sun", "Sun"), "Sun=c1 moon=c2 dawn=c3"),
        (SKY.replace("dawn", "noon"), "sun=c1 moon=c2 noon=c3"),
        ("The ==moon== at ==dusk==", "moon=c2 dusk=c3"),
        ("Another text has the ==moon== alone", "moon=c2"),
        ("The ==sun;;a star== lights the ==moon== at ==dawn==", "sun=c1 moon=c2 dawn=c3"),
    ],
)  # fmt: skip
def test_a_deletion_keeps_its_ordinal_through_an_edit(edited: str, numbered: str) -> None:
    assert after(SKY, edited) == numbered


def test_a_freed_ordinal_is_not_given_to_another() -> None:
    texts = (
        SKY,
        "The sun lights the ==moon== at ==dawn== each day",
        "The sun ==lights== the ==moon== at ==dawn== each day",
        "The sun ==lights== the ==moon== at dawn ==each== day",
        "==The== sun lights the ==moon== at dawn each day",
    )
    assert after(*texts[:3]) == "lights=c4 moon=c2 dawn=c3"
    assert after(*texts[:4]) == "lights=c4 moon=c2 each=c5"
    assert after(*texts) == "The=c6 moon=c2"


def test_what_was_removed_returns_to_its_ordinal() -> None:
    without = "The sun lights the ==moon== at ==dawn== each day"
    other = "The sun lights the ==moon== at ==dawn== ==each== day"
    assert after(SKY, without, SKY) == "sun=c1 moon=c2 dawn=c3"
    assert after(SKY, without, other, SKY) == "sun=c1 moon=c2 dawn=c3"
    assert after(SKY, other, without, other) == "moon=c2 dawn=c3 each=c4"


LONG = " and so on" * 30


@pytest.mark.parametrize(
    ("text", "edited", "numbered"),
    [
        ("The ==sun== lights the moon", "The sun lights the ==moon==", "moon=c2"),
        ("==Mitosis== and meiosis", "Mitosis and ==meiosis==", "meiosis=c2"),
        ("At ==dawn== of the day", "At dawn of the ==day==", "day=c2"),
        ("It is ==mitosis==, not meiosis", "So it is mitosis, not ==meiosis==", "meiosis=c2"),
        (f"The ==sun==, {LONG}, moon", f"The sun, {LONG}, ==moon==", "moon=c2"),
        (f"The sun, {LONG}, ==moon==", f"The ==sun==, {LONG}, moon", "sun=c2"),
        (f"{LONG}: the ==sun== or moon", f"{LONG}: the sun or ==moon==", "moon=c2"),
    ],
)
def test_a_mark_that_went_to_other_words_is_another_card(
    text: str, edited: str, numbered: str
) -> None:
    assert after(text, edited) == numbered


# ---------------------------------------------------------------- the same answer twice

TWICE = "==Iron== is a metal, and ==iron== rusts, says ==Anna==".replace("Iron", "iron")


@pytest.mark.parametrize(
    ("edited", "numbered"),
    [
        (TWICE, "iron=c1 iron=c2 Anna=c3"),
        ("iron is a metal, and ==iron== rusts, says ==Anna==", "iron=c2 Anna=c3"),
        ("==iron== is a metal, and iron rusts, says ==Anna==", "iron=c1 Anna=c3"),
        ("==iron== is a metal, and ==iron== rusts, says Anna", "iron=c1 iron=c2"),
        ("==iron== is a metal, and iron rusts, says Anna", "iron=c1"),
        ("iron is a metal, and ==iron== rusts, says Anna", "iron=c2"),
    ],
)
def test_of_two_equal_answers_the_place_tells_which_has_left(edited: str, numbered: str) -> None:
    assert after(TWICE, edited) == numbered


# ---------------------------------------------------------------- numbers in the document

NUMBERED = "==1;;sun== then ==2;;moon== then ==3;;dawn=="


@pytest.mark.parametrize(
    ("edited", "numbered"),
    [
        (NUMBERED, "sun=c1 moon=c2 dawn=c3"),
        ("==3;;sun== then ==1;;moon== then ==2;;dawn==", "moon=c2 dawn=c3 sun=c1"),
        ("==1;;moon== then ==2;;dawn==", "moon=c2 dawn=c3"),
        ("==1;;star== then ==2;;sun== then ==3;;moon== then ==4;;dawn==",
         "star=c4 sun=c1 moon=c2 dawn=c3"),
        ("==7;;sun== then ==9;;moon== then ==400;;dawn==", "sun=c1 moon=c2 dawn=c3"),
        ("==sun== then ==moon== then ==dawn==", "sun=c1 moon=c2 dawn=c3"),
        ("==dawn== then ==sun== then ==moon==", "dawn=c3 sun=c1 moon=c2"),
    ],
)  # fmt: skip
def test_the_documents_own_numbers_may_change(edited: str, numbered: str) -> None:
    assert after(NUMBERED, edited) == numbered


def test_numbers_may_be_given_to_a_simple_cloze() -> None:
    edited = "==3;;sun== lights ==1;;moon== at ==2;;dawn=="
    assert after(SKY, edited) == "moon=c2 dawn=c3 sun=c1"


def test_the_numbers_of_the_document_are_ankis_at_first() -> None:
    assert after("==2;;sun== and ==5;;moon==") == "sun=c2 moon=c5"
    assert after("==2;;sun== and ==5;;moon==", "==2;;sun==, ==5;;moon==, ==1;;dawn==") == (
        "dawn=c6 sun=c2 moon=c5"
    )


def test_answers_that_share_a_number_from_now_on_take_nobody_elses_place() -> None:
    numbered = after(NUMBERED, "==1;;sun== then ==2;;moon== then ==2;;dawn==")
    assert numbered in ("sun=c1 moon/dawn=c2", "sun=c1 moon/dawn=c4")


def test_an_answer_that_loses_its_partner_takes_nobody_elses_place() -> None:
    edited = "==1;;sun== or ==2;;dawn=="
    numbered = after("==1;;sun== and ==1;;moon== or ==2;;dawn==", edited)
    assert numbered in ("sun=c1 dawn=c2", "sun=c3 dawn=c2")


# ---------------------------------------------------------------- the end of the numbers


def test_no_ordinal_lies_beyond_those_that_anki_has() -> None:
    many = " ".join(f"==w{n}==" for n in range(500))
    other = " ".join(f"==w{n}==" for n in range(1, 501))
    kept = exports(many, other)[-1]
    assert kept.places == (*range(1, 500), -1)
    assert kept.remembered[-1] == Ordinal(0, digest("w0"), gone=True)
    assert len(kept.remembered) == 500


def test_what_found_no_place_waits_and_what_returns_finds_its_own() -> None:
    many, other = (" ".join(f"==w{n}==" for n in range(k, k + 500)) for k in (0, 1))
    first, again = exports(many, other, other, many)[-2:]
    assert first.places == (*range(1, 500), -1)
    assert again.places == tuple(range(500))


def test_other_flashcards_have_a_card_for_each_direction() -> None:
    one = flashcard("Question:::Answer")
    assert identity.keep(one, None, PATTERNS) == identity.Ordinals((0, 1))
    assert identity.keep(one, entry("Question:::Answer", ()), PATTERNS).places == (0, 1)


# ---------------------------------------------------------------- laws

answers = st.lists(st.sampled_from(["sun", "moon", "dawn", "dusk", "star"]), max_size=5)


def text_of(words: list[str]) -> str:
    return "Words: " + " and ".join(f"=={word}==" for word in words) + " or ==more=="


@given(st.lists(answers, min_size=1, max_size=6))
def test_no_two_deletions_share_an_ordinal_and_none_is_forgotten(history: list[list[str]]) -> None:
    known: set[int] = set()
    for kept in exports(*map(text_of, history)):
        assert len(set(kept.places)) == len(kept.places)
        numbers = [one.ordinal for one in kept.remembered]
        assert len(set(numbers)) == len(numbers)
        assert {one.ordinal for one in kept.remembered if not one.gone} == set(kept.places)
        known |= set(kept.places)
        assert set(numbers) == known


@given(st.lists(answers, min_size=1, max_size=6))
def test_an_export_that_follows_another_changes_no_ordinal(history: list[list[str]]) -> None:
    texts = [text_of(words) for words in history]
    kept = exports(*texts, texts[-1])
    assert kept[-1] == kept[-2]


@given(
    st.lists(st.sets(st.sampled_from("abcdefgh"), min_size=1), min_size=2, max_size=6),
    st.randoms(use_true_random=False),
)
def test_a_different_answer_of_the_text_never_gets_an_ordinal_that_another_had(
    history: list[set[str]], chance: random.Random
) -> None:
    # The words of the text stay, only the marks come and go: each word is its own card.
    owners: dict[int, str] = {}
    words = {letter: f"word{letter}" for letter in "abcdefgh"}
    order = sorted(words)
    texts = []
    for marked in history:
        if chance.random() < 0.3:
            chance.shuffle(order)
        texts.append(
            " ".join(f"=={words[one]}==" if one in marked else words[one] for one in order)
        )
    for text, kept in zip(texts, exports(*texts), strict=True):
        for pair in told(text, kept).split():
            answer, number = pair.split("=c")
            assert owners.setdefault(int(number), answer) == answer


@pytest.mark.parametrize("mark", ["", "- ", "> ", "1. ", "## ", "- [ ] "])
def test_in_a_list_a_quote_or_a_heading_the_place_decides_as_well(mark: str) -> None:
    assert after(f"{mark}==x== is not x", f"{mark}x is not ==x==") == "x=c2"
    assert after(f"{mark}The ==big sun== shines", f"{mark}The big ==sun== shines") == "sun=c1"
