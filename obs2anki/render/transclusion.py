"""Documents, sections and blocks that stand in another document: `![[cell#Nucleus]]`.

    <div class="embed"><div class="embed-title"><a href="obsidian://...">cell &gt; Nucleus</a></div>
    It holds the DNA.</div>

A vault may come from anyone, and ten documents that embed one another ten times would fill a
disk. So embeds nest to a depth, and a side embeds up to a length; beyond that a link remains.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from msgspec import structs

from obs2anki.data import Source, VaultPath
from obs2anki.media import Library
from obs2anki.render.links import Links, Missing, Target
from obs2anki.render.passages import Outline, Passage, outline

DEEPEST = 5
"""Embeds nest no deeper, as in Obsidian."""

LONGEST = 50_000
"""Characters that one side embeds, those within others included."""

_LEAST = 100
"""What an embed counts at least, shown or not, in characters: its frame is as long."""

_IN, _OUT = "\ufdd8", "\ufdd9"


class Transclusion:
    """What one side embeds."""

    def __init__(self, flow: Callable[[str, Links], str], right_to_left: bool) -> None:
        """Take what makes HTML of Markdown, and how documents run that do not say it."""
        self.flow = flow
        self.right_to_left = right_to_left
        self.room = LONGEST
        self.open: list[tuple[VaultPath, Passage]] = []
        """What is being shown, outermost first."""

    def shown(self, links: Links, target: Target, written: str, title: str) -> str:
        """The passage as a block with a title, or a placeholder and a finding.

        `written` is how the document of `links` names it.
        """
        assert links.library is not None
        links.named.documents[target.path] = None
        found = _outline(links.library, target.path)
        if found is None:
            return self._refused(links, target, written, "O606", "not shown", "it cannot be read")
        passage = found.passage(target.subpath)
        if passage is None:
            last = target.subpath.rpartition("#")[2].strip()
            what = f"block {last}" if last.startswith("^") else f"heading {last}"
            return self._refused(links, target, written, "O606", "missing", f"it has no {what}")
        if (target.path, passage) in self.open:
            return self._refused(links, target, written, "O607", "embeds itself")
        if len(self.open) >= DEEPEST:
            return self._refused(links, target, written, "O608", "embedded too deep", DEEPEST)
        if not self.afford(max(found.size(passage), _LEAST)):
            return self._refused(links, target, written, "O609", "too long to embed", LONGEST)
        return self._block(links, target, found, passage, title or _title(target))

    def afford(self, size: int) -> bool:
        """Whether there is room for so many characters; if so, they take it."""
        if size > self.room:
            return False
        self.room -= size
        return True

    def _block(
        self, links: Links, target: Target, found: Outline, passage: Passage, title: str
    ) -> str:
        rtl = self.right_to_left if found.rtl is None else found.rtl
        place = structs.replace(
            links.place,
            path=target.path,
            line=passage.line,
            end_line=passage.end_line,
            rtl=rtl,
        )
        self.open.append((target.path, passage))
        html = self.flow(found.text(passage), links.at(place, self))
        self.open.pop()
        way = "rtl" if rtl else "ltr"
        direction = "" if rtl is links.place.rtl else f' dir="{way}"'
        heading = f'<div class="embed-title">{links.link(target, title)}</div>'
        return f'{_IN}<div class="embed"{direction}>{heading}\n{html}</div>{_OUT}'

    def _refused(
        self, links: Links, target: Target, written: str, code: str, why: str, *details: object
    ) -> str:
        """A placeholder, which leads to the document as long as there is room."""
        name = _name(target)
        links.found(code, written, name, *details)
        self.room -= _LEAST
        return Missing(why, name, links.link(target, name) if self.room > 0 else "").html


def _outline(library: Library, path: VaultPath) -> Outline | None:
    text = library.text(path)
    return None if text is None else outline(Source(path, text))


def _name(target: Target) -> str:
    """A passage as Obsidian shows a link to it: `cell > Nucleus`."""
    stem = target.path.rpartition("/")[2].removesuffix(".md")
    return stem + target.subpath.replace("#", " > ")


def _title(target: Target) -> str:
    """The same without the id of a block, which says nothing to readers."""
    path, mark, last = target.subpath.rpartition("#")
    block = bool(mark) and last.lstrip().startswith("^")
    return _name(Target(target.path, path) if block else target)


# ---------------------------------------------------------------- blocks among text

_TAG = re.compile(
    f"(?P<block>[{_IN}{_OUT}])"
    r'|<(?P<close>/?)(?P<name>[a-zA-Z][a-zA-Z0-9]*)[^">]*(?:"[^"]*"[^">]*)*>'
)
_MARKS = re.compile(f"[{_IN}{_OUT}]")
_BREAKS = re.compile(rf"<br>\n?(?={_IN})|(?<={_OUT})<br>\n?")


def without_paragraphs_around(html: str) -> str:
    """HTML in which no embed stands in a `<p>`: a browser would end the paragraph there.

    Such a paragraph becomes a `<div>`; one that holds nothing else goes.
    """
    if _IN not in html:
        return html
    html = _BREAKS.sub("", html)
    pieces: list[str] = []
    opened: list[int] = []  # for each `<p>` that is open the index of its tag among the pieces
    holding: set[int] = set()
    position = 0
    for match in _TAG.finditer(html):
        pieces += (html[position : match.start()], match[0])
        position = match.end()
        if match["block"]:
            holding.update(opened[-1:])
        elif match["name"].lower() == "p" and not match["close"]:
            opened.append(len(pieces) - 1)
        elif match["name"].lower() == "p" and opened and (start := opened.pop()) in holding:
            pieces[start], pieces[-1] = _around("".join(pieces[start + 1 : -1]))
    return _MARKS.sub("", "".join((*pieces, html[position:])))


def _around(content: str) -> tuple[str, str]:
    """The tags around what a paragraph holds that embeds something."""
    alone = content.count(_IN) == 1 and content[:1] == _IN and content[-1:] == _OUT
    return ("", "") if alone else ('<div class="paragraph">', "</div>")
