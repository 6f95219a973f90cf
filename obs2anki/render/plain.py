r"""Text that means little to Obsidian, made HTML by a shorter way than all other.

    What does *kombu* mean?              ->   What does <em>kombu</em> mean?
    the capital of ⟦0⟧Oslo⟦/⟧ is small   ->   the capital of {{c1::Oslo}} is small

What is answered here is what the long way would answer, character by character: a text is taken
only if each step of that is known to leave it as it is. None means that it may be another.
"""

from __future__ import annotations

import re
import unicodedata

from obs2anki import cloze as _cloze
from obs2anki.ankitext import clean
from obs2anki.render import deletions, fragment, page

# Letters, digits and such marks as mean nothing to Markdown.
_RUN = (
    r"[A-Za-z0-9 ,;?!'()/“”‘’«»„–—…¿¡，。？！：；、（）]++"
    r"|[^\W_]++|[.:](?!\S)|-(?=\w)"
)
# `*em*` and `**strong**` apart from other words: here the first mark can only open, the last one
# only close, and there are no others between or beside them.
_EMPHASISED = rf"(?=[A-Za-z0-9])(?:{_RUN})++(?<=[A-Za-z0-9])"
_AFTER = r"(?=[ ,;.:?!)]|\Z)"
_EMPHASIS = rf"(?<!\S)\*(?:{_EMPHASISED}\*|\*{_EMPHASISED}\*\*){_AFTER}"
_LINE = re.compile(rf"(?:[^\W\d_]|(?=\*))(?:{_RUN}|{_EMPHASIS})*+")
_DELETION = rf"{_cloze.OPEN}[0-9]{{1,9}}{_cloze.BODY}(?:{_RUN})*+{_cloze.CLOSE}"
_CLOZE = re.compile(rf"(?:[^\W\d_]|(?=[*{_cloze.OPEN}]))(?:{_RUN}|{_EMPHASIS}|{_DELETION})*+")
_MARKS = re.compile(f"{_cloze.OPEN}([0-9]+){_cloze.BODY}([^{_cloze.CLOSE}]*){_cloze.CLOSE}")

# What Markdown alone knows: no maths, links, code, HTML, entities, footnotes, tables, quotes,
# comments or escapes, nor anything that `fragment` takes out.
_TAME = bytes(code for code in (10, *range(32, 127)) if chr(code) not in "$%&<>[\\^`|~")
_TAME_AND_BEYOND = _TAME + bytes(range(128, 256))


def line(text: str) -> str | None:
    """The HTML of a line of words, some of them emphasised."""
    if not _LINE.fullmatch(text) or not unicodedata.is_normalized("NFC", text):
        return None
    return _emphasised(text.rstrip()) if "*" in text else text.rstrip()


def _emphasised(text: str) -> str:
    if "**" in text:
        text = _between(text.split("**"), "strong")
    return _between(text.split("*"), "em")


def _between(pieces: list[str], tag: str) -> str:
    """The pieces with every other one in a tag; they are odd in number."""
    pieces[1::2] = [f"<{tag}>{piece}</{tag}>" for piece in pieces[1::2]]
    return "".join(pieces)


def side(text: str, strict_line_breaks: bool) -> str | None:
    """The HTML of emphasis, lists and paragraphs, as Anki stores it."""
    html = line(text)
    if html is None:
        if not _is_tame(text):
            return None
        html = page.plain(fragment.laid_out(text), strict_line_breaks)
    # What is made of ASCII without control characters is such again.
    return html if html is None or html.isascii() else clean(html)


def _is_tame(text: str) -> bool:
    if text.isascii():
        return not text.encode().translate(None, _TAME)
    return (
        not text.encode("utf-8", "surrogatepass").translate(None, _TAME_AND_BEYOND)
        and text.replace("\n", "").isprintable()
        and unicodedata.is_normalized("NFC", text)
    )


def cloze(marked: _cloze.Marked) -> str | None:
    """The HTML of a line of words with deletions among them, their hints words as well."""
    text = marked.text
    if not _CLOZE.fullmatch(text) or "image-" in text:
        return None
    if not unicodedata.is_normalized("NFC", text):
        return None
    pieces = _MARKS.split(_emphasised(text.rstrip()) if "*" in text else text.rstrip())
    for at in range(1, len(pieces), 3):
        asked = _asked(marked, int(pieces[at])) if pieces[at + 1].strip() else None
        if asked is None:
            return None
        pieces[at], pieces[at + 2] = asked.opening, asked.closing + pieces[at + 2]
    return "".join(pieces)


def _asked(marked: _cloze.Marked, number: int) -> deletions.Asked | None:
    if number >= len(marked.marks):
        return None
    mark = marked.marks[number]
    hint = line(mark.hint) if mark.hint and mark.hint.strip() else ""
    return None if hint is None else deletions.asked(mark.ordinals, hint)
