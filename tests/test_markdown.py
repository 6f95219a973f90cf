"""What a document says about itself: frontmatter, tags, headings."""

from __future__ import annotations

import pytest

from obs2anki import markdown
from obs2anki.data import FrontmatterValue
from tests import written


def frontmatter(yaml: str) -> dict[str, FrontmatterValue]:
    return dict(written.document(f"---\n{yaml}\n---\ntext").frontmatter)


def tags(text: str) -> list[tuple[str, int]]:
    return [(tag.name, tag.line) for tag in written.document(text).tags]


def test_scalars_stay_as_they_are_written() -> None:
    assert frontmatter("a: 2024-01-01\nb: yes\nc: 1.0\nd: 'null'\ne: null\nf:\ng: ~") == {
        "a": "2024-01-01",
        "b": "yes",
        "c": "1.0",
        "d": "null",
        "e": None,
        "f": None,
        "g": None,
    }


def test_lists_of_scalars_are_kept_and_deeper_things_are_not() -> None:
    assert frontmatter("a: [x, 'y', [z]]\nb:\n  - p\n  - q: r\nc: {d: e}\nf: g") == {
        "a": ("x", "y"),
        "b": ("p",),
        "c": None,
        "f": "g",
    }


def test_a_template_is_no_value() -> None:
    assert frontmatter("deck: {{title}}\ntags: [a]") == {"deck": None, "tags": ("a",)}


@pytest.mark.parametrize(
    "yaml",
    ["- " * 50_000, "[" * 50_000, "{a: " * 50_000, "a: &a [b]\nc: *a", "? " * 50_000, "- a\n- b"],
)
def test_no_frontmatter_is_too_much(yaml: str) -> None:
    document = written.document(f"---\n{yaml}\n---\nQ:: A")
    assert document.lines[-1] == "Q:: A"


def test_broken_yaml_is_told_with_its_line_in_the_document() -> None:
    document, found = markdown.parse(written.source("---\ntags: [a]\nb: [c\n---\nQ:: A"))
    assert document.frontmatter == {}
    assert written.codes(found) == [("O203", 3)]


@pytest.mark.parametrize(
    "line",
    [
        "tags: [flashcards, biology",
        "tags: [#flashcards]",
        'title: "The cell',
        "title: Cells: a survey",
    ],
)
@pytest.mark.parametrize("more", ["", "author: Somebody\n", "\n\n"])
def test_broken_yaml_is_told_at_the_line_that_has_to_be_mended(line: str, more: str) -> None:
    text = f"---\nyear: 2024\n{line}\n{more}---\nQ:: A"
    _, found = markdown.parse(written.source(text))
    assert written.codes(found) == [("O203", 3)]


@pytest.mark.parametrize("between", ["\t\n", "title: from\u2028the web\n", "title: a\x85b\n"])
def test_what_is_white_space_to_obsidian_breaks_no_frontmatter(between: str) -> None:
    text = f"---\ntags:\n  - flashcards\n{between}deck: Maths\n---\nQ:: A"
    document, found = markdown.parse(written.source(text))
    assert (document.frontmatter_tags, document.frontmatter["deck"]) == (("flashcards",), "Maths")
    assert found == []


@pytest.mark.parametrize(
    ("yaml", "line"),
    [
        ("tags: [a]\ntitle: *Important", 3),  # a value named so, for all that YAML knows
        ("  - a\ntags:\n  - flashcards", 3),  # a list whose key was deleted
    ],
)
def test_a_frontmatter_that_obsidian_does_not_read_is_told(yaml: str, line: int) -> None:
    document, found = markdown.parse(written.source(f"---\n{yaml}\n---\nQ:: A"))
    assert (document.frontmatter, document.frontmatter_tags) == ({}, ())
    assert written.codes(found) == [("O203", line)]


def test_frontmatter_is_blanked_so_that_lines_keep_their_numbers() -> None:
    document = written.document("---\na: b\n---\ntext")
    assert document.lines == ("", "", "", "text")
    assert document.content_line == 4


def test_only_the_plugin_insists_on_bare_dashes() -> None:
    document = written.document("--- \ntags: [a]\n---\ntext")
    assert document.frontmatter_tags == ("a",)
    assert document.lines[0] == "--- "


def test_what_the_plugin_takes_for_the_frontmatter_has_headings_and_tags_for_obsidian() -> None:
    text = "---\na: b\n--- \n# One\n#flashcards\n---\nQ:: A"
    document, found = markdown.parse(written.source(text))
    assert document.lines == ("",) * 6 + ("Q:: A",)
    assert [(h.text, h.line) for h in document.headings] == [("One", 4)]
    assert tags(text) == [("flashcards", 5)]
    assert [(d.code, d.line, "down to line 6" in d.message) for d in found] == [("O209", 3, True)]


def test_nothing_is_said_of_a_frontmatter_that_hides_no_text() -> None:
    assert markdown.parse(written.source("---\na: b\n--- \n\n---\nQ:: A"))[1] == []


@pytest.mark.parametrize(
    ("yaml", "obsidian", "plugin"),
    [
        ("tags: [a, b/c]", ("a", "b/c"), ("a", "b/c")),
        ("tags: a, b", ("a", "b"), ("a", " b")),
        ("tags: a b", ("a", "b"), ("a b",)),
        ("tag: a", ("a",), ()),
        ("Tags: [a]", ("a",), ()),
        ('tags: ["#a"]', ("a",), ("a",)),
        ('tags: "a\ufeff"', ("a",), ("a\ufeff",)),
    ],
)
def test_tags_as_obsidian_and_as_the_plugin_read_them(
    yaml: str, obsidian: tuple[str, ...], plugin: tuple[str, ...]
) -> None:
    document = written.document(f"---\n{yaml}\n---\n")
    assert (document.frontmatter_tags, document.topic_tags) == (obsidian, plugin)


def test_tags_are_what_obsidian_takes_for_tags() -> None:
    assert tags("#a, #b/c (#d) x#e #1 #1f ##g #h-i_j #日本 #\n# k") == [
        ("a", 1),
        ("b/c", 1),
        ("1f", 1),
        ("h-i_j", 1),
        ("日本", 1),
    ]


def test_white_space_around_tags_is_what_it_is_for_javascript() -> None:
    assert tags("\ufeff#a\ufeff#b\x85 x\x1c#c") == [("a", 1), ("b\x85", 1)]


def test_there_are_no_tags_in_code() -> None:
    text = "`#a` ``#b ` #c`` #d\n```\n#e\n```\n~~~\n#f\n```\n~~~\n> ```\n> #g\n> ```\n#h ` #i"
    assert tags(text) == [("d", 1), ("h", 12), ("i", 12)]


def test_there_are_no_tags_in_html_tags_and_comments() -> None:
    text = (
        '<mark style="color: #abc"> #a </mark> <!-- #b --> #c <!-- x --> #d < #e\n<!-- #f\n#g -->'
    )
    assert tags(text) == [("a", 1), ("c", 1), ("d", 1), ("e", 1), ("f", 2), ("g", 3)]


def test_a_code_block_ends_with_the_quote_that_it_stands_in() -> None:
    text = "> ```py\n> # x\n\n> #a\n\n# One\n#b\n> > ~~~\n> > #x\n> #c\n```\n> ```\n#x\n```\n#d"
    assert tags(text) == [("a", 4), ("b", 7), ("c", 10), ("d", 15)]
    assert [h.text for h in written.document(text).headings] == ["One"]


def test_there_are_no_tags_in_html_tags_of_several_lines() -> None:
    text = (
        '<div\n  style="color: #fff;\n  border: 1px solid #ddd"\n> #a </div>\n'
        "#b <c and\n#d > #e\n<i title='\n\n#f'> #g\n```\n<div a=\"\n```\n#h\">"
    )
    assert tags(text) == [
        ("a", 4),
        ("b", 5),
        ("d", 6),
        ("e", 6),
        ("f", 9),
        ("g", 9),
        ("h", 13),
    ]


@pytest.mark.parametrize("text", ["<a b='\n", "<a b ", '<a\nb="c" ', '<a b="\n', "<a\n"])
def test_tags_that_do_not_end_are_read_in_no_time(text: str) -> None:
    assert tags(text * 20_000 + "\n#a") == [("a", text.count("\n") * 20_000 + 2)]


@pytest.mark.parametrize("between", ["`x` ", "<b> ", "<!-- x --> "])
def test_a_line_may_hold_many_tags_between_what_holds_none(between: str) -> None:
    assert tags(f"{between}#a " * 20_000) == [("a", 1)] * 20_000


def test_a_tag_may_follow_on_another() -> None:
    assert tags("#a#b/c #d/#1#e ##f x#g#h") == [
        ("a", 1),
        ("b/c", 1),
        ("d/", 1),
        ("e", 1),
    ]


def test_headings_are_those_outside_code() -> None:
    text = "# One #\n```\n# no\n```\n###### Six[^1]\n####### seven\n#none\n   ## Two ##"
    assert [(h.level, h.text, h.line) for h in written.document(text).headings] == [
        (1, "One", 1),
        (6, "Six", 5),
        (2, "Two", 8),
    ]


@pytest.mark.parametrize(
    ("side", "shown"),
    [
        ("#a #b/c Question", "Question"),
        ("Answer #a #b ", "Answer"),
        ("- [ ] #a task", "- [ ] task"),
        ("1. #a item", "1. item"),
        ("#1 rule", "#1 rule"),
        ("the tag #a is inside", "the tag #a is inside"),
        ("#only #tags", "#only #tags"),
        ("Is it C#?", "Is it C#?"),
        ("Answer ^id-1", "Answer"),
        ("Answer\n^id-1", "Answer"),
        ("Answer <!--SR:!2024-05-01,3,250", "Answer"),
        ("x ^2y_z", "x ^2y_z"),
    ],
)
def test_what_is_shown_of_a_side(side: str, shown: str) -> None:
    assert markdown.shown(side) == shown


def test_a_hundred_thousand_tags_at_either_end_are_cut() -> None:
    assert markdown.shown("#a " * 100_000 + "Q" + " #b" * 100_000) == "Q"
