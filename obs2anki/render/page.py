r"""From a prepared fragment to the HTML of a field: Markdown, sanitising, and what was put aside.

    **What** is ·0·?    ->    <strong>What</strong> is \\(x_1\\)?

comrak reads the Markdown. Raw HTML goes through nh3, whose time is paid only where there is any.
One walk over the tags then mends links and images and puts back what was put aside; `code` gives
fenced code its colours.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape, unescape

import comrak
import nh3

from obs2anki.render import code
from obs2anki.render import links as _links
from obs2anki.render.atoms import (
    ATOM,
    CALLOUT,
    CLOSE,
    MATHS_IN,
    MATHS_OUT,
    OPEN,
    TOKEN,
    Shelf,
    attribute,
    inert,
    token,
)
from obs2anki.render.links import Links, Missing

_MOST_TAGS = 2_000
"""Raw HTML with more `<` than this is shown as text: a sanitiser's time grows with its depth."""
_MOST_FOOTNOTES = 200
"""With more than this in one fragment, `[^1]` is text: comrak's time grows with their square."""
_MOST_TOUCHING = 500
"""With more `~~==` in one fragment, `==` is text, for the same reason."""
_MOST_ADDRESSES = 500
"""With more `@` in one fragment, an address is text: comrak's stack grows with those of mail."""

_MOST_COLUMNS = 64
_MOST_CELLS = 50_000
"""A table with many more cells than it writes is text: comrak would make up all of them."""

_MAY_BE_HTML = re.compile(r"<[A-Za-z/!?]")


def html(markdown: str, shelf: Shelf, links: Links, strict_line_breaks: bool) -> str:
    """The HTML of a prepared fragment; a lone paragraph is not wrapped.

    Deletions, if any are marked, are still tokens in it, and maths stands between its marks.
    """
    escaped = "<" in markdown and markdown.count("<") > _MOST_TAGS
    footnotes = "^" in markdown and _has_footnotes(markdown)
    tables = "|" in markdown and _has_tables(markdown)
    highlights, addresses = _has_highlights(markdown), _has_addresses(markdown)
    options = _options(strict_line_breaks, footnotes, tables, highlights, addresses, escaped)
    result = comrak.render_markdown(markdown, *options)
    if footnotes and "footnote" in result:
        result = _plain_footnotes(result)
    raw = not escaped and "<" in markdown and _holds_html(markdown, result, strict_line_breaks)
    # nh3 writes `<br>`; without it ` />` stands in tags only, for comrak escapes `>` elsewhere.
    result = _sanitised(result, shelf, links) if raw else result.replace(" />", ">")
    if "[" in result:
        result = inert(result)
    if "\\" in result:
        result = _without_delimiters(result)
    if raw:
        result = _Walk(shelf, links).over(result, _PIECE)
    elif shelf.callouts:
        result = _Walk(shelf, links).over(result, _OWN_PIECE_OR_QUOTE)
    elif _holds_links(markdown, result) or (not shelf.empty and "<code" in result):
        result = _Walk(shelf, links).over(result, _OWN_PIECE)
    elif shelf.atoms:
        result = _Walk(shelf, links).over_tokens(result)
    if shelf.atoms and "\\]" in result:
        result = _AFTER_DISPLAY.sub(r"\1", result)
    if shelf.opened and "<details" in result:
        result = _unfolded(result)
    if raw or "`" in markdown or "~" in markdown:
        result = code.coloured(result)
    return _unwrapped(result.rstrip("\n"))


def plain(markdown: str, strict_line_breaks: bool) -> str | None:
    """The same for a fragment without maths, links, code, HTML, entities, footnotes and tables.

    None: Markdown has found an address in it, or let a backslash stand.
    """
    addresses = _has_addresses(markdown)
    options = _options(strict_line_breaks, False, False, True, addresses, False)
    result = comrak.render_markdown(markdown, *options) if markdown else ""
    if "<a " in result or "\\" in result:
        return None
    return _unwrapped(result.replace(" />", ">").rstrip("\n"))


def _holds_links(markdown: str, result: str) -> bool:
    """Whether there are links or images in a result; the first look is a quick one."""
    may = "[" in markdown or ":" in markdown or "@" in markdown or "www." in markdown
    return may and ("<a " in result or "<img" in result)


def _holds_html(markdown: str, result: str, strict_line_breaks: bool) -> bool:
    """Whether there is raw HTML in a result; `<b>` in code is none."""
    if not _MAY_BE_HTML.search(markdown):
        return False
    if "`" not in markdown and "~~~" not in markdown:
        return not _is_sound(markdown, result)
    footnotes, tables = _has_footnotes(markdown), _has_tables(markdown)
    highlights, addresses = _has_highlights(markdown), _has_addresses(markdown)
    options = _options(strict_line_breaks, footnotes, tables, highlights, addresses, True)
    return comrak.render_markdown(markdown, *options) != result


# Mere text in a tag without attributes, and a break behind a word. They stand in one line, hold
# nothing that Markdown reads and are nothing that a link or a block of HTML could begin with; so
# they arrive as they are, each end with its beginning, in one and the same paragraph.
_SOUND = re.compile(
    r"(?<!\\)<(b|big|del|em|i|ins|kbd|mark|s|small|strong|sub|sup|u)>"
    r"(?=\S)[^<>\\`*_~=|!$\[\]\n]+</\1>"
    r"|(?<=[\w.,;!?])<br(?: /)?>"
)
_REWRITTEN = ("&quot;", "\u00a0", "<a ", "<img", "<input")
"""What nh3 would write otherwise."""


def _is_sound(markdown: str, result: str) -> bool:
    """Whether its raw HTML is such that nh3 would find nothing to do, nor write it otherwise."""
    if any(text in result for text in _REWRITTEN):
        return False
    return not _MAY_BE_HTML.search(_SOUND.sub(" ", markdown))


def _has_footnotes(markdown: str) -> bool:
    if "[^" not in markdown and "^[" not in markdown:
        return False
    return markdown.count("[^") + markdown.count("^[") <= _MOST_FOOTNOTES


def _has_highlights(markdown: str) -> bool:
    return "~~==" not in markdown or markdown.count("~~==") <= _MOST_TOUCHING


def _has_addresses(markdown: str) -> bool:
    return "@" not in markdown or markdown.count("@") <= _MOST_ADDRESSES


def _has_tables(markdown: str) -> bool:
    """Whether tables are in order: each row is filled up to the width of the widest."""
    pipes = markdown.count("|")
    if pipes <= _MOST_COLUMNS:
        return pipes > 0
    widths = [line.count("|") for line in markdown.split("\n") if "|" in line]
    return max(widths) * len(widths) <= _MOST_CELLS + 4 * pipes


@cache
def _options(
    strict_line_breaks: bool,
    footnotes: bool,
    tables: bool,
    highlights: bool,
    addresses: bool,
    escaped: bool,
) -> tuple[comrak.ExtensionOptions, comrak.ParseOptions, comrak.RenderOptions]:
    """Comrak's options; maths and wikilinks never get that far, so they are off."""
    extension = comrak.ExtensionOptions()
    extension.autolink = addresses
    extension.cjk_friendly_emphasis = True  # `**重要：**これ` is meant to be bold
    extension.highlight = highlights
    extension.strikethrough = True
    extension.table = tables
    extension.tasklist = True
    extension.footnotes = extension.inline_footnotes = footnotes
    parse = comrak.ParseOptions()
    parse.relaxed_tasklist_matching = True  # Obsidian: any character between the brackets
    render = comrak.RenderOptions()
    render.unsafe_ = True  # raw HTML is nh3's business, addresses are those of `links`
    render.escape = escaped
    render.hardbreaks = not strict_line_breaks
    render.tasklist_classes = True
    return extension, parse, render


# ---------------------------------------------------------------- raw HTML

_TAGS = nh3.ALLOWED_TAGS | {
    *("audio", "video", "source", "input", "section", "main", "font", "big", "tfoot")
}
_WITH_CONTENT = {"script", "style"}
"""Tags that go with all that they hold; of others only the tags go."""

_MEDIA_ATTRIBUTES = {"src", "width", "height"}
_PLAYER_ATTRIBUTES = _MEDIA_ATTRIBUTES | {"controls", "loop", "muted"}
_STYLES = frozenset(
    [
        "color",
        "background-color",
        "font-size",
        "font-style",
        "font-weight",
        "font-family",
        "font-variant",
        "text-align",
        "text-decoration",
        "text-transform",
        "text-indent",
        "line-height",
        "letter-spacing",
        "vertical-align",
        "white-space",
        "direction",
        "width",
        "height",
        "max-width",
        "max-height",
        "min-width",
        "margin",
        "margin-left",
        "margin-right",
        "margin-top",
        "margin-bottom",
        "padding",
        "padding-left",
        "padding-right",
        "padding-top",
        "padding-bottom",
        "border",
        "border-color",
        "border-style",
        "border-width",
        "border-radius",
        "border-collapse",
        "display",
        "float",
        "clear",
        "list-style-type",
    ]
)


@cache
def _cleaner() -> nh3.Cleaner:
    """What may stay of raw HTML: ordinary tags, no scripts, handlers, forms or frames."""
    attributes = {name: set(allowed) for name, allowed in nh3.ALLOWED_ATTRIBUTES.items()}
    attributes["*"] = {"class", "title", "lang", "dir", "style", "align", "data-callout"}
    for name in ("blockquote", "del", "ins", "q"):
        attributes[name].discard("cite")  # an address that nobody would look at
    attributes["img"] = {"src", "srcset", "alt", "width", "height"}
    attributes["audio"] = attributes["video"] = _PLAYER_ATTRIBUTES
    attributes["source"] = {"src", "type"}
    attributes["input"] = {"checked", "disabled"}
    attributes["details"] = {"open"}
    attributes["font"] = {"color", "face", "size"}
    attributes["ol"] = {"start", "type", "reversed"}
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=attributes,
        tag_attribute_values={"input": {"type": {"checkbox"}}},
        clean_content_tags=_WITH_CONTENT,
        filter_style_properties=set(_STYLES),
        # What `links` refuses with a finding has to get there.
        url_schemes={*_links.SCHEMES, *_links.REFUSED},
        link_rel=None,
    )


# A tag whose values may hold `<` and `>`, as in `srcdoc="<p>"`; else one that ends at the first.
_REST_OF_TAG = r"""(?:[^"'<>]*+(?:(?:"[^"]{0,2000}+"|'[^']{0,2000}+')[^"'<>]*+){0,16}+>|[^<>]*>)"""
# A browser reads what some others hold as other than HTML (`<template>`, `<title>`), or a `</p>`
# in them as that of another paragraph, and nh3 drops it in those that SVG and MathML alone have:
# `#include <list>`, `vector<int>` or `copy <path> to ...` would take the rest of the side along.
_KNOWN = "|".join(sorted(_TAGS | _WITH_CONTENT | {"image"}))
_UNKNOWN_TAG = re.compile(rf"</?(?!(?:{_KNOWN})[\s/>])[a-z]{_REST_OF_TAG}", re.IGNORECASE)
# What shows a page of its own, or would send something to one.
_FRAME = re.compile("<(embed|form|frame|iframe|object)\\b" + _REST_OF_TAG, re.IGNORECASE)
_ADDRESS = {"embed": "src", "form": "action", "frame": "src", "iframe": "src", "object": "data"}
_RAW_ATTRIBUTE = re.compile(
    r"""([a-z-]{1,32})\s{0,32}=\s{0,32}(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""", re.IGNORECASE
)
_WEB = re.compile(r"(?:https?:)?//(?:www\.)?", re.IGNORECASE)
_FILM = re.compile(r"youtube(?:-nocookie)?\.com/embed/([\w-]{1,32})", re.IGNORECASE)
_DRAWING = re.compile(r"<(/?)svg\b[^<>]*>", re.IGNORECASE)


# `<p and q`: a tag that has no end would take all along up to that of the next.
_UNFINISHED = re.compile(r"""<(?=/?[A-Za-z][^<>"']*+(?:<|\Z))""")


# `<mark style="background: #FFF3A3A6;">`: what plugins for highlights write.
_TAG = re.compile(r"<[A-Za-z][^<>]*>")
_BACKGROUND = re.compile(
    r"""\bbackground(?=\s{0,9}:\s{0,9}(?:\#[0-9a-f]{3,8}|[a-z]{3,32}|(?:rgb|hsl)a?\([^()]{0,64}\))"""
    r"""\s{0,9}[;"'])""",
    re.IGNORECASE,
)


def _sanitised(result: str, shelf: Shelf, links: Links) -> str:
    result = _UNFINISHED.sub("&lt;", result)
    seen: set[str] = set()
    if "background" in result:  # which may name a picture, so that only its colour is kept
        result = _TAG.sub(lambda match: _BACKGROUND.sub("background-color", match[0]), result)
    result = _FRAME.sub(lambda match: _link_to(match[1].lower(), match[0], shelf, seen), result)
    return _cleaner().clean(_UNKNOWN_TAG.sub("", _without_drawings(result, links)))


def _link_to(name: str, tag: str, shelf: Shelf, seen: set[str]) -> str:
    """A link to what a frame would show, once; "" if that is neither on the web nor a file."""
    found: dict[str, str] = {}
    for key, *values in _RAW_ATTRIBUTE.findall(tag):
        found.setdefault(key.lower(), shelf.source(unescape("".join(values))).strip())
    url = found.get(_ADDRESS[name], "")
    web = _WEB.match(url)
    if not url or url in seen or (not web and (name == "form" or ":" in url)):
        return ""
    seen.add(url)
    address = url[web.end() :] if web else url
    if web and (film := _FILM.match(address)):  # its player shows nothing outside of a frame
        address = f"youtube.com/watch?v={film[1]}"
        url = f"https://www.{address}"
    return f'<a href="{attribute(url)}">{escape(found.get("title") or address, quote=False)}</a>'


def _without_drawings(result: str, links: Links) -> str:
    """HTML with a placeholder and a finding for each `<svg>`: its text means nothing elsewhere."""
    out: list[str] = []
    position = start = depth = 0
    for found in _DRAWING.finditer(result):
        if not found[1]:
            start = found.start() if not depth else start
            depth += 1
        elif depth:
            depth -= 1
            if not depth:
                out += (result[position:start], Missing("not shown", "svg").html)
                links.found("O612", result[start : start + 4])
                position = found.end()
    return "".join(out) + result[position:]


# ---------------------------------------------------------------- touching up

_CODE_OR_TAG_OR_DELIMITER = re.compile(r"<code[^>]*>[^<]*</code>|<[^>]*>|\\(?=[(\[])")
_BACK_REFERENCE = re.compile(r' ?<a href="#fnref[^>]*>[^<]*(?:<sup[^>]*>[0-9]*</sup>)?</a>')
_REFERENCE = re.compile(r'<sup class="footnote-ref"><a href="#fn[^>]*>([^<]*)</a></sup>')
_FOOTNOTE_TAGS = re.compile(r'<li id="fn-[^>]*>|<section class="footnotes"[^>]*>')


# Maths on lines of its own is a block to a browser, below which a break is an empty line.
_AFTER_DISPLAY = re.compile(f"(\\\\\\]{MATHS_OUT}?(?:·{CLOSE}[0-9]+\ufdd1·)*)<br>")


def _without_delimiters(result: str) -> str:
    r"""HTML in which an author's own `\\(` is no maths: only `$` is that in Obsidian."""
    return _CODE_OR_TAG_OR_DELIMITER.sub(
        lambda m: "\\<span></span>" if m[0] == "\\" else m[0], result
    )


def _plain_footnotes(result: str) -> str:
    """Footnotes without their links, which would lead out of the card."""
    result = _BACK_REFERENCE.sub("", result)
    result = _REFERENCE.sub(r"<sup>\1</sup>", result)
    return _FOOTNOTE_TAGS.sub(
        lambda m: "<li>" if m[0][1] == "l" else '<section class="footnotes">', result
    )


_FOLD = re.compile(f'<details(?P<rest>[^">]*(?:"[^"]*"[^">]*)*)>|(?P<end></details>)|·{OPEN}')


def _unfolded(result: str) -> str:
    """HTML in which no fold hides a deletion: what is asked has to be seen."""
    folds: list[int] = []
    asking: set[int] = set()
    for found in _FOLD.finditer(result):
        if found["rest"] is not None:
            folds.append(found.start())
        elif not found["end"] or (folds and folds.pop() in asking):
            asking.update(folds[-1:])
    return _FOLD.sub(
        lambda m: (
            "<details open" + m[0][8:] if m.start() in asking and " open" not in m["rest"] else m[0]
        ),
        result,
    )


def _unwrapped(result: str) -> str:
    if result.startswith("<p>") and result.find("</p>") == len(result) - 4:
        return result[3:-4]
    return result


def _pieces(names: str) -> re.Pattern[str]:
    """What a walk stops at: tokens, and the tags of these names."""
    return re.compile(
        # It begins with a set of characters, for which a regex engine searches fast.
        f"[<·](?:(?<=<)blockquote>\n?<p>·{CALLOUT}(?P<callout>[0-9]+)\ufdd1·"
        f"|(?<=·){TOKEN.pattern[1:]}"
        rf'|(?<=<)(?P<close>/?)(?P<name>{names})\b(?P<rest>[^">]*(?:"[^"]*"[^">]*)*)>)'
    )


_PIECE = _pieces("[a-zA-Z][a-zA-Z0-9]*")
_OWN_PIECE = _pieces("a|code|img|pre")
"""Of the tags that Markdown alone makes, those that have to be looked at."""
_OWN_PIECE_OR_QUOTE = _pieces("a|blockquote|code|img|(?<=/)p|pre")
"""The same where there are callouts."""
_ATTRIBUTE = re.compile(r'([a-zA-Z][a-zA-Z-]*)="([^"]*)"')
_TOKEN_IN_TAG = re.compile("[\ufdd0-\ufdd7]")


_CONTENT = '\n<div class="callout-content">'
_EMPTY_CONTENT = f"{_CONTENT}\n</div>"


class _Walk:
    """One walk over the tags and tokens of a page."""

    def __init__(self, shelf: Shelf, links: Links) -> None:
        self.shelf = shelf
        self.links = links
        self.code = 0
        self.anchors: list[bool] = []
        """For each `<a>` that is open: whether it was kept."""
        self.quotes: list[str] = []
        """For each block quote that is open: what ends it, if it is a callout."""
        self.title_end = ""
        """What ends the title of a callout in which we are."""

    def over(self, page: str, pieces: re.Pattern[str]) -> str:
        """The page, mended."""
        mended = pieces.sub(self._piece, page)
        return mended.replace(_EMPTY_CONTENT, "") if self.shelf.callouts else mended

    def over_tokens(self, page: str) -> str:
        """The same for a page that holds neither links, images, code nor callouts."""
        pieces = TOKEN.split(page)
        for kind in range(1, len(pieces), 3):
            pieces[kind : kind + 2] = self._token(pieces[kind], pieces[kind + 1]), ""
        return "".join(pieces)

    def _piece(self, match: re.Match[str]) -> str:
        if match["callout"] is not None:
            return self._callout(int(match["callout"]))
        name = match["name"]
        if name is None:
            return self._token(match[2], match[3])
        closing = bool(match["close"])
        match name.lower():
            case "a":
                return self._anchor(closing, match["rest"])
            case "img":
                return self.links.image(self._attributes(match["rest"]), bool(self.anchors))
            case "input" if 'type="checkbox"' not in match["rest"]:
                return ""  # a task's box is all that nothing can be typed into
            case "audio" | "video" | "source" as player if not closing:
                return self._player(player, match["rest"])
            case "code" | "pre":
                self.code += -1 if closing else 1
            case "blockquote":
                return self._quote(match[0], closing)
            case "p" if self.title_end and closing:
                end, self.title_end = self.title_end, ""
                return end + _CONTENT
        if _TOKEN_IN_TAG.search(match[0]):
            return self.shelf.source_in_tag(match[0])
        return match[0]

    def _token(self, kind: str, number: str) -> str:
        if kind == CALLOUT:
            return ""
        if kind != ATOM:
            return token(kind, int(number))
        atom = self.shelf.atoms[int(number)]
        if self.code > 0:
            return attribute(atom.source)
        if self.anchors and atom.in_link is not None:
            return atom.in_link
        html = atom.html if isinstance(atom.html, str) else atom.html()
        return f"{MATHS_IN}{html}{MATHS_OUT}" if atom.maths and self.shelf.opened else html

    def _callout(self, number: int) -> str:
        callout = self.shelf.callouts[number]
        block, title = ("details", "summary") if callout.fold else ("div", "div")
        is_open = " open" if callout.fold == "+" else ""
        self.quotes.append(f"</div>\n</{block}>")
        self.title_end = f"</strong></{title}>"
        return (
            f'<{block} class="callout" data-callout="{attribute(callout.kind)}"{is_open}>\n'
            f'<{title} class="callout-title"><strong>'
        )

    def _quote(self, text: str, closing: bool) -> str:
        if not closing:
            self.quotes.append("")
            return text
        return (self.quotes.pop() if self.quotes else "") or text

    def _anchor(self, closing: bool, rest: str) -> str:
        if closing:
            return "</a>" if self.anchors and self.anchors.pop() else ""
        attributes = self._attributes(rest)
        url = self.links.href(attributes["href"]) if "href" in attributes else None
        self.anchors.append(url is not None)
        return "" if url is None else _links.tag("a", {"href": url} | attributes | {"href": url})

    def _player(self, name: str, rest: str) -> str:
        attributes = self._attributes(rest)
        if "src" not in attributes:
            # A <source> without it is that of a <picture>, which holds an <img> as well.
            return "" if name == "source" else f"<{name} controls>"
        found = self.links.playable(attributes["src"])
        if isinstance(found, Missing):
            return found.html + (f"<{name}>" if name != "source" else "")
        shown = _links.tag(name, attributes | {"src": found})
        return shown if name == "source" else shown[:-1] + " controls>"

    def _attributes(self, rest: str) -> dict[str, str]:
        """A tag's attributes, without entities and tokens."""
        found = {name: unescape(value) for name, value in _ATTRIBUTE.findall(rest)}
        for name, value in found.items():
            if name in ("href", "src"):
                found[name] = self.shelf.source_of_url(value)
            elif _TOKEN_IN_TAG.search(value):
                found[name] = self.shelf.source(value)
        return found
