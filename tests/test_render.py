"""Rendering: Markdown in, the HTML of a field out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from anki.collection import Collection
from hypothesis import assume, given
from hypothesis import strategies as st

from obs2anki import cloze, render
from obs2anki.ankitext import clean
from obs2anki.data import VaultPath
from obs2anki.media import Library
from obs2anki.render import plain
from obs2anki.render.fragment import MAX_QUOTES
from obs2anki.settings import Obsidian
from tests import anki_collection, golden_cases, vault_files

MEMBRANE = "It is ==thin==.\n\n# Structure\n\nTwo layers of fat.\n"
CELL = """\
A document[^1] with footnotes.

```
[^1]: not this
```

[^1]: The **capital** of $x_1$.
[^long]: One line
    and another.

    - an item
[^chain]: See [^1] too.
[^round]: Round[^round] again.

[^Upper]: Letters of either case.

The last line.
"""
LIBRARY = vault_files.library(
    "biology/index.md",
    "chemistry/water.md",
    "chemistry/index.md",
    "big cat.md",
    "Größe.md",
    "biology/cell.png",
    "attachments/photo 1.jpg",
    "attachments/call.mp3",
    "attachments/mitosis.mp4",
    "attachments/paper.pdf",
    "attachments/huge.png",
    'attachments/Q&A "1".png',
    attachment_folder="attachments",
    documents={"biology/cell.md": CELL, "biology/membrane.md": MEMBRANE},
)
PLACE = render.Place(VaultPath("biology/cell.md"), 7, "My Vault")
HIGHLIGHTS, _ = cloze.compile_patterns(("==[123;;]answer[;;hint]==",))


def side(text: str) -> str:
    """A side's HTML, and below it what was packed and found."""
    rendered, findings = render.side(text, PLACE, LIBRARY, Obsidian())
    return told(rendered, [f"{d.code} {d.message}" for d in findings])


def deletions(text: str) -> str:
    """The same for a cloze text."""
    found, _ = cloze.parse(text, HIGHLIGHTS)
    assert found is not None
    rendered, findings = render.cloze(cloze.marked(text, found), PLACE, LIBRARY, Obsidian())
    return told(rendered, [f"{d.code} {d.message}" for d in findings])


def told(rendered: render.Rendered, findings: list[str]) -> str:
    """What was rendered as text that a person can read."""
    packed = [f"[packed {m.file.relative_to(vault_files.ROOT)}]" for m in rendered.media]
    return "\n".join([*([rendered.html] if rendered.html else []), *packed, *findings])


@golden_cases.cases("render/side")
def test_golden_side(case: golden_cases.Case) -> None:
    golden_cases.hold(case, side)


@golden_cases.cases("render/cloze")
def test_golden_cloze(case: golden_cases.Case) -> None:
    golden_cases.hold(case, deletions)


# ---------------------------------------------------------------- any text


class Reader(HTMLParser):
    """Reads HTML as a browser does; remembers what is open and all that stands in tags."""

    VOID = frozenset(["area", "br", "col", "hr", "img", "input", "source", "wbr"])

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += ((name, value or "") for name, value in attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def text_of(html: str) -> str:
    """What a reader sees, white space aside."""
    return " ".join("".join(Reader(html).words).split())


SNIPPETS = (
    *"[]()`=$><{}!%*_~|\\#-+&;:\"'^/ \t\n\r\x00\x1f·a1",
    *(
        "**",
        "==",
        "$$",
        "```",
        "~~~",
        "%%",
        "<!--",
        "-->",
        "<!--SR:",
        "[[",
        "]]",
        "![[",
        "](",
        "::",
    ),
    *(
        "}}",
        "{{c1::",
        "\n\n",
        "\n> ",
        "> [!tip] ",
        "\n- ",
        "\n\t- ",
        "\n1. ",
        "    ",
        "- [ ] ",
        "# ",
    ),
    *("|---|\n", "| a |", "[^1]", "[^1]: ", "^[", " ^id", "---", "\\|", "\\(", "\\)", "\\[", "\\$"),
    *("<img srcset='cell.png 2x'>", "<picture><source srcset=a>", '<img src="data:image/png,">'),
    *("<b>", "</b>", "<div>", "</p>", "<td>", "<script>", "</script>", "<a href=", '<img src="'),
    *(" onclick=x ", 'onerror="x"', "javascript:", "<svg onload=x>", "<iframe src=x>", "<style>"),
    *("<a href='javascript:x'>", "<math>", "<!DOCTYPE x>", "<?x?>", "<![CDATA[", "<table>", "&lt;"),
    *("https://a.b/", "www.a.b", "a@b.c", "cell.png", "![[cell.png|300]]", "[[membrane#a|b]]"),
    *("$x_1$", "[sound:a.mp3]", "[latex]", "é", "e\u0301", "\ufdd0", "\ufdd1", "\ufdd2", "\ufdd3"),
    *(
        "·\ufdd30\ufdd1·",
        "·\ufdd40\ufdd1·",
        "\ufdd50\ufdd1",
        "\ud800",
        "\u2028",
        "%EF%B7%90",
        "../",
    ),
)
FRAGMENTS = st.lists(st.sampled_from(SNIPPETS), max_size=40).map("".join) | st.text(max_size=60)


def assert_sound(html: str) -> None:
    """The laws for anything that goes into a field."""
    read = Reader(html)
    assert not read.unbalanced
    assert not read.open
    assert not read.tags & {"script", "style", "iframe", "object", "embed", "form", "svg", "math"}
    for name, value in read.attributes:
        assert not name.startswith("on")
        if name in ("href", "src"):
            address = "".join(value.split()).lower()
            assert not address.startswith(("javascript:", "data:", "vbscript:", "file:"))
    assert not any("\ufdd0" <= character <= "\ufdef" for character in html)
    assert not any(character in html for character in "\x00\x1f")
    html.encode()


@given(FRAGMENTS, st.booleans(), st.booleans())
def test_any_text_renders_to_sound_html(text: str, strict: bool, rtl: bool) -> None:
    place = render.Place(PLACE.path, 1, "V", rtl)
    rendered, findings = render.side(text, place, LIBRARY, Obsidian(strict_line_breaks=strict))
    assert_sound(rendered.html)
    assert all(d.line == 1 and d.path == PLACE.path for d in findings)
    assert {m.name for m in rendered.media} <= set(packed_names(rendered.html))


def packed_names(html: str) -> list[str]:
    """The media that Anki finds in a field, as it does: by `src` and `[sound:...]`."""
    sources = [value for name, value in Reader(html).attributes if name == "src"]
    return sources + [unescape(name) for name in re.findall(r"\[sound:([^\]]*)\]", html)]


@given(FRAGMENTS)
def test_every_medium_that_a_field_names_is_packed_or_on_the_web(text: str) -> None:
    rendered, _ = render.side(text, PLACE, LIBRARY, Obsidian())
    packed = {m.name for m in rendered.media}
    for name in packed_names(rendered.html):
        assert name in packed or name.startswith(("http:", "https:"))


@given(FRAGMENTS)
def test_rendering_twice_gives_the_same(text: str) -> None:
    assert render.side(text, PLACE, LIBRARY, Obsidian()) == render.side(
        text, PLACE, LIBRARY, Obsidian()
    )


PLAINLY = st.lists(
    st.sampled_from(
        [*"aZé1 ,.:;?!'()/-“”，。b\u0301*=_#+@\n", "**", "- ", "www.", "细", "ab", "  "]
    )
    | FRAGMENTS,
    max_size=12,
).map("".join)


@given(PLAINLY, st.booleans())
def test_plain_text_takes_a_shorter_way_to_the_same_place(text: str, strict: bool) -> None:
    obsidian = Obsidian(strict_line_breaks=strict)
    rendered, _ = render._side_in_full(text, PLACE, LIBRARY, obsidian)
    assert render.simple(text, strict) in (None, clean(rendered.html))


@pytest.mark.parametrize("text", ["Oslo", "an *odd* one", "**a** b", "- a\n- *b*", "é: x\n\ny"])
def test_the_shorter_way_is_taken(text: str) -> None:
    assert render.simple(text, False) is not None


DELETIONS = st.sampled_from(["\ufdd00\ufdd1", "\ufdd01\ufdd1", "\ufdd02\ufdd1", "\ufdd2", "\ufdd3"])


@given(st.lists(PLAINLY | DELETIONS), st.none() | PLAINLY)
def test_a_plain_cloze_takes_a_shorter_way_to_the_same_place(
    parts: list[str], hint: str | None
) -> None:
    marks = (cloze.Mark((1,), hint), cloze.Mark((2, 3), None), cloze.Mark((501,), "h"))
    marked = cloze.Marked("".join(parts), marks)
    rendered, _ = render._cloze_in_full(marked, PLACE, LIBRARY, Obsidian())
    assert plain.cloze(marked) in (None, rendered.html)


@pytest.mark.parametrize("hint", [None, "a city"])
def test_a_cloze_takes_the_shorter_way(hint: str | None) -> None:
    marked = cloze.Marked("It is *not* \ufdd00\ufdd1Oslo\ufdd2.", (cloze.Mark((1,), hint),))
    shown = "Oslo" if hint is None else f"Oslo::{hint}"
    assert plain.cloze(marked) == f"It is <em>not</em> {{{{c1::{shown}}}}}."


@given(st.lists(FRAGMENTS | st.sampled_from(["\ufdd00\ufdd1", "\ufdd01\ufdd1", "\ufdd2"])))
def test_any_marked_text_renders_to_sound_html(parts: list[str]) -> None:
    marks = (cloze.Mark((1,), "h}}::"), cloze.Mark((2, 3), None), cloze.Mark((501,), "$x$"))
    marked = cloze.Marked("".join(parts), marks)
    rendered, _ = render.cloze(marked, PLACE, LIBRARY, Obsidian())
    assert_sound(rendered.html)


# ---------------------------------------------------------------- deletions, by Anki's own engine


@pytest.fixture(scope="module")
def anki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with anki_collection.collection(tmp_path_factory.mktemp("anki")) as col:
        yield col


def asked(col: Collection, html: str) -> dict[int, tuple[str, str]]:
    """For each cloze number that Anki finds: the text of question and answer."""
    notetype = col.models.by_name("Cloze")
    assert notetype is not None
    note = col.new_note(notetype)
    note["Text"] = html
    found = {}
    for number in note.cloze_numbers_in_fields():
        card = note.ephemeral_card(number - 1)
        found[number] = (seen(card.question()), seen(card.answer()))
    return found


def seen(html: str) -> str:
    """A card's text, Anki's own style aside."""
    return text_of(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))


WORDS = st.lists(
    st.sampled_from(
        ["a", "}", "}}", "{", "{{", ":", "::", "c1::", "{{c1::", " b ", "d}", "image-"]
    ),
    min_size=1,
    max_size=6,
).map("".join)
SETTINGS = st.sampled_from(
    [
        "{}",
        "`{}`",
        "```\n{}\n```",
        "**x {} y**",
        "- {}\n- z",
        "| {} | b |\n|---|---|\n| c | d |",
        "> {}",
    ]
)


@given(before=WORDS, answer=WORDS, after=WORDS, around=SETTINGS, hint=st.none() | WORDS)
def test_braces_and_colons_of_an_author_are_never_ankis(
    anki: Collection, before: str, answer: str, after: str, around: str, hint: str | None
) -> None:
    assume(answer.strip() and (hint is None or hint.strip()))
    left, right = around.split("{}")
    text = f"{left}{before}\ufdd00\ufdd1{answer}\ufdd2{after}{right}"
    marked = cloze.Marked(text, (cloze.Mark((1,), hint),))
    html = render.cloze(marked, PLACE, LIBRARY, Obsidian())[0].html
    question, answered = asked(anki, html).pop(1)
    plain = f"{left}{before}\u2605{answer}\u2606{after}{right}"
    expected = text_of(render.side(plain, PLACE, LIBRARY, Obsidian())[0].html)
    start, _, rest = expected.partition("\u2605")
    solution, _, end = rest.partition("\u2606")
    assert answered.split() == f"{start}{solution}{end}".split()
    shown = f"[{' '.join(hint.split()) if hint else '...'}]"
    assert question.split() == f"{start}{shown}{end}".split()
    assert set(asked(anki, html)) == cloze.numbers(html) == {1}


@given(st.lists(WORDS | FRAGMENTS, min_size=5, max_size=5), st.booleans())
def test_anki_finds_the_clozes_that_we_count(
    anki: Collection, parts: list[str], nested: bool
) -> None:
    first, second, third, fourth, fifth = parts
    inner = f"\ufdd01\ufdd1{third}\ufdd2"
    text = (
        f"{first}\ufdd00\ufdd1{second}{inner}{fourth}\ufdd2{fifth}"
        if nested
        else f"{first}\ufdd00\ufdd1{second}\ufdd2{fourth}{inner}{fifth}"
    )
    marked = cloze.Marked(text, (cloze.Mark((1,), "hint"), cloze.Mark((2, 3), None)))
    html = render.cloze(marked, PLACE, LIBRARY, Obsidian())[0].html
    assert set(asked(anki, html)) == cloze.numbers(html) <= {1, 2, 3}
    for question, _ in asked(anki, html).values():
        assert "No cloze" not in question


@golden_cases.cases("render/cloze")
def test_anki_asks_what_the_golden_cases_say(anki: Collection, case: golden_cases.Case) -> None:
    html = case.expected.partition("\n[packed")[0]
    found = asked(anki, html)
    assert set(found) == cloze.numbers(html)
    for question, answer in found.values():
        assert "[" in question
        assert question != answer
        assert "}}" not in answer or "}}" in case.input


# ---------------------------------------------------------------- one by one


def test_a_strict_vault_joins_lines() -> None:
    rendered, _ = render.side("a\nb", PLACE, LIBRARY, Obsidian(strict_line_breaks=True))
    assert rendered.html == "a\nb"


def test_a_right_to_left_document_is_shown_so() -> None:
    place = render.Place(VaultPath("a.md"), 1, "", rtl=True)
    assert render.side("שלום", place, LIBRARY, Obsidian())[0].html == '<div dir="rtl">שלום</div>'
    assert render.side("", place, LIBRARY, Obsidian())[0].html == ""


def test_a_cloze_number_above_500_is_plain_text() -> None:
    marked = cloze.Marked("\ufdd00\ufdd1x\ufdd2", (cloze.Mark((501,), None),))
    assert render.cloze(marked, PLACE, LIBRARY, Obsidian())[0].html == "x"


def test_one_deletion_can_be_asked_on_several_cards() -> None:
    marked = cloze.Marked("\ufdd00\ufdd1x\ufdd2", (cloze.Mark((1, 3), "h"),))
    assert render.cloze(marked, PLACE, LIBRARY, Obsidian())[0].html == "{{c1,3::x::h}}"


def test_a_missing_medium_is_found_once_and_at_its_flashcard() -> None:
    _, findings = render.side("![[gone.png]] ![[gone.png]]", PLACE, LIBRARY, Obsidian())
    assert [(d.code, d.path, d.line) for d in findings] == [("O601", "biology/cell.md", 7)]


def test_a_medium_that_cannot_be_read_is_told() -> None:
    def refuse(_: Path) -> tuple[str, int]:
        raise PermissionError

    library = Library(Path("/vault").joinpath, [VaultPath("a.png")], Obsidian(), 100, refuse)
    rendered, findings = render.side("![[a.png]]", PLACE, library, Obsidian())
    assert rendered.html == '<span class="missing">(not shown: a.png)</span>'
    assert [d.code for d in findings] == ["O611"]


def test_a_source_link_opens_the_block() -> None:
    place = render.Place(VaultPath("Q & A/über.md"), 1, "My Vault")
    assert render.source_link(place, "id-1") == (
        '<a href="obsidian://open?vault=My%20Vault&amp;file=Q%20%26%20A%2F%C3%BCber%23%5Eid-1">'
        "Q &amp; A/über</a>"
    )


def test_a_source_link_without_a_vault_leaves_the_choice_to_obsidian() -> None:
    place = render.Place(VaultPath("a.md"), 1, "")
    assert render.source_link(place, None) == '<a href="obsidian://open?file=a">a</a>'


def test_the_context_is_the_title_and_the_headings() -> None:
    assert text_of(render.context("A & B", ("One", "Two"))) == "A & B › One › Two"


def test_a_first_heading_that_repeats_the_title_is_told_once() -> None:
    assert text_of(render.context("Soil", ("Soil", "Clay", "Soil"))) == "Soil › Clay › Soil"
    assert text_of(render.context("Caf\u00e9", ("Cafe\u0301",))) == "Caf\u00e9"
    assert text_of(render.context("Soil", ("Clay", "Soil"))) == "Soil › Clay › Soil"


@pytest.mark.parametrize("name", ["[sound:x.mp3]", "[latex]x[/latex]", "[$]x[/$]", "[anki:tts]"])
def test_the_name_of_a_file_is_text_for_anki(name: str) -> None:
    for html in (
        render.context(name, ()),
        render.source_link(render.Place(VaultPath(f"{name}/{name}.md"), 1, name), None),
    ):
        assert "[" not in html
        assert name in text_of(html)


def test_the_name_of_a_file_brings_no_control_characters() -> None:
    place = render.Place(VaultPath("a\x01\ufdd0.md"), 1, "")
    assert text_of(render.source_link(place, None)) == render.context("\x1fa\ufdd2", ()) == "a"


def test_headings_in_the_context_keep_emphasis_and_lose_links() -> None:
    context = render.context("T", ("**a** $x_1$ [[cell|b]] [c](d.md) ![[e.png]] `<f>`", "1. g"))
    assert context.split("</span>")[1:] == [
        '<strong>a</strong> \\(x_1\\) b c e.png <code>&lt;f&gt;</code><span class="separator"> › ',
        "1. g",
    ]


@given(st.text(max_size=30), st.lists(FRAGMENTS, max_size=3))
def test_any_context_is_sound_html(title: str, headings: list[str]) -> None:
    context = render.context(title, tuple(headings))
    read = Reader(context)
    assert not read.tags & {"script", "a", "img"}
    assert not any("\ufdd0" <= character <= "\ufdef" for character in context)


def test_a_table_is_not_filled_up_beyond_reason() -> None:
    wide = "|" + "a|" * 2000 + "\n|" + "-|" * 2000 + "\n" + "|x|\n" * 2000
    assert len(render.side(wide, PLACE, LIBRARY, Obsidian())[0].html) < 3 * len(wide)
    long = "|a|b|\n|-|-|\n" + "|x|y|\n" * 20_000
    assert "<table>" in render.side(long, PLACE, LIBRARY, Obsidian())[0].html


@pytest.mark.parametrize("around", ["{}", "<u>x</u> {}", "`x` <p>{}</p>"])
def test_more_mail_addresses_than_a_stack_holds_are_text(around: str) -> None:
    """A parser that follows one to the next would end the whole process."""
    few, many = ("you@example.org " * count for count in (100, 40_000))
    linked, plain_text = (
        render.side(around.format(mails), PLACE, LIBRARY, Obsidian())[0].html
        for mails in (few, many)
    )
    assert linked.count("mailto:you@example.org") == 100
    assert plain_text.count("you@example.org") == 40_000


@pytest.mark.parametrize("depth", [50, 5000])
def test_deep_nesting_is_cut_before_it_costs(depth: int) -> None:
    html, _ = render.side("> " * depth + "x\n" + "<div>\n" * depth, PLACE, LIBRARY, Obsidian())
    assert html.html.count("<blockquote>") <= MAX_QUOTES
