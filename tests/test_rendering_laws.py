"""What holds of rendering for any text: sound HTML, Anki's own clozes, time linear in length."""

from __future__ import annotations

import time
from collections.abc import Iterator

import html5lib
import pytest
from anki.collection import Collection
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import cloze, render
from obs2anki.data import VaultPath
from obs2anki.settings import Obsidian
from tests import anki_collection, vault_files

CELL = """\
---
title: Cell
---
# Cell ==x==
[^1]: A footnote[^2] $a_1$
[^2]: - another
    - `one`

- an item ^item
	- below

> [!tip]- Fold
> text %%c%% ^tip

| a | b |
|---|---|
| 1 | ![[cell.png]] |
![[cell#Nucleus]]
## Nucleus
It holds <b>the DNA ![[membrane]]
"""
MEMBRANE = "A **wall**\n\n![[cell]]\n\n```py\nx = 1"
LIBRARY = vault_files.library(
    "cell.png", "call.mp3", documents={"cell.md": CELL, "membrane.md": MEMBRANE}
)
PLACE = render.Place(VaultPath("cell.md"), 5, "V")

# ---------------------------------------------------------------- Obsidian's syntax

WORDS = ("a", "b ", " c", "word", "é", "日本", "שלום", "5", "x_1", "\U0001f600")
MARKS = (
    *("*", "**", "_", "__", "==", "~~", "`", "``", "$", "$$", "%%", "\\", "|", "\\|", "!", "^"),
    *("[", "]", "(", ")", "{", "}", "{{", "}}", "{{c1::", "::", ":", ";;", "<", ">", "&", "#", "-"),
)
LINES = (
    *("\n", "\n\n", "\n\t", "\n    ", "\n- ", "\n\t- ", "\n1. ", "\n- [ ] ", "\n- [x] ", "\n> "),
    *(
        "\n> [!note] ",
        "\n> [!tip]- ",
        "\n>> [!bug]+ ",
        "\n>> ",
        "\n# ",
        "\n### ",
        "\n---\n",
        "\n***",
    ),
    *("\n```\n", "\n```py\n", "\n~~~\n", "\n| a | b |\n|---|---|\n| ", "\n| ", "\n===", "\n$$\n"),
    *("\n[^1]: ", "\n[a]: ", " ^id", "\n^id\n", "\n\t\t> ", "\n  - ", "\n```mermaid\n"),
)
WHOLE = (
    *("[[cell]]", "[[cell#Nucleus|n]]", "![[cell.png|30]]", "![[call.mp3]]", "![[gone.png]]"),
    *("![[membrane]]", "![[cell#^item]]", "![[cell#^tip]]", "[x](https://a.b)", "![x](cell.png)"),
    *("[^1]", "^[note]", "[^2]", "https://a.b/c_d", "<https://a.b>", "www.a.b", "#tag/sub"),
    *("$x_1$", "$$\\frac{a}{b}$$", "`code`", "==mark==", "%%no%%", "<!-- no -->", "&amp;", "&#x;"),
    *("<br>", "<b>", "</b>", "<div>", "</div>", "<p>", "</p>", "<ul><li>", "<table><tr><td>"),
    *("</table>", "<details>", "<summary>", "</details>", "<span class=x>", "</span>", "<a>"),
)
HOSTILE = (
    *("<script>alert(1)</script>", "<script", "<img src=x onerror=alert(1)>", "<svg onload=x>"),
    *("[x](javascript:alert(1))", "<a href='java\tscript:x'>y</a>", "[x](JaVaScRiPt&colon;x)"),
    *("<iframe srcdoc='<script>'>", "<style>", "<!--", "-->", "<![CDATA[", "<?", "<!DOCTYPE x>"),
    *("<math><mtext></form><form><mglyph><style></math>", "<noscript>", "<textarea>", "<title>"),
    *(
        "<a href='data:text/html,x'>",
        '"onclick="x',
        "' onmouseover='x",
        "<object data=x>",
        "<form>",
    ),
    *("\x00", "\x1f", "\ud800", "\ufdd0", "·\ufdd30\ufdd1·", "\u2028", "[sound:x.mp3]", "[latex]"),
    *('<b title="< ', '"onclick="x', '$"onclick=x$', '![[cell.png|" onclick="x]]', '">'),
    *('<p title="', "<input onfocus=x autofocus>", "<video src=javascript:x>", "<base href=x>"),
    *("![[cell.png|<b>]]", '![[cell.png|"onerror="x]]', "[[cell|<script>]]", "<table><a></table>"),
)
PIECES = st.sampled_from((*WORDS, *MARKS, *LINES, *WHOLE))
TEXTS = st.lists(PIECES | st.sampled_from(HOSTILE), max_size=30).map("".join)

UNWANTED = {"script", "style", "iframe", "object", "embed", "form", "svg", "math", "base", "meta"}
ADDRESSES = ("href", "src", "srcset", "data", "action", "formaction", "poster", "background")


def assert_sound(html: str) -> None:
    """An HTML5 parser has nothing to say against it, and nothing in it acts."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parseFragment(html)
    for element in tree.iter():
        assert element.tag not in UNWANTED
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name not in ("srcdoc", "style") or "url(" not in value
            if name in ADDRESSES:
                scheme = "".join(value.split()).lower().partition(":")[0]
                assert scheme not in ("javascript", "vbscript", "data", "file", "blob")


@given(TEXTS, st.booleans())
def test_any_side_is_html_without_an_error_and_does_nothing(text: str, strict: bool) -> None:
    rendered, _ = render.side(text, PLACE, LIBRARY, Obsidian(strict_line_breaks=strict))
    assert_sound(rendered.html)


# ---------------------------------------------------------------- clozes

PATTERNS, _ = cloze.compile_patterns(
    ("==[123;;]answer[;;hint]==", "**[123;;]answer[;;hint]**", "{{[123::]answer[::hint]}}")
)
CLOZES = st.sampled_from(
    (
        "==x==",
        "==",
        "==a;;h==",
        "==1;;",
        "==2;;b==",
        "==sha;;c==",
        "**",
        "**d**",
        "{{",
        "}}",
        "{{e}}",
    )
)


@pytest.fixture(scope="module")
def anki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    with anki_collection.collection(tmp_path_factory.mktemp("anki")) as col:
        yield col


@given(st.lists(PIECES | CLOZES | st.sampled_from(HOSTILE), max_size=30).map("".join))
def test_anki_finds_the_clozes_that_are_counted(anki: Collection, text: str) -> None:
    found, _ = cloze.parse(text.replace("\ud800", ""), PATTERNS)  # no document has any
    html = render.cloze(
        cloze.marked(text.replace("\ud800", ""), found), PLACE, LIBRARY, Obsidian()
    )[0].html
    notetype = anki.models.by_name("Cloze")
    assert notetype is not None
    note = anki.new_note(notetype)
    note["Text"] = html
    numbers = note.cloze_numbers_in_fields()
    assert set(numbers) == cloze.numbers(html) <= set(range(1, found.cards + 1))
    for number in numbers:
        shown = note.ephemeral_card(number - 1).render_output()
        assert "No cloze" not in shown.question_text
        assert "{{c" not in shown.question_text
    assert_sound(html)


# ---------------------------------------------------------------- time

UNITS = (
    *("[", "[[", "![[", "]", "`", "``", "=", "==", "$", "$$", ">", "> ", "<", "<a", "</", "<!--"),
    *(
        "*",
        "**",
        "_",
        "|",
        "~",
        "~~",
        "%",
        "%%",
        "{",
        "{{",
        "}}",
        "^",
        "^[",
        "[^",
        "!",
        "![",
        "(",
        "](",
    ),
    *("\\", "&", "#", "- ", "\t", " ", "1. ", "\n", "\n\n", "\n- ", "\n> ", "\n>", "\n\t- ", "\n#"),
    *(
        "\n```",
        "\n~~~",
        "\n$$",
        "\n|",
        "\n| a |",
        "\n|-|",
        "\n[^1]: ",
        "\n[a]: ",
        "\n> [!a]",
        "\n---",
    ),
    *(
        "[^1]",
        "^a ",
        "$a ",
        "`a ",
        "**a ",
        "==a ",
        "[[a",
        "<b>",
        "</b>",
        "<div>",
        "http://",
        "www.a",
    ),
    *(
        "a@b",
        "\\$",
        "\n$ ",
        "%% ",
        "<!-- ",
        "[sound:",
        "{{c1::",
        "\ufdd0",
        "é",
        "[a](",
        "\n    ",
        "x\n\t",
    ),
    *(
        "[[cell]]",
        "$x$",
        "==x==",
        "`x`",
        "%%x%%",
        "<b>x</b>",
        "[^1] ",
        "\n- [ ] x",
        "> [!a] x\n> y\n\n",
        "~~==",
        "\n\t> - a\n",
        "<list>",
    ),
)
SHORT, LONG = 4_000, 32_000
"""Characters; eight times as many may take up to `MOST` times as long."""
MOST = 30


def cost(text: str, asked: bool) -> float:
    """Seconds of this thread for one rendering, the least of several."""
    marked = cloze.Marked(f"\ufdd00\ufdd1{text}\ufdd2", (cloze.Mark((1,), None),))
    least = 1e9
    for _ in range(3):
        start = time.thread_time()
        if asked:
            render.cloze(marked, PLACE, LIBRARY, Obsidian())
        else:
            render.side(text, PLACE, LIBRARY, Obsidian())
        least = min(least, time.thread_time() - start)
    return least


def grown(unit: str, length: int) -> str:
    return f"x {unit * (length // len(unit))} y\nz"


def assert_linear(unit: str, asked: bool) -> None:
    """Quadratic time would be 64 times as long; what takes a millisecond is not measured."""
    short = max(cost(grown(unit, SHORT), asked), 0.002)
    assert cost(grown(unit, LONG), asked) < MOST * short


@pytest.mark.parametrize("asked", [False, True], ids=["side", "cloze"])
@pytest.mark.parametrize("unit", UNITS)
def test_time_grows_with_length_alone(unit: str, asked: bool) -> None:
    assert_linear(unit, asked)


@given(st.lists(st.sampled_from(UNITS), min_size=2, max_size=4).map("".join), st.booleans())
def test_time_grows_with_length_alone_for_mixtures(unit: str, asked: bool) -> None:
    assert_linear(unit, asked)
