"""Clozes by pattern: what is found, asked, hidden and marked for Anki."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from obs2anki import cloze
from obs2anki.data import Cloze

HIGHLIGHT = "==[123;;]answer[;;hint]=="
BOLD = "**[123;;]answer[;;hint]**"
FOOTNOTE = r"==answer==[^\[hint\]][\[^123\]]"


def parsed(text: str, *patterns: str) -> Cloze:
    found, _ = cloze.parse(text, cloze.compile_patterns(patterns or (HIGHLIGHT,))[0])
    assert found is not None
    return found


def fronts(text: str, *patterns: str) -> list[str]:
    found = parsed(text, *patterns)
    return [cloze.front(text, found, ordinal) for ordinal in range(found.cards)]


def marked(text: str, *patterns: str) -> str:
    """The markers spelt out: `{1,3:hint|answer}`."""
    made = cloze.marked(text, parsed(text, *patterns))
    spelt = made.text
    for number, mark in enumerate(made.marks):
        opening = f"{cloze.OPEN}{number}{cloze.BODY}"
        ordinals = ",".join(map(str, mark.ordinals))
        spelt = spelt.replace(opening, f"{{{ordinals}:{mark.hint or ''}|")
    return spelt.replace(cloze.CLOSE, "}")


@pytest.mark.parametrize(
    ("pattern", "lacks"),
    [
        ("==answer==", "number slot"),
        ("==[123;;]answer==", "hint slot"),
        ("==[123;;][;;hint]==", "the word"),
        ("", "number slot"),
        ("[hint123]answer", "share"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told_with_its_reason(pattern: str, lacks: str) -> None:
    good, bad = cloze.compile_patterns((pattern, BOLD))
    assert len(good) == 1
    assert [b.pattern for b in bad] == [pattern]
    assert lacks in bad[0].reason


def test_simple_clozes_are_asked_pattern_by_pattern() -> None:
    text = "The **bold** and ==high== word"
    assert fronts(text, HIGHLIGHT, BOLD) == ["The bold and [...] word", "The [...] and high word"]
    assert fronts(text, BOLD, HIGHLIGHT) == ["The [...] and high word", "The bold and [...] word"]


def test_numbered_clozes_group_by_their_number() -> None:
    assert fronts("==1;;a== ==2;;b== ==1;;c;;hint==") == ["[...] b [hint]", "a [...] c"]


def test_hints_and_numbers_of_the_footnote_style() -> None:
    assert fronts("==a==^[hint][^2] and ==b==[^1]", FOOTNOTE) == ["a and [...]", "[hint] and b"]


def test_overlapping_clozes_hide_on_both_sides() -> None:
    text = "==ash;;x== ==sa;;y=="
    found = parsed(text)
    assert [cloze.front(text, found, i) for i in range(3)] == ["[...] y", "x [...]", "[...] y"]
    assert [cloze.back(text, found, i) for i in range(3)] == ["x y", "x y", "[...] y"]


def test_what_an_overlapping_cloze_hides_is_asked_with_the_rest() -> None:
    # Card 1 hides y while it asks x, so Anki asks both; card 3 asks nothing, so nothing is hidden.
    assert marked("==ash;;x== ==ha;;y==") == "{1:|x} {1,2:|y}"


def test_markers_nest_where_two_patterns_found_the_same_words() -> None:
    assert marked("==**x**==", HIGHLIGHT, BOLD) == "{1:|{2:|x}}"


def test_the_same_words_twice_are_two_deletions() -> None:
    assert marked("==a== and ==a==") == "{1:|a} and {2:|a}"


def test_a_deletion_that_is_never_asked_is_plain_text() -> None:
    assert marked("==0;;zero== ==501;;high== ==1;;one;;h==") == "zero high {1:h|one}"


def test_dollars_are_nothing_special() -> None:
    assert fronts("==$$x$$== and ==$&==") == ["[...] and $&", "$$x$$ and [...]"]


def test_a_text_too_long_to_replace_like_the_plugin_is_replaced_in_place() -> None:
    text = "==a== **b** " * 100_000
    found = parsed(text, HIGHLIGHT, BOLD)
    front = cloze.front(text, found, 0)
    assert front.startswith("[...] b a b ")
    assert "==" not in front
    assert "**" not in front
    # Tags may have been cut from its beginning since.
    assert cloze.solved(text[12:], parsed(text[12:])).startswith("a **b** a")


@pytest.mark.parametrize("patterns", [(HIGHLIGHT, BOLD), (BOLD, HIGHLIGHT)])
@pytest.mark.parametrize(
    "line",
    ["==a **b**== c", "**a ==b== c**", "==a **b== c**", "**==a==** ==**b**==", "==a **b** **c**=="],
)
def test_a_long_text_shows_clozes_that_overlap_as_a_short_one(
    line: str, patterns: tuple[str, ...]
) -> None:
    long = f"{line}\n" + "x" * 2_000_000
    short, found = parsed(line, *patterns), parsed(long, *patterns)
    assert short.cards == found.cards
    for face in (cloze.front, cloze.back):
        for ordinal in range(short.cards):
            first, _, _ = face(long, found, ordinal).partition("\n")
            assert first == face(line, short, ordinal)


def test_a_line_of_nothing_but_clozes_that_overlap_is_replaced() -> None:
    text = "==a **b== c** " * 50_000
    assert "[...]" in cloze.front(text, parsed(text, HIGHLIGHT, BOLD), 0)


def test_the_numbers_in_an_anki_field_are_found() -> None:
    assert cloze.numbers("{{c1::a}} {{c2,13::b::h}} {{c::x}} {c4::y}") == {1, 2, 13}


ODD_PATTERNS = ("==[123;;]answer[;;hint]==", "{[0]answer[:hint]}", "[c1a2::]answer[|hint]")
BITS = ("==", ";;", "::", "{", "}", "c", "a", "s", "h", "1", "23", "x", "|", ":", "\n")


@given(st.lists(st.sampled_from(BITS), max_size=12).map("".join))
def test_the_cheap_first_look_misses_nothing(text: str) -> None:
    patterns, _ = cloze.compile_patterns(ODD_PATTERNS)
    for matcher in (one for pattern in patterns for one in pattern):
        assert matcher.may_match(text) or not matcher.regex.search(text)
    told = any(mark in text for mark in cloze.telling(patterns))
    assert told or not any(one.regex.search(text) for pattern in patterns for one in pattern)


PLAIN_PATTERNS = (
    *("==[123;;]answer[;;hint]==", "{{[c1::]answer[::hint]}}", "{[0]answer[:hint]}"),
    *("a[1;;]answer[a;;hint]s", "{[s1s]answer[x;;hint]}", "1[1;;]answer[1;;hint]1"),
)


@given(st.lists(st.sampled_from(BITS), max_size=16).map("".join))
@example("==a;;b== ==;;b== ====a==")
def test_marks_find_what_the_expression_finds(text: str) -> None:
    patterns, _ = cloze.compile_patterns(PLAIN_PATTERNS)
    for pattern in patterns:
        assert pattern.simple.marks is not None
        for matcher in pattern:
            assert list(matcher.deletions(text)) == list(matcher.matches(text))
        found = any(one.regex.search(text) for one in pattern)
        assert cloze.found_in(text, (pattern,)) == found


def test_an_answer_ends_where_a_line_ends_for_javascript() -> None:
    assert fronts("==a\u2028b== ==c==") == ["==a\u2028b[...]c=="]
