"""Documents within documents: what `![[cell#Nucleus]]` shows on a card."""

from __future__ import annotations

import re
from collections.abc import Mapping

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import cloze, render
from obs2anki.data import Diagnostic, VaultPath
from obs2anki.media import Library
from obs2anki.render.transclusion import DEEPEST, LONGEST
from obs2anki.settings import Obsidian
from tests import vault_files

HIGHLIGHTS, _ = cloze.compile_patterns(("==[123;;]answer[;;hint]==",))

CELL = """\
---
tags: [biology]
---
# Cell

The smallest ==living== thing.
<!--SR:!2024-04-12,14,232-->

## Nucleus

It holds the DNA. ^dna

### Membrane

Two layers %%three?%% of it.

## Plants

### Membrane

A wall around it.

- chloroplasts
  - green ^green
- vacuole

| part | size |
| --- | --- |
| wall | thick |

^sizes

```python
x ^ y ^code

z
```

^listing
"""


def library_of(documents: Mapping[str, str], *files: str) -> Library:
    """A vault of these documents and files."""
    return vault_files.library(*files, documents=documents)


def rendered(
    text: str, documents: Mapping[str, str], *files: str, path: str = "cards.md"
) -> tuple[render.Rendered, list[Diagnostic]]:
    """A side that stands in the first line of `path`."""
    place = render.Place(VaultPath(path), 1, "V", end_line=1)
    return render.side(text, place, library_of({path: text, **documents}, *files), Obsidian())


def body(text: str, documents: Mapping[str, str], *files: str) -> str:
    """The HTML of a side without titles and frames."""
    side, found = rendered(text, documents, *files)
    assert found == []
    html = re.sub(r'<div class="embed-title">.*?</div>\n', "", side.html)
    return re.sub(r'^<div class="embed">(.*)</div>$', r"\1", html, flags=re.DOTALL)


def titles(html: str) -> list[str]:
    return re.findall(r'<div class="embed-title"><a [^>]*>(.*?)</a></div>', html)


def codes(found: list[Diagnostic]) -> list[tuple[str, str, int, int]]:
    return [(d.code, d.path, d.line, d.column) for d in found]


# ---------------------------------------------------------------- what is shown


def test_a_document_is_shown_without_frontmatter_reviews_and_comments() -> None:
    html = body("![[cell]]", {"cell.md": CELL})
    assert "<h1>Cell</h1>" in html and "A wall around it." in html
    for hidden in ("tags", "SR:", "2024", "three?", "^dna", "^sizes", "%%"):
        assert hidden not in html


def test_a_frontmatter_ends_where_it_ends_for_obsidian() -> None:
    shown = body("![[cell]]", {"cell.md": "---\na: b\n--- \nOne\n\n---\n\nTwo\n"})
    assert "One" in shown and "Two" in shown and "a: b" not in shown


def test_a_section_ends_at_the_next_heading_that_is_as_high() -> None:
    assert body("![[cell#Nucleus]]", {"cell.md": CELL}) == (
        "<p>It holds the DNA.</p>\n<h3>Membrane</h3>\n<p>Two layers  of it.</p>"
    )


@pytest.mark.parametrize(
    ("subpath", "shown"),
    [
        ("Membrane", "Two layers  of it."),
        ("Plants#Membrane", "A wall around it."),
        ("Cell#Plants#Membrane", "A wall around it."),
        ("Cell#Nucleus#Membrane", "Two layers  of it."),
        ("plants#MEMBRANE", "A wall around it."),
        ("^dna", "It holds the DNA."),
        ("^DNA", "It holds the DNA."),
        ("Nucleus#^dna", "It holds the DNA."),
        ("^green", "green"),
    ],
)
def test_headings_and_blocks_are_found_as_in_obsidian(subpath: str, shown: str) -> None:
    assert shown in body(f"![[cell#{subpath}]]", {"cell.md": CELL}).split("<ul>")[0]


@pytest.mark.parametrize(
    ("heading", "link"),
    [
        ("What: why?", "What why"),
        ("A #tag [[cell|here]]", "A tag cell here"),
        ("The **cell**", "The cell"),
        ("Größe", "gro\u0308ße"),
        ("a/b", "a b"),
    ],
)
def test_a_link_names_a_heading_without_its_marks(heading: str, link: str) -> None:
    assert body(f"![[x#{link}]]", {"x.md": f"# {heading}\n\nshown\n"}) == "shown"


def test_a_block_is_the_item_with_all_below_it_or_the_table_above_the_id() -> None:
    documents = {"cell.md": CELL, "list.md": "- a\n- b ^b\n  - c\n\n    d\n- e\n"}
    item = body("![[list#^b]]", documents).replace("\n", "")
    assert item == "<ul><li>b<ul><li><p>c</p><p>d</p></li></ul></li></ul>"
    assert body("![[cell#^sizes]]", documents).startswith("<table>")
    assert "z" in body("![[cell#^listing]]", documents)


def test_a_block_of_a_paragraph_is_the_whole_paragraph() -> None:
    documents = {"x.md": "before\n\none\ntwo ^id\nthree\n\nafter\n- item\n"}
    assert body("![[x#^id]]", documents).replace("\n", "") == "one<br>two<br>three"


def test_an_id_in_code_is_no_block() -> None:
    _, found = rendered("![[cell#^code]]", {"cell.md": CELL})
    assert [d.code for d in found] == ["O606"]


def test_markdown_embeds_are_read_like_wikilinks() -> None:
    documents = {"my cell.md": CELL}
    assert body("![](my%20cell.md#Plants%23Membrane)", documents) == body(
        "![[my cell#Plants#Membrane]]", documents
    )
    assert body("![](<my cell.md#^dna>)", documents) == "It holds the DNA."


def test_a_title_says_what_is_shown_and_opens_it() -> None:
    html = rendered("![[cell#Nucleus]] ![[cell#^dna]] ![[cell|Cells]]", {"f/cell.md": CELL})[0].html
    assert titles(html) == ["cell &gt; Nucleus", "cell", "Cells"]
    assert 'href="obsidian://open?vault=V&amp;file=f%2Fcell%23Nucleus"' in html


def test_a_section_of_the_own_document_can_be_shown() -> None:
    text = "![[#Below]]\n\n# Below\n\nhere\n"
    place = render.Place(VaultPath("a.md"), 1, "V")
    side, found = render.side("![[#Below]]", place, library_of({"a.md": text}), Obsidian())
    assert (titles(side.html), found) == (["a &gt; Below"], [])
    assert "here</div>" in side.html


def test_media_and_links_are_those_of_the_embedded_document() -> None:
    documents = {"bio/cell.md": "![[x.png]] ![](./y.png) [[other]]", "bio/other.md": "o"}
    side, found = rendered("![[bio/cell]]", documents, "bio/x.png", "x.png", "bio/y.png")
    assert found == []
    assert [m.file.relative_to(vault_files.ROOT).as_posix() for m in side.media] == [
        "x.png",  # the exact path from the root comes first
        "bio/y.png",
    ]
    assert "file=bio%2Fother" in side.html


def test_embeds_nest() -> None:
    documents = {"a.md": "a ![[b]]", "b.md": "b ![[c]]", "c.md": "![[x.png]]"}
    side, found = rendered("![[a]]", documents, "x.png")
    assert (titles(side.html), found, len(side.media)) == (["a", "b", "c"], [], 1)


def test_an_embedded_document_runs_in_its_own_direction() -> None:
    documents = {"a.md": "---\ndirection: rtl\n---\nשלום", "b.md": "hello"}
    assert '<div class="embed" dir="rtl">' in rendered("![[a]]", documents)[0].html
    assert '<div class="embed">' in rendered("![[b]]", documents)[0].html


@pytest.mark.parametrize("name", ["x.canvas", "x.base", "paper.pdf", "x.excalidraw.md"])
def test_what_is_no_text_stays_a_link(name: str) -> None:
    side, found = rendered(f"![[{name}]]", {}, name)
    assert (titles(side.html), found) == ([], [])
    assert f">{name}</a>" in side.html


def test_a_footnote_can_embed() -> None:
    documents = {"cards.md": "x[^1]\n\n[^1]: see ![[cell#^dna]]", "cell.md": CELL}
    side, _ = rendered("x[^1]", documents)
    assert "It holds the DNA." in side.html


# ---------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    ("embed", "code"),
    [
        ("![[gone]]", "O601"),
        ("![[cell#Gone]]", "O606"),
        ("![[cell#Nucleus#Plants]]", "O606"),
        ("![[cell#^gone]]", "O606"),
        ("![](cell.md#Gone)", "O606"),
        ("![[../../secret]]", "O602"),
        ("![](/etc/passwd.md)", "O602"),
    ],
)
def test_what_is_not_there_is_said_on_the_card_and_where_it_is_written(
    embed: str, code: str
) -> None:
    side, found = rendered(f"See {embed}", {"cell.md": CELL})
    assert [d[:3] for d in codes(found)] == [(code, "cards.md", 1)]
    assert found[0].column > 5
    assert '<span class="missing">(' in side.html


def test_a_finding_in_an_embedded_document_points_into_it() -> None:
    documents = {"a.md": "# A\n\nx\n\nsee ![[gone.png]]\n"}
    _, found = rendered("![[a]] ![[a#A]]", documents)
    assert codes(found) == [("O601", "a.md", 5, 8)]


@pytest.mark.parametrize(
    ("link", "code", "column"),
    [
        ("![[gone]]", "O601", 4),
        ("![[gone\\|20]]", "O601", 4),
        ("![g](gone.png)", "O601", 6),
        ("![g](<gone.png>)", "O601", 7),
        ('<img src="gone.png">', "O601", 11),
        ("[[gone]]", "O605", 3),
        ("![[a]]", "O607", 4),
    ],
)
def test_a_finding_points_at_the_link_and_not_at_its_words_above(
    link: str, code: str, column: int
) -> None:
    """The words stand above as a tag, in quotes that are no attribute's, and as plain text."""
    above = "#a/gone.png is 'gone' or gone.png\n\n"
    _, found = rendered("![[a]]", {"a.md": f"{above}{link}\n"})
    assert codes(found) == [(code, "a.md", 3, column)]


def test_a_document_that_cannot_be_read_is_told() -> None:
    side, found = rendered("![[broken]]", {}, "broken.md")
    assert [d.code for d in found] == ["O606"]
    assert "(not shown: <a " in side.html


@pytest.mark.parametrize(
    "documents",
    [
        {"a.md": "x ![[a]]"},
        {"a.md": "x ![[b]]", "b.md": "y ![[a]]"},
        {"a.md": "# S\n\nx ![[a#S]]"},
        {"a.md": "x ![[#^i]] ^i"},
    ],
)
def test_a_circle_is_cut_and_told_once(documents: Mapping[str, str]) -> None:
    embed = "![[a#S]]" if "# S" in documents["a.md"] else "![[a]]"
    side, found = rendered(embed, documents)
    assert [d.code for d in found] == ["O607"]
    assert side.html.count("(embeds itself: <a ") == 1


def test_embeds_nest_to_a_depth() -> None:
    documents = {f"{n}.md": f"deep {n} ![[{n + 1}]]" for n in range(1, DEEPEST + 3)}
    side, found = rendered("![[1]]", documents)
    assert titles(side.html) == [str(n) for n in range(1, DEEPEST + 1)]
    assert codes(found) == [("O608", f"{DEEPEST}.md", 1, 11)]
    assert f"file={DEEPEST + 1}" in side.html


def test_a_side_embeds_up_to_a_length_whatever_a_vault_holds() -> None:
    bomb = {f"{n}.md": f"![[{n + 1}]]" * 50 + "x" * 50 for n in range(DEEPEST + 1)}
    side, found = rendered("![[0]]", bomb)
    assert len(side.html) < 50 * LONGEST
    assert "O609" in {d.code for d in found}
    long = {"a.md": "x " * LONGEST, "b.md": "short"}
    side, found = rendered("![[a]] ![[b]]", long)
    assert [d.code for d in found] == ["O609"]
    assert "too long to embed" in side.html and "short" in side.html


def test_footnotes_count_among_what_a_side_embeds() -> None:
    note = "word " * 1_000
    embeds = " ".join("![[a#^i]]" for _ in range(40))
    side, _ = rendered(embeds, {"a.md": f"x[^1] ^i\n\n[^1]: {note}\n"})
    assert 0 < side.html.count("word") * len("word ") <= LONGEST


# ---------------------------------------------------------------- where it is shown


PLACES = (
    "{}",
    "before {} after",
    "before\n{}\nafter",
    "**bold {} bold**",
    "# heading {}",
    "- item {}\n  - {}",
    "> quote {}",
    "> [!note] title {}\n> {}",
    "| a | b |\n| --- | --- |\n| {} | {} |",
    "[link {} link](https://example.org)",
    "<p>html {}</p>",
    "<b>html {}</b>",
    "text[^1]\n\n[^1]: note {}",
    "`{}`",
    "$${}$$",
)


def parse_errors(html: str) -> list[str]:
    """What an HTML5 parser finds wrong with a fragment."""
    parser = html5lib.HTMLParser()
    parser.parseFragment(html, container="div")
    return [error for _, error, _ in parser.errors]


@pytest.mark.parametrize("place", PLACES)
def test_wherever_an_embed_stands_a_browser_reads_it_as_it_is_written(place: str) -> None:
    documents = {"cell.md": CELL, "one.md": "one line", "img.md": "![[x.png]]"}
    for embed in ("![[cell]]", "![[one]]", "![](cell.md#Nucleus)", "![[gone]]", "![[img]]"):
        side, _ = rendered(place.replace("{}", embed), documents, "x.png")
        assert parse_errors(side.html) == []
        assert not re.search("[\ufdd0-\ufdef]", side.html)


PIECES = st.sampled_from(
    [
        *("![[a]]", "![[b]]", "![[c#S]]", "![](b.md#S)", "![[a#^i]]", "![[#S]]", "![[x.png]]"),
        *("**", "==", "$x$", "`", "\n", "\n\n", "> ", "- ", "| ", "# S\n", " ^i\n", "word ", "%%"),
        *(
            "<p>",
            "</p>",
            "<div>",
            "[",
            "](x)",
            "{{c1::",
            "}}",
            "<!--SR:!2024-01-01,1,250-->",
            "---",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_any_documents_in_one_another_make_html_that_is_read_as_it_is_written(
    text: str, a: str, b: str, c: str
) -> None:
    side, found = rendered(text, {"a.md": a, "b.md": b, "c.md": c}, "x.png")
    bad = {"unexpected-end-tag", "expected-closing-tag-but-got-eof", "unexpected-end-tag-implies"}
    assert not bad & set(parse_errors(side.html))
    assert not re.search("[\ufdd0-\ufdef]", side.html)
    assert all(d.path in ("cards.md", "a.md", "b.md", "c.md") for d in found)


# ---------------------------------------------------------------- in clozes


def deletions(text: str, documents: Mapping[str, str]) -> str:
    found, _ = cloze.parse(text, HIGHLIGHTS)
    assert found is not None
    place = render.Place(VaultPath("cards.md"), 1, "V")
    marked = cloze.marked(text, found)
    return render.cloze(marked, place, library_of(documents), Obsidian())[0].html


def test_clozes_of_an_embedded_document_are_not_asked() -> None:
    html = deletions("==asked== ![[a]]", {"a.md": "==shown== {{c2::shown}}"})
    assert cloze.numbers(html) == {1}
    assert "<mark>shown</mark>" in html


def test_a_cloze_can_ask_for_an_embedded_document() -> None:
    html = deletions("So: ==![[a]]==", {"a.md": "x }} :: $\\frac{1}{2}}$ y"})
    asked = re.search(r"\{\{c1::(.*?)\}\}", html, re.DOTALL)
    assert asked is not None
    assert asked[1].startswith('<div class="embed">') and asked[1].endswith("y</div>")
    assert "::" not in asked[1] and "<!--" not in asked[1].partition(r"\(")[2].partition(r"\)")[0]


def test_a_token_that_a_document_forges_is_nothing() -> None:
    forged = "·\ufdd00\ufdd1·secret·\ufdd20\ufdd1· \ufdd8\ufdd9"
    html = deletions("==asked== ![[a]]", {"a.md": forged})
    assert html.count("{{c1::") == 1
    assert not re.search("[\ufdd0-\ufdef]", html)


def test_a_hint_shows_no_document() -> None:
    html = deletions("==answer;;![[a]]==", {"a.md": "- long\n- text"})
    assert "long" not in html


# ---------------------------------------------------------------- what it rests on


def test_a_rendering_says_what_it_rests_on() -> None:
    documents = {"f/a.md": "![[b]] [[gone]]", "f/b.md": "![](https://example.org/x.png)"}
    side, _ = rendered("![[a]] ![[x.png]]", documents, "x.png")
    assert side.documents == ("f/a.md", "f/b.md")
    assert set(side.lookups) == {
        ("a", "cards.md", "f/a.md"),
        ("b", "f/a.md", "f/b.md"),
        ("gone", "f/a.md", None),
        ("x.png", "cards.md", "x.png"),
    }
    assert side.online == ("https://example.org/x.png",)


def test_a_side_without_links_rests_on_nothing() -> None:
    side, _ = rendered("**plain** text", {})
    assert (side.lookups, side.documents, side.online) == ((), (), ())
