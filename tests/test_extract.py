"""Cutting documents into flashcards, beyond what the plugin's own answers show."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from obs2anki import extract, review
from obs2anki.data import FlashcardType, Sm2Review
from obs2anki.settings import Grammar, Settings
from tests import golden_cases, written


def told(text: str) -> str:
    """Flashcards and findings, a line each."""
    found = written.extraction(text, single_line="::", single_line_reversed=":::")
    lines = []
    for flashcard in found.flashcards:
        lines.append(written.told(flashcard))
        for ordinal in range(flashcard.card_count):
            match flashcard.review(ordinal):
                case None:
                    pass
                case Sm2Review(due, interval, ease):
                    lines.append(f"  [card {ordinal}: {due}, {interval} days, {ease} %]")
                case review:
                    lines.append(f"  [card {ordinal}: {review.due}, {review.interval} days]")
    lines += (f"{d.line}: {d.code} {d.message}" for d in found.diagnostics)
    return "\n".join(lines)


@golden_cases.cases("extract")
def test_golden(case: golden_cases.Case) -> None:
    golden_cases.hold(case, told)


def test_mended_html_comments_hide_only_themselves() -> None:
    text = "<!-- one\nline;; inside\n-->\nQ;; A\n<!-- two -->\nQ2;; A2"
    plain = written.extraction(text)
    mended = written.extraction(text, mend=frozenset({"html-comments"}))
    assert [f.sides[0] for f in plain.flashcards] == []
    assert [f.sides[0] for f in mended.flashcards] == ["Q", "Q2"]
    assert mended.diagnostics == ()


@pytest.mark.parametrize(("end_marker", "codes"), [("", ["O208"]), ("+++", [])])
def test_a_comment_joins_two_blocks_only_where_a_blank_line_would_part_them(
    end_marker: str, codes: list[str]
) -> None:
    text = "Q\n?\nA\n<!-- c -->\n\nR\n?\nB\n+++"
    found = written.extraction(text, end_marker=end_marker)
    assert [one.code for one in found.diagnostics] == codes


def test_white_space_at_the_end_of_a_line_is_kept_in_code_alone() -> None:
    text = "Q  \nmore  \n?\n```\ncode  \n\n  x \n```  \nend  \n"
    (flashcard,) = written.extraction(text).flashcards
    assert flashcard.shown == ("Q\nmore", "```\ncode  \n\n  x \n```\nend")


def test_a_mended_callout_ends_at_a_blank_line() -> None:
    text = "Q;; A\n> [!sr|card-metadata]\n> nothing\n\nQ2;; A2"
    mended = written.extraction(text, mend=frozenset({"callouts"}))
    assert [f.sides for f in mended.flashcards] == [("Q", " A"), ("Q2", " A2")]


def test_a_line_of_tabs_is_a_flashcard_where_a_tab_parts_and_no_blank_line_ends() -> None:
    # The plugin's own answer: a blank line is none of its ends there, so that it looks for tabs.
    text = "Q\n?\nA\n\t\nB\n\nC\tD"
    found = written.extraction(text, single_line="\t", end_marker="+")
    assert [(one.line, one.sides) for one in found.flashcards] == [(4, ("", "")), (7, ("C", "D"))]
    assert "O302" in [one.code for one in found.diagnostics]


def test_a_proved_separator_is_in_force_beside_the_first() -> None:
    more = (("::", FlashcardType.SINGLE_LINE_BASIC),)
    found = written.extraction("a:: 1\nb;; 2", more_inline=more)
    assert [f.sides for f in found.flashcards] == [("a", " 1"), ("b", " 2")]


def test_a_bad_cloze_pattern_leaves_the_others_in_force() -> None:
    patterns = ("==answer==", "**[123;;]answer[;;hint]**")
    found = written.extraction("The **sun** and ==moon==", cloze_patterns=patterns)
    assert [written.told(f) for f in found.flashcards] == [
        "1-1 cloze: The [...] and ==moon== -> The sun and ==moon=="
    ]


@pytest.mark.parametrize("between", ["", "\n", "> nothing\n\n"])
def test_a_callout_without_a_comment_can_be_mended_above_another_review(between: str) -> None:
    text = f"Q;; A\n> [!sr|card-metadata]\n{between}R;; B <!--SR:!2024-05-01,12,230-->\n"
    assert len(written.extraction(text).flashcards) == 1
    mended = written.extraction(text, mend=frozenset({"callouts"}))
    assert [len(one.reviews) for one in mended.flashcards] == [0, 1]
    assert mended.diagnostics == ()


def test_reviews_swallowed_by_a_comment_are_left_behind_at_their_line() -> None:
    found = written.extraction("<!-- x -->\n<!--SR:!2024-05-01,12,230-->\n\nQ;; A")
    assert [(left.line, left.cause, left.reviews) for left in found.left_behind] == [
        (2, "comment", 1)
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<!-- toc -->\n<!-- /toc -->\n", []),
        ("<!-- toc -->\n  <!-- /toc -->  \nText", []),
        ("<!-- a -->\n<!-- b -->\n<!-- c -->\nText", [("O204", 3)]),
        ("<!-- a -->\n<!-- b --> text <!-- c -->", [("O204", 1)]),
        ("<!-- a -->\n<!-- b\n-->", [("O204", 1)]),
        ("<!-- a -->\n<!--SR:!2024-05-01,12,230-->", [("O204", 1)]),
    ],
)
def test_a_comment_that_swallows_but_a_comment_is_not_told(
    text: str, found: list[tuple[str, int]]
) -> None:
    assert written.codes(written.extraction(text).diagnostics) == found


def test_an_orphan_names_the_likely_separator() -> None:
    found = written.extraction("front :: back\n<!--SR:!2024-05-01,12,230!2024-05-02,1,230-->")
    assert [(left.cause, left.reviews, left.separator) for left in found.left_behind] == [
        ("orphan", 2, "::")
    ]


def test_a_hundred_thousand_reviews_of_nothing_are_told() -> None:
    text = "x\n" + "<!--SR:!2024-05-01,12,230-->\n" * 100_000
    found = written.extraction(text, cloze_patterns=())
    assert {(left.cause, left.reviews) for left in found.left_behind} == {("orphan", 1)}
    assert len(found.left_behind) == 100_000
    assert written.extraction(text.replace("x", "Q;; A", 1)).left_behind == ()


def test_a_review_below_the_review_of_a_single_line_is_one_too_many() -> None:
    one, two, three = (f"<!--SR:!2024-05-0{day},12,230-->" for day in (1, 2, 3))
    found = written.extraction(f"Q;; A\n{one}\n{two}\n{three}\n\nR;; B {one}\n{two}\n{three}")
    assert written.codes(found.diagnostics) == [("O404", n) for n in (3, 4, 7, 8)]
    assert found.left_behind == ()
    counted = [review for flashcard in found.flashcards for review in flashcard.reviews]
    assert counted == [Sm2Review(date(2024, 5, 1), 12, 230)] * 2


@pytest.mark.parametrize(
    "text",
    [
        "Q;; A\n<!--SR:!2024-05-01,12,230-->\nprose\n<!--SR:!2024-05-02,12,230-->",
        "Q;; A\n<!--SR:!2024-05-01,12,230-->\nprose <!--SR:!2024-05-02,12,230-->",
        "Q;; A\n<!--SR:!2024-05-01,12,230-->\n\n<!--SR:!2024-05-02,12,230-->",
        "Q;; A\n  <!--SR:!2024-05-02,12,230-->",
    ],
)
def test_a_review_that_is_not_directly_below_another_is_an_orphan(text: str) -> None:
    found = written.extraction(text)
    assert written.codes(found.diagnostics) == [("O401", text.count("\n") + 1)]
    assert len(found.left_behind) == 1


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("front => back <!--SR:!2024-05-01,12,230-->", "=>"),
        ("front => back\n- more <!--SR:!2024-05-01,12,230-->", None),
        ("a <!--SR:!2024-05-01,12,230-->\n<!--SR:!2024-05-02,12,230-->", None),
        ("a <!-- aside -->\n<!--SR:!2024-05-01,12,230-->", None),
        ("<!-- an aside\nof two lines -->\n<!--SR:!2024-05-01,12,230-->", None),
        ("the arrow `a -> b`\n<!--SR:!2024-05-01,12,230-->", None),
        ("> > quoted twice\n<!--SR:!2024-05-01,12,230-->", None),
        (">> quoted twice\n<!--SR:!2024-05-01,12,230-->", None),
        ("> front => back\n<!--SR:!2024-05-01,12,230-->", "=>"),
        ("text\n>>>>>>> laptop <!--SR:!2024-05-01,12,230-->", None),
    ],
)
def test_what_closes_a_comment_quotes_or_stands_in_code_is_no_likely_separator(
    text: str, separator: str | None
) -> None:
    found = written.extraction(text)
    assert {left.separator for left in found.left_behind} <= {separator}
    assert found.left_behind or text.startswith("<!-- ")


def test_an_example_in_a_code_block_is_no_review() -> None:
    found = written.extraction("```\n<!--SR:!2024-05-01,12,230-->\n```\n\nQ;; A")
    assert found.left_behind == ()


def test_what_is_code_for_the_plugin_alone_is_told_with_the_reviews_in_it() -> None:
    indented = "- To print:\n  ```js\n  print()\n```\n"
    text = f"{indented}\nQ;; A\n<!--SR:!2024-05-01,12,230-->\n\n```js\ncode\n```\n\nR;; B\n"
    found = written.extraction(text)
    assert found.flashcards == ()
    assert written.codes(found.diagnostics) == [("O210", 4), ("O207", 11)]
    assert [(left.line, left.cause) for left in found.left_behind] == [(7, "code")]


def test_reviews_below_a_code_block_that_never_ends_are_left_behind() -> None:
    found = written.extraction("Q;; A\n\n```\ncode\n\nR;; B\n<!--SR:!2024-05-01,12,230-->\n")
    assert written.codes(found.diagnostics) == [("O207", 3)]
    assert [(left.line, left.cause) for left in found.left_behind] == [(7, "code")]


@pytest.mark.parametrize(
    ("review", "taken", "left"),
    [("", 10, [10]), ("<!--SR:!2024-05-09,12,230-->\n", 9, [8, 11])],
)
def test_a_flashcard_with_code_that_never_ends_takes_the_first_review_only(
    review: str, taken: int, left: list[int]
) -> None:
    text = f"Q\n?\n{review}```\ncode\n\nR;; B\n<!--SR:!2024-05-10,12,230-->\n\nS;; C\n"
    found = written.extraction(text + "<!--SR:!2024-05-11,12,230-->\n")
    (flashcard,) = found.flashcards
    assert flashcard.reviews == (Sm2Review(date(2024, 5, taken), 12, 230),)
    assert [(one.line, one.cause) for one in found.left_behind] == [(n, "code") for n in left]


def test_a_review_behind_the_fence_that_closes_a_block_is_left_behind() -> None:
    found = written.extraction("Q\n?\n```\ncode\n``` <!--SR:!2024-05-01,12,230-->\n")
    assert found.flashcards[0].reviews == ()
    assert [(one.line, one.cause) for one in found.left_behind] == [(5, "code")]


def test_examples_in_code_are_nothing_to_tell() -> None:
    text = "~~~\nQ;; A\n```\nR;; B\n<!--SR:!2024-05-01,12,230-->\n```\n~~~\n"
    found = written.extraction(text)
    assert (found.diagnostics, found.left_behind) == ((), ())


@pytest.mark.parametrize(
    "unit",
    ["[", "`", "==", "{{", "==x==", "<!--SR:", "#a ", ";;", " ^a", "!1,", "Q\n?\n", "`a` ", "\\"],
)
def test_a_hundred_thousand_of_anything_are_read(unit: str) -> None:
    found = written.extraction("Q;; A\n\n" + "x " + unit * 100_000 + "\n\nlast;; one")
    assert found.flashcards[0].sides == ("Q", " A")
    assert found.flashcards[-1].sides == ("last", " one")
    assert all(flashcard.card_count <= 500 for flashcard in found.flashcards)


def test_five_megabytes_of_one_cloze_flashcard_are_read() -> None:
    text = "lorem ipsum ==dolor;hint== sit `amet` consectetur #tag\n" * 100_000
    (flashcard,) = written.extraction(text).flashcards
    assert flashcard.card_count == 500
    fronts = extract.faces(flashcard)
    front, back = next(fronts)
    assert front.count("[...]") == 1
    assert "==" not in front + back


@pytest.mark.parametrize(
    "text", ["#==Important== term", "#a==x== y", "text <!--SR:!==x==,1,1-->", "#flashcards/==x=="]
)
def test_a_cloze_whose_mark_is_cut_is_a_flashcard_without_a_card(text: str) -> None:
    found = written.extraction(text)
    assert [f.card_count for f in found.flashcards] == [0]
    assert list(extract.faces(found.flashcards[0])) == []
    assert "O503" in [code for code, _ in written.codes(found.diagnostics)]


@pytest.mark.parametrize(
    ("text", "plugins", "ours"),
    [
        ("Q\n?\nA ^q1", "q1", "q1"),
        ("Q\n?\n- A\n- B\n^q1", None, "q1"),
        ("Q\n?\nA\n^q1\n<!--SR:!2024-04-12,14,232-->", None, "q1"),
        ("Q\n?\nA\n^q1\n> [!sr|card-metadata]\n> <!--SR:!2024-04-12,14,232-->", None, "q1"),
        ("Q\n?\nA\n2^q1", None, None),
        ("Q\n?\n^q1\nA", None, None),
    ],
)
def test_a_block_id_on_a_line_of_its_own_is_one_for_links_and_the_ledger(
    text: str, plugins: str | None, ours: str | None
) -> None:
    (flashcard,) = written.flashcards(text)
    assert (flashcard.block_id, flashcard.anchor) == (plugins, ours)
    assert ours is None or "^" not in flashcard.shown[1]


def test_a_callout_in_the_front_of_a_flashcard_leaves_no_trace() -> None:
    text = "Q\n> [!sr|card-metadata]\n> <!--SR:!2024-04-12,14,232-->\n?\nA"
    (flashcard,) = written.extraction(text).flashcards
    assert flashcard.sides == ("Q", "A")
    assert len(flashcard.reviews) == 1


def test_a_tag_on_every_line_is_read_in_one_go() -> None:
    text = "".join(f"- q {n};; a #flashcards\n" for n in range(20_000))
    assert len(written.flashcards(text)) == 20_000
    assert (
        len(written.flashcards(text, settings=Settings(grammar=Grammar(single_line=";;"))))
        == 20_000
    )


def test_a_tag_line_above_every_flashcard_is_read_in_one_go() -> None:
    text = "".join(f"#v{n}\n\nq v{n};;a\n\n" for n in range(20_000))
    assert len({f.tags for f in written.flashcards(text)}) == 20_000


PIECES = (
    *("Q:: A", "Q::: A", "q", "?", "??", " ? ", "==x==", "`a:: b`", "# h", "> [!sr|card-metadata]"),
    *("```", "~~~ x", "<!-- x -->", "<!-- x", "-->", "", "", "", " ", "\u00a0", "\x1c", "+", "- x"),
    *("<!--SR:!2024-05-01,12,230-->", "Q:: A <!--SR:!2024-05-01,12,230-->", "<!--SR:"),
)
GRAMMARS = (
    Grammar(),
    Grammar(single_line="?", multi_line="q", multi_line_reversed="", single_line_reversed=""),
    Grammar(end_marker="+", mend=frozenset({"callouts"})),
    Grammar(end_marker="+", multi_line=""),
    Grammar(single_line="\u00a0", multi_line="==x==", mend=frozenset({"html-comments"})),
)


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(GRAMMARS))
@settings(max_examples=400)
def test_a_paragraph_is_cut_as_its_lines_are(lines: list[str], grammar: Grammar) -> None:
    line_by_line = extract.Blocks()
    rules, index = extract._rules(grammar), 0
    while index < len(lines):
        index = extract._stretch(lines, index, rules, line_by_line)
    assert extract.blocks(lines, grammar) == line_by_line


@given(
    st.lists(st.sampled_from((*PIECES, "#a/b ", " ^id", "\n", "\n", " ")), max_size=8).map("".join),
    st.sampled_from(FlashcardType),
)
def test_a_text_without_marks_is_taken_apart_as_one_with_them(
    text: str, type_: FlashcardType
) -> None:
    separator = "::" if type_ in extract._SINGLE else "?"
    block = extract.Block(type_, separator, text, 1, 1, 1, ())
    assert extract._parts(block) == extract._marked_parts(*review.bare(text), block)
