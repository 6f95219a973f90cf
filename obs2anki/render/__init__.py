r"""Markdown as Obsidian shows it, as HTML for the fields of an Anki note.

    What is ==$x_1$== in ![[axes.png|300]]?

becomes `What is <mark>\(x_1\)</mark> in <img src="axes-3f2a91c07b5e.png" width="300">?`, and the
image is named as a medium to be packed. A side never fails to render; what cannot be shown is a
finding, with a placeholder on the card.

The rooms behind this door, in the order of the work: `plain` knows a shorter way for what most
people write; `fragment` makes of Obsidian's Markdown what a parser understands, `links` knows
what a link in the vault means, `page` makes HTML, and `deletions` makes Anki's clozes.
`transclusion` goes through all of them once more for each document that is embedded, `passages`
finds what is embedded of it. `atoms` is what they put aside for one another.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape
from typing import NamedTuple

from obs2anki import cloze as _cloze
from obs2anki.data import Diagnostic, Media, VaultPath
from obs2anki.markdown import normalised
from obs2anki.media import Library
from obs2anki.render import deletions, page, plain
from obs2anki.render.atoms import (
    CLOSE,
    OPEN,
    Shelf,
    attribute,
    inert,
    token,
    without_control,
    without_noncharacters,
)
from obs2anki.render.fragment import prepared
from obs2anki.render.links import Links, Lookup, Place, obsidian_url, quoted
from obs2anki.render.plain import side as simple
from obs2anki.render.transclusion import Transclusion, without_paragraphs_around
from obs2anki.settings import Obsidian

__all__ = ["Lookup", "Place", "Rendered", "cloze", "context", "side", "simple", "source_link"]


class Rendered(NamedTuple):
    """The HTML of a field, and what of the vault went into it."""

    html: str
    media: tuple[Media, ...] = ()
    """What it refers to and is packed."""
    online: tuple[str, ...] = ()
    """Addresses of media that it shows from the web."""
    lookups: tuple[Lookup, ...] = ()
    """What the library was asked. With the same answers, and the same texts and files behind
    `documents` and `media`, the same text gives the same HTML; but where a finding speaks of a
    file that is not packed (O603, O610, O611), that file has to be looked at again."""
    documents: tuple[VaultPath, ...] = ()
    """Documents that were looked into for what it embeds."""


def side(
    text: str, place: Place, library: Library, obsidian: Obsidian
) -> tuple[Rendered, list[Diagnostic]]:
    """A side of a flashcard as HTML; "" if nothing of it is to be shown."""
    if not place.rtl and (html := simple(text, obsidian.strict_line_breaks)) is not None:
        return Rendered(html), []
    return _side_in_full(text, place, library, obsidian)


def _side_in_full(
    text: str, place: Place, library: Library, obsidian: Obsidian
) -> tuple[Rendered, list[Diagnostic]]:
    shelf, links = Shelf(), _links(text, place, library, obsidian)
    html = _flow(text, shelf, links, obsidian)
    return _rendered(html, links), list(links.named.diagnostics)


def cloze(
    marked: _cloze.Marked, place: Place, library: Library, obsidian: Obsidian
) -> tuple[Rendered, list[Diagnostic]]:
    """A marked cloze text as HTML with Anki's `{{c1::answer::hint}}`.

    A deletion whose marks do not survive Markdown (in an address, in the name of a language)
    is plain text: `cloze.numbers` of the result says which are asked.
    """
    if not place.rtl and (html := plain.cloze(marked)) is not None:
        return Rendered(html), []
    return _cloze_in_full(marked, place, library, obsidian)


def _cloze_in_full(
    marked: _cloze.Marked, place: Place, library: Library, obsidian: Obsidian
) -> tuple[Rendered, list[Diagnostic]]:
    shelf = Shelf()
    text, asked = _with_tokens(marked, shelf)
    links = _links(text, place, library, obsidian, shelf.opened)
    html = _flow(text, shelf, links, obsidian)
    clozes: dict[int, deletions.Asked] = {}
    for number, mark in enumerate(asked):
        if cloze := deletions.asked(mark.ordinals, _hint(mark.hint, links, obsidian)):
            clozes[number] = cloze
    html = without_noncharacters(deletions.placed(html, clozes))
    return _rendered(html, links), list(links.named.diagnostics)


def context(title: str, headings: tuple[str, ...]) -> str:
    """The Context field: the document's title and the headings above the question.

    A first heading that only says the title again is left out.
    """
    if headings and (headings[0] == title or normalised(headings[0]) == normalised(title)):
        headings = headings[1:]
    parts = [_title(title), *[_heading(heading) for heading in headings]]
    return '<span class="separator"> › </span>'.join(filter(None, parts))


def named(vault: str) -> str:
    """How the vault's name stands in the fields' links, escaped as they are."""
    return f"vault={quoted(vault)}&amp;" if vault else "\0"


def source_link(place: Place, block_id: str | None) -> str:
    """The Source field: a link that opens the document in Obsidian, at its block if it has one."""
    url = obsidian_url(place.vault, place.path, f"#^{block_id}" if block_id else "")
    return f'<a href="{attribute(url)}">{_text(place.path.removesuffix(".md"))}</a>'


@lru_cache(maxsize=16)  # headings of one document come one after the other
def _title(name: str) -> str:
    return _text(name)


def _text(name: str) -> str:
    """The name of a file as HTML: whatever it says, Anki takes it for text."""
    return inert(escape(without_control(name), quote=False))


def _links(text: str, place: Place, library: Library, obsidian: Obsidian, opened: int = 0) -> Links:
    """The links of a side, which shows what it embeds; `opened` deletions are marked in it."""
    # Neither `![[a]]`, `![](a)` nor `<img src="a">`, nor a footnote that may hold them.
    if not ("!" in text or "<" in text or "[^" in text):
        return Links(place, library)

    def flow(text: str, links: Links) -> str:
        # The maths of an embedded document is marked for the deletions around it.
        return _flow(without_control(text), Shelf(opened=opened), links, obsidian)

    return Links(place, library, Transclusion(flow, obsidian.right_to_left))


def _flow(text: str, shelf: Shelf, links: Links, obsidian: Obsidian) -> str:
    """HTML of a text, deletions still being tokens in it."""
    markdown = prepared(text, shelf, links)
    if not markdown:
        return ""
    html = page.html(markdown, shelf, links, obsidian.strict_line_breaks)
    return without_paragraphs_around(html)


def _rendered(html: str, links: Links) -> Rendered:
    if links.place.rtl and html:
        html = f'<div dir="rtl">{html}</div>'
    named = links.named
    if not (named.lookups or named.media or named.online or named.documents):
        return Rendered(html)
    return Rendered(
        html,
        media=tuple(named.media.values()),
        online=tuple(named.online),
        lookups=tuple(named.lookups),
        documents=tuple(named.documents),
    )


# ---------------------------------------------------------------- clozes

# It begins with a set of characters, for which a regex engine searches fast.
_MARKER = re.compile(f"[\ufdd0-\ufdef](?:(?<={_cloze.OPEN})([0-9]{{1,9}}){_cloze.BODY})?")


def _with_tokens(marked: _cloze.Marked, shelf: Shelf) -> tuple[str, list[_cloze.Mark]]:
    """The text with paired tokens for its markers; what is asked there, by the tokens' numbers."""
    asked: list[_cloze.Mark] = []
    opened: list[int] = []

    def replaced(match: re.Match[str]) -> str:
        marker, k = match.group(0, 1)
        if k is not None and int(k) < len(marked.marks):
            opened.append(len(asked))
            asked.append(marked.marks[int(k)])
            return token(OPEN, opened[-1])
        if marker == _cloze.CLOSE and opened:
            return token(CLOSE, opened.pop())
        return ""

    text = _MARKER.sub(replaced, marked.text)
    shelf.opened = len(asked)
    return text, asked


def _hint(hint: str | None, links: Links, obsidian: Obsidian) -> str:
    """A hint as HTML within one line."""
    if not hint or not hint.strip():
        return ""
    # A hint stands within a line, so that what it embeds stays a link.
    within = links.at(links.place, None)
    html = without_noncharacters(_flow(hint, Shelf(), within, obsidian))
    if html.startswith("<") and re.match(r"<(?:p|ul|ol|h[1-6]|pre|table|div|blockquote)\b", html):
        html = escape(without_noncharacters(hint), quote=False)
    return deletions.hint_apart(html)


# ---------------------------------------------------------------- context

_NOWHERE = Place(VaultPath(""), 1, "")
_LINKS_AND_IMAGES = re.compile(r"</?a\b[^>]*>|<img\b[^>]*>|</?p>")


@lru_cache(maxsize=1024)  # many flashcards stand below one heading
def _heading(text: str) -> str:
    """A heading in one line: emphasis, code and maths stay, links are their text."""
    line = " ".join(text.split())
    if (words := plain.line(line)) is not None:
        return words
    html = _flow(line, Shelf(), Links(_NOWHERE, None), Obsidian())
    return _LINKS_AND_IMAGES.sub("", html).strip()
