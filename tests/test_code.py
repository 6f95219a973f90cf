"""Colours in code: the text stays what it was, and no text keeps a lexer busy."""

from __future__ import annotations

import re
import subprocess
import sys
from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_all_lexers

from obs2anki.notetypes import DEFINITIONS
from obs2anki.render import code
from obs2anki.render.atoms import CLOSE, OPEN, token

SNIPPETS = (
    *"()[]{}<>\"'`\\/*#$@=-+.:;&|!?%^~_a1 \n\t\r\xa0é漢",
    *("/*", "*/", "//", "<!--", "-->", '"""', "'''", "${", "#{", "{{", "{%", "<?", "?>", "<<A\n"),
    *("def ", "class ", "function ", "if ", "end\n", "let x = ", "SELECT ", "@a", "::", "=>", "->"),
    *("$ ls\n", ">>> 1\n", "... x\n", "a: ", "- ", "# ", "<a b='", "</a>", "<script>", "</style>"),
    *(
        "0x1f",
        "1e9",
        '\\"',
        "\\\n",
        "=begin\n",
        "=end\n",
        "__END__\n",
        "%(",
        'r#"',
        'R"x(',
        "&amp;",
    ),
)
PROGRAMS = st.lists(st.sampled_from(SNIPPETS), max_size=60).map("".join)
LANGUAGES = st.sampled_from(sorted(set(code.LEXERS.values())))


def block(language: str, text: str) -> str:
    """Fenced code as Markdown makes it."""
    return f'<pre><code class="language-{language}">{escape(text)}</code></pre>\n'


def shown(html: str) -> str:
    """The text that is read in a block."""
    inside = re.fullmatch(r"<pre[^>]*><code[^>]*>(.*)</code></pre>\n", html, re.DOTALL)
    assert inside is not None
    return unescape(re.sub(r"</?span[^>]*>", "", inside[1]))


@given(LANGUAGES, PROGRAMS | st.text(max_size=80))
def test_colours_change_no_character(language: str, text: str) -> None:
    assert shown(code.coloured(block(language, text))) == text


@given(LANGUAGES, st.lists(PROGRAMS, min_size=5, max_size=5))
def test_deletions_keep_their_places_and_lie_between_spans(language: str, parts: list[str]) -> None:
    marks = [token(OPEN, 0), token(OPEN, 1), token(CLOSE, 1), token(CLOSE, 0)]
    text = parts[0] + "".join(mark + part for mark, part in zip(marks, parts[1:], strict=True))
    html = code.coloured(block(language, text))
    assert shown(html) == text
    assert not re.search("<span[^>]*>[^<]*·[\ufdd0-\ufdd2]", html)


@given(LANGUAGES, PROGRAMS)
def test_colouring_twice_gives_the_same(language: str, text: str) -> None:
    once = code.coloured(block(language, text))
    assert code.coloured(once) == once


@pytest.mark.parametrize("name", sorted(set(code.LEXERS.values())))
def test_every_language_is_one_of_pygments(name: str) -> None:
    known = {alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases}
    assert name in known


def test_a_language_that_an_older_pygments_lacks_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(code.LEXERS, "tsx", "a lexer of next year")
    assert code.coloured(block("tsx", "let a = 1")) == block("tsx", "let a = 1")


def test_every_class_has_its_colour_in_the_stylesheet() -> None:
    for definition in DEFINITIONS.values():
        for name in set(code.CLASSES.values()):
            assert re.search(rf"pre \.{name}\b", definition.css), name


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("python", "python"),
        ("{python}", "python"),
        ("{.python", "python"),
        ("{r,", "r"),
        ("ts{1,3}", "ts"),
        ("python:area.py", "python"),
        ("C++", "c++"),
        ("f#", "f#"),
        ("objective-c", "objective-c"),
        ("vb.net", "vb.net"),
        ("vb.", "vb"),
        ("{}", ""),
        ('"', ""),
    ],
)
def test_the_line_of_a_fence_names_its_language(info: str, language: str) -> None:
    assert code.language(info) == language


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\n" * (code.MOST_CHARACTERS // 6 + 1),
        f'x = "{"a" * 500}"\n',
        "x = 1\n" + "\n" * 12 + "y = 2\n",
        "x = 1\n" + "a b\n" * 100,
    ],
    ids=["long", "in one line", "blank lines", "words alone"],
)
def test_code_that_could_keep_a_lexer_busy_is_plain(text: str) -> None:
    assert code.coloured(block("java", text)) == block("java", text)


def test_a_block_that_is_just_short_enough_has_colours() -> None:
    text = "x = 1\n" * (code.MOST_CHARACTERS // 6)
    assert '<span class="m">1</span>' in code.coloured(block("python", text))


def test_php_needs_no_opening_tag() -> None:
    assert '<span class="k">if</span>' in code.coloured(block("php", "if ($a) { b(); }"))


def test_pygments_is_imported_for_code_only() -> None:
    program = (
        "import sys\n"
        "from obs2anki.render import code, page\n"
        "code.coloured('<pre><code class=\"language-xyz\">a</code></pre>')\n"
        "assert 'pygments' not in sys.modules\n"
        "code.coloured('<pre><code class=\"language-c\">a</code></pre>')\n"
        "assert 'pygments' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
