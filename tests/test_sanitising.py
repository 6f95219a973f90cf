"""Raw HTML that was written to do harm, or that no browser would read as it was meant."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import render
from obs2anki.data import VaultPath
from obs2anki.render import page
from obs2anki.settings import Obsidian
from tests import vault_files

LIBRARY = vault_files.library("a.md", "a.png", "a.pdf")
PLACE = render.Place(VaultPath("a.md"), 1, "V")

TAGS = frozenset(
    re.findall(
        r"\S+",
        """
        a abbr article aside audio b bdi bdo big blockquote br caption center cite code col
        colgroup dd del details dfn div dl dt em figcaption figure font footer h1 h2 h3 h4
        h5 h6 header hgroup hr i img input ins kbd li main map area mark nav ol p pre q rp
        rt ruby s samp section small source span strike strong sub summary sup table tbody
        td tfoot th thead time tr tt u ul var video wbr
        """,
    )
)
ADDRESSES = ("https://", "http://", "obsidian://")


def side(text: str) -> str:
    """A side's HTML."""
    return render.side(text, PLACE, LIBRARY, Obsidian())[0].html


class Harm(HTMLParser):
    """Collects whatever could act, or lead to something that acts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("srcdoc", "action", "formaction", "id", "name"):
                self.found.append(name)
            if name in ("href", "src") and not (value or "").startswith((*ADDRESSES, "a-")):
                self.found.append(f"{name}={value}")
            if name == "style":  # an opened bracket holds all that follows, to a browser too
                declared = (value or "").partition("(")[0].split(";")
                names = {declaration.partition(":")[0].strip() for declaration in declared}
                self.found += sorted(names - page._STYLES - {""})

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")

    def handle_data(self, data: str) -> None:
        self.words += data


HOSTILE = (
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//a.b/c.js></SCRIPT>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    '<img src="a.png" onload="alert(1)" style="position:fixed;background:url(https://a.b)">',
    '<img src="data:image/svg+xml,<svg onload=alert(1)>">',
    '<img srcset="javascript:alert(1) 1x, data:x 2x">',
    '<a href="javascript:alert(1)">a</a>',
    '<a href="JaVa&#115;cript:alert(1)">a</a>',
    '<a href="&#1;javascript:alert(1)">a</a>',
    '<a href="data:text/html,<script>alert(1)</script>">a</a>',
    '<a href="vbscript:x">a</a><a href="file:///etc/passwd">b</a><a href="blob:x">c</a>',
    "[a](javascript:alert(1)) ![b](data:text/html,x) <javascript:alert(1)>",
    "[a](<java\tscript:alert(1)>) [b](JAVASCRIPT&colon;alert(1))",
    '<iframe src="javascript:alert(1)"></iframe>',
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<iframe src="https://a.b/&quot;onload=&quot;alert(1)" title="<img src=x onerror=alert(1)>">',
    "<iframe src='https://a.b/\"><script>alert(1)</script>'></iframe>",
    '<object data="data:text/html,x"></object><embed src="file:///etc/passwd">',
    '<form action="javascript:alert(1)"><button formaction="javascript:x">a</button></form>',
    '<form id="qa" name="body"><input name="innerHTML"></form>',
    "<style>*{display:none}</style>",
    "<style><img src='</style><img src=x onerror=alert(1)>'></style>",
    "<svg onload=alert(1)></svg>",
    "<svg><script>alert(1)</script></svg>",
    "<svg></p><style><a title='</style><img src=x onerror=alert(1)>'>",
    "<math></p><style><!--</style><img title='--&gt;&lt;img src=x onerror=alert(1)&gt;'>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img onerror=x&gt;'>",
    "<form><math><mtext></form><form><mglyph><svg><mtext><style><p id='</style><img onload=x>'>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<template><img src=x onerror=alert(1)>",
    "<textarea><img title='</textarea><img src=x onerror=alert(1)>'>",
    "<title><a title='</title><img src=x onerror=alert(1)>'></title>",
    "<xmp><p title='</xmp><svg/onload=alert(1)>'>",
    "<plaintext><script>alert(1)</script>",
    "<noembed><noframes><iframe>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<!--!><script>alert(1)</script>-->",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<!DOCTYPE html><html><head><base href='//a.b'><meta http-equiv=refresh></head><body>",
    "<link rel=stylesheet href=//a.b><?php x ?>",
    "<details ontoggle=alert(1) open><summary>a</summary></details>",
    "<video src=x onerror=alert(1)><source src='javascript:x' onerror=alert(1)></video>",
    "<audio src='data:audio/wav,x' autoplay></audio>",
    "<table><td background='javascript:x'><select><option><style></option></select></style>",
    "<marquee onstart=alert(1)>a</marquee><keygen autofocus onfocus=alert(1)>",
    "<input type=image src=x onerror=alert(1)><input type=checkbox onfocus=alert(1) autofocus>",
    '<div style="color:expression(alert(1));behavior:url(x);-moz-binding:url(x)">a</div>',
    "<a href='https://a.b' target=_blank ping='//c.d' onclick='x'>a</a>",
    "<b><i></b><u></i></u></p></div></td></blockquote></details>",
)


@pytest.mark.parametrize("html", HOSTILE)
@pytest.mark.parametrize(
    "frame", ["{}", "{}\n\ntext", "> [!tip]- {}\n> x", "- {}", "| a |\n|-|\n| {} |"]
)
def test_nothing_that_acts_reaches_a_card(html: str, frame: str) -> None:
    once = side(frame.format(html))
    assert not Harm(once).found
    # As a browser may read it differently from what nh3 read: a second look finds nothing either.
    again = page._cleaner().clean(once)
    assert not Harm(again).found


@given(st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=4), st.data())
def test_pieces_of_hostile_html_do_no_harm_together(parts: list[str], data: st.DataObject) -> None:
    cut = [part[data.draw(st.integers(0, len(part))) :] for part in parts]
    ends = [part[: data.draw(st.integers(0, len(part)))] for part in parts]
    for text in ("".join(cut), "".join(ends), "".join(map("".join, zip(ends, cut, strict=True)))):
        assert not Harm(side(text)).found


FORMS_AND_PAGES = {
    *("body", "button", "fieldset", "font", "form", "frameset", "head", "html", "label"),
    *("marquee", "object", "option", "select", "unknown-tag", "textarea", "title", "xmp"),
    *("applet", "iframe", "noembed", "noframes", "noscript", "plaintext", "template"),
    *("keygen", "listing", "isindex", "image", "nobr", "optgroup", "dir", "menu", "dialog"),
}
# Names that SVG and MathML alone have: what programs include, and what types take.
DRAWINGS_AND_FORMULAS = {
    *("circle", "cursor", "defs", "desc", "discard", "g", "line", "marker", "mask", "metadata"),
    *("mpath", "path", "pattern", "rect", "set", "stop", "switch", "symbol", "text", "use", "view"),
    *("and", "abs", "arg", "card", "ci", "cn", "condition", "degree", "diff", "domain", "eq"),
    *("exists", "exp", "false", "fn", "gt", "in", "int", "interval", "lambda", "limit", "list"),
    *("log", "lt", "math", "matrix", "max", "mean", "mi", "min", "mode", "none", "not", "or", "pi"),
    *("plus", "power", "product", "real", "root", "selector", "sep", "share", "sum", "times"),
    *("true", "union", "vector", "xor"),
}


@pytest.mark.parametrize(
    "tag",
    sorted({*nh3.ALLOWED_TAGS, *DRAWINGS_AND_FORMULAS, *FORMS_AND_PAGES}),
)
@pytest.mark.parametrize(
    "form", ["a <{0}> KEPT", "<{0}>KEPT</{0}>", "a </{0}> KEPT", "<{0} x='y>'> KEPT", "<{0} KEPT"]
)
def test_no_tag_takes_the_text_behind_it_along(tag: str, form: str) -> None:
    assert "KEPT" in side(form.format(tag) + " KEPT")


def test_text_without_tags_never_meets_the_sanitiser(monkeypatch: pytest.MonkeyPatch) -> None:
    def met(*_: object) -> str:
        raise AssertionError("the sanitiser was called")

    monkeypatch.setattr(page, "_sanitised", met)
    assert side("a < b, **c** ==d== [e](https://f.g) `<h>` 1 <2\n\n```js\n<i>\n```")
    assert side("H<sub>2</sub>O<br>**<u>d</u>** <kbd>e</kbd>") == (
        "H<sub>2</sub>O<br><strong><u>d</u></strong> <kbd>e</kbd>"
    )
    for text in ("<b>a", "<b class=c>a</b>", "<b>*a</b>*", "<b>a\n\nb</b>", "<div>a</div>"):
        with pytest.raises(AssertionError):
            side(text)


SOUND_OR_NOT = (
    *("<b>", "</b>", "<u>x</u>", "<sub>2</sub>", "<sup>", "</sup>", "<br>", "<br/>", "<br />"),
    *("<kbd>a b</kbd>", "<U>y</U>", "<s>z.</s>", "<mark>·</mark>", "<i >w</i>", "</u>", "<u>"),
    *("x", "word ", ". ", "\n", "\n\n", "*", "**", "_", "~~", "==", "`", "\\", "|", "\n|-|\n"),
    *("[", "](b)", "[a]: ", "^[", "[^1]", "(", ")", "<", ">", "&", '"', "'t'", "&nbsp;", "&lt;"),
    *("\n> ", "\n- ", "\n# ", "\n    ", "https://a.b/", "$x$", "[[a]]", "![[a.png]]", ":", "!"),
)


@given(st.lists(st.sampled_from(SOUND_OR_NOT), min_size=1, max_size=16).map("".join))
def test_what_the_sanitiser_does_not_see_it_would_have_left_alone(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "_is_sound", lambda *_: False)
        sanitised = side(text)
    assert side(text) == sanitised


def test_many_frames_are_many_links() -> None:
    html = side("".join(f'<iframe src="https://a.b/{n}"></iframe>\n' for n in range(300)))
    assert html.count("<a href=") == 300


def test_a_drawing_that_is_not_shown_is_told_once_with_its_line() -> None:
    text = "a\nb <svg><text>c</text></svg> <SVG></SVG>"
    library = vault_files.library(documents={"a.md": text})
    place = render.Place(VaultPath("a.md"), 1, "", end_line=2)
    _, findings = render.side(text, place, library, Obsidian())
    assert [(d.code, d.line, d.column) for d in findings] == [("O612", 2, 3), ("O612", 2, 29)]


@pytest.mark.parametrize("piece", ['<iframe "', "<iframe src='", "<svg>", "<svg></svg>", "<path "])
def test_runs_of_what_looks_like_tags_are_read_once(piece: str) -> None:
    # Quadratic time would take minutes here.
    assert side(f"<b>KEPT</b> {piece * 1900}x").count("KEPT") == 1
    assert "KEPT" in side(f"<b>KEPT</b> {piece}{'x' * 3_000_000}")
