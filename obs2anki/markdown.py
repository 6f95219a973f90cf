"""A document as far as the plugin asks Obsidian about it: frontmatter, tags, headings.

    ---
    tags: [flashcards/biology]          frontmatter, blanked out of `lines`
    ---
    # Cells                             a heading
    #flashcards/cells                   a tag line

Obsidian's metadata cache is closed; what it does is known from its documentation and by trial.
Marked "plugin" is what the spaced-repetition plugin 1.15.4 does with what the cache says.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from obs2anki import diagnostics
from obs2anki.data import Diagnostic, Document, FrontmatterValue, Heading, Source, Tag

SPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
"""White space for JavaScript's trim() and \\s; Python's strip() takes other characters."""

SR_CALLOUT = "> [!sr|card-metadata]"
"""How the plugin opens a callout that holds a review (src/data/constants.ts)."""

# Obsidian's tag characters: no white space, no punctuation but - _ and /, not digits alone.
_TAG_CHARACTER = rf"[^{SPACE}\u2000-\u206f\u2e00-\u2e7f'!\"#$%&()*+,.:;<=>?@^`{{|}}~\[\]\\]"
# One may follow directly on another.
_TAGS = re.compile(rf"(?<![^{SPACE}])(?:#{_TAG_CHARACTER}+)+")
_WHOLE_TAG = re.compile(rf"#({_TAG_CHARACTER}+)")
_BETWEEN_TAGS = re.compile(f"[,{SPACE}]+")
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?$")
_FENCE = re.compile(r"([ \t>]*)(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\n]*)$")
_QUOTED = re.compile(r"[ \t>]*")
_HTML_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
# A tag that goes on in the next line; its attributes are spelt as such.
_LONG_TAG = re.compile(
    r"<[A-Za-z][A-Za-z0-9-]*"
    r"(?:\s+[\w:@.-]+(?:\s*=\s*(?:\"[^\"]*\"|'[^']*'|[^\s\"'=<>`]+))?)*\s*/?>"
)
_TAG_GOES_ON = re.compile(r"<[A-Za-z][A-Za-z0-9-]*(?:[ \t][^<>\n]*)?$", re.M)
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FOOTNOTE = re.compile(r"\[\^\d+\]")
_BLOCK_ID = re.compile(r"\^[a-zA-Z0-9-]+")
_OPENING = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)])\s+)?(?:\[[^\]\n]\]\s+)?")


def trim(text: str) -> str:
    """Cut white space at both ends, as JavaScript sees it."""
    return text.strip(SPACE)


def split(text: str) -> list[str]:
    """The lines of a document, whichever way they end."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def parse(source: Source) -> tuple[Document, list[Diagnostic]]:
    """Read what a document says about itself; the flashcards are `extract`'s."""
    lines = split(source.text)
    text = "\n".join(lines) if "\r" in source.text else source.text
    found: list[Diagnostic] = []
    closing = frontmatter_end(lines)
    frontmatter = NO_FRONTMATTER
    if closing:
        try:
            frontmatter = load_frontmatter("\n".join(lines[1:closing]))
        except ValueError as error:
            message, line = error.args
            found.append(diagnostics.at("O203", source.path, line + 1, message))
    # The plugin blanks a frontmatter only if both delimiters are exactly three dashes.
    blanked = 0
    if lines[0] == "---":
        try:
            blanked = lines.index("---", 1) + 1
        except ValueError:
            blanked = 0
    content = closing + 1 if closing else 0
    if any(map(trim, lines[content : max(blanked - 1, 0)])):
        found.append(diagnostics.at("O209", source.path, content, blanked))
    headings, tags = _marked(_with_hashes(text, lines, content))
    document = Document(
        path=source.path,
        lines=(*("",) * blanked, *lines[blanked:]),
        frontmatter=frontmatter.values,
        content_line=blanked + 1,
        headings=headings,
        tags=tags,
        frontmatter_tags=frontmatter.tags,
        topic_tags=frontmatter.topic_tags if blanked or closing else (),
        rtl=frontmatter.rtl,
    )
    return document, found


# ---------------------------------------------------------------- frontmatter


def frontmatter_end(lines: list[str]) -> int:
    """Index of the line that closes Obsidian's frontmatter, 0 if there is none.

    Obsidian allows white space after the dashes, the plugin does not.
    """
    if lines[0].rstrip(" \t") != "---":
        return 0
    for number, line in enumerate(islice(lines, 1, None), 1):
        if line.startswith("---") and line.rstrip(" \t") == "---":
            return number
    return 0


class Frontmatter(NamedTuple):
    """What a frontmatter says."""

    values: Mapping[str, FrontmatterValue]
    tags: tuple[str, ...] = ()
    """As Obsidian reads them."""
    topic_tags: tuple[str, ...] = ()
    """As the plugin reads them when it looks for decks."""
    rtl: bool | None = None


NO_FRONTMATTER = Frontmatter({})


_NO_TEXT = re.compile("^[ \t]+$|[\x85\u2028\u2029]", re.M)
"""What libyaml takes for a slip or a line's end, and YAML 1.2, as Obsidian reads it, does not."""


@lru_cache(maxsize=512)
def load_frontmatter(text: str) -> Frontmatter:
    """Read a YAML frontmatter.

    Raises ValueError(message, line) with the line in `text`, 1-based, if it is not YAML.
    """
    values = _values(text)
    direction = values.get("direction")
    rtl = direction.lower() == "rtl" if direction and isinstance(direction, str) else None
    return Frontmatter(values, _obsidian_tags(values), _plugin_tags(values), rtl)


def _values(text: str) -> Mapping[str, FrontmatterValue]:
    """The top level of a YAML frontmatter, every scalar as it is written."""
    if not text.strip():
        return {}
    import yaml
    from frontmatter.default_handlers import YAMLHandler

    from obs2anki.frontmatter import TopLevel

    try:
        loaded: Mapping[str, FrontmatterValue] = YAMLHandler().load(
            _NO_TEXT.sub(" ", text), Loader=TopLevel
        )
    except yaml.YAMLError as error:
        problem = getattr(error, "problem", None) or str(error).split("\n", 1)[0]
        # The end is no line to be mended.
        last = text.rstrip().count("\n") + 1
        raise ValueError(problem, min(_line(error), last)) from None
    return loaded


def _line(error: Exception) -> int:
    """Where to mend it, 1-based: a bracket or quote that is never closed is missed only later."""
    marks = [getattr(error, "problem_mark", None), getattr(error, "context_mark", None)]
    context = getattr(error, "context", None) or ""
    if "flow" in context or "quoted" in context:
        marks.reverse()
    return next((mark.line + 1 for mark in marks if mark), 1)


def _obsidian_tags(frontmatter: Mapping[str, FrontmatterValue]) -> tuple[str, ...]:
    """Obsidian takes `tags` and `tag`, in any case, as a list or as words with commas or spaces."""
    tags: list[str] = []
    for key, value in frontmatter.items():
        if key.lower() in ("tags", "tag"):
            words = _BETWEEN_TAGS.split(value) if isinstance(value, str) else value or ()
            tags += (trim(word).removeprefix("#") for word in words)
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _plugin_tags(frontmatter: Mapping[str, FrontmatterValue]) -> tuple[str, ...]:
    """The plugin splits `tags` at commas and trims nothing (parseObsidianFrontmatterTag)."""
    value = frontmatter.get("tags")
    text = ",".join(value) if isinstance(value, tuple) else value or ""
    return tuple(tag.removeprefix("#") for tag in text.split(",") if tag)


# ---------------------------------------------------------------- lines outside code


def outside_code(lines: list[str], start: int) -> Iterator[tuple[int, str]]:
    """Number (1-based) and text of each line that is in no fenced code block."""
    return _outside_fences(enumerate(islice(lines, start, None), start + 1))


def _outside_fences(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Those of the numbered lines that are in no fenced code block and open or close none."""
    fence = ""
    depth = 0  # of the quote that the fence stands in; it ends with that quote
    for number, line in lines:
        if depth and _quote_depth(line) < depth:
            fence, depth = "", 0
        if "```" in line or "~~~" in line:
            match = _FENCE.match(line)
            if fence:
                if (
                    match
                    and match[2].startswith(fence)
                    and not match[3].strip(" \t")
                    and match[1].count(">") == depth
                ):
                    fence, depth = "", 0
                continue
            # The words behind a backtick fence hold no backtick, else it is inline code.
            if match and not (match[2][0] == "`" and "`" in match[3]):
                fence, depth = match[2], match[1].count(">")
                continue
        if not fence:
            yield number, line


def _quote_depth(line: str) -> int:
    """In how many quotes a line stands."""
    opening = _QUOTED.match(line)
    return opening[0].count(">") if opening else 0


def _with_hashes(text: str, lines: list[str], start: int) -> list[tuple[int, str]]:
    """The lines of a text, numbered, that hold a `#` and are in no fenced code block."""
    numbered = enumerate(islice(lines, start, None), start + 1)
    if "<" in text and _TAG_GOES_ON.search(text):
        return [one for one in _without_long_tags(_outside_fences(numbered)) if "#" in one[1]]
    if "`" not in text and "~" not in text:
        return [(number, line) for number, line in numbered if "#" in line]
    telling = [one for one in numbered if "#" in one[1] or "`" in one[1] or "~" in one[1]]
    if any(_opens_in_a_quote(line) for _, line in telling):
        # Any line can be the one with which a quote ends.
        telling = list(enumerate(islice(lines, start, None), start + 1))
    return [one for one in _outside_fences(telling) if "#" in one[1]]


def _without_long_tags(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The numbered lines; where an HTML tag runs over several of them, each `#` in it is gone."""
    numbered = list(lines)
    text = "\n".join(line for _, line in numbered)
    bare = _LONG_TAG.sub(_without_hashes, text).split("\n")
    for (number, _), line in zip(numbered, bare, strict=False):
        yield number, line


def _without_hashes(tag: re.Match[str]) -> str:
    """A tag whose attributes go on in the next line holds no colours; no paragraph is left."""
    goes_on = "\n" in tag[0] and not _BLANK_LINE.search(tag[0])
    return tag[0].replace("#", " ") if goes_on else tag[0]


def _opens_in_a_quote(line: str) -> bool:
    """Whether a line opens (or closes) a fenced code block in a quote."""
    match = _FENCE.match(line) if "```" in line or "~~~" in line else None
    return match is not None and ">" in match[1]


def _marked(lines: list[tuple[int, str]]) -> tuple[tuple[Heading, ...], tuple[Tag, ...]]:
    """The headings and tags of lines outside of code."""
    headings: list[Heading] = []
    tags: list[Tag] = []
    for number, line in lines:
        if match := _HEADING.match(line):
            text = match[2] or ""
            headings.append(Heading(len(match[1]), _title(text), number))
            if "#" not in text:
                continue
        tags += _tags(number, line)
    return tuple(headings), tuple(tags)


def _title(text: str) -> str:
    """A heading without what closes it, and without footnotes."""
    text = text.rstrip(" \t")
    bare = text.rstrip("#")
    if bare != text and (not bare or bare[-1] in " \t"):
        text = bare
    return trim(_FOOTNOTE.sub("", text) if "[^" in text else text)


def _tags(number: int, line: str) -> Iterator[Tag]:
    spans = code_spans(line) if "`" in line else ()
    if "<" in line:
        spans = tuple(sorted((*spans, *_html_spans(line))))
    passed = hidden = 0  # spans that begin before the place, and up to where they reach
    for match in _TAGS.finditer(line):
        while passed < len(spans) and spans[passed][0] <= match.start():
            hidden = max(hidden, spans[passed][1])
            passed += 1
        if match.start() >= hidden:
            names = match[0][1:].split("#")
            yield from (Tag(name, number) for name in names if not name.isdecimal())


def _html_spans(line: str) -> tuple[tuple[int, int], ...]:
    """Where HTML comments and tags stand, such as `<mark style="background: #ffb86c">`."""
    spans = [match.span() for match in _HTML_TAG.finditer(line)]
    at = line.find("<!--")
    while at >= 0 and (close := line.find("-->", at + 4)) >= 0:
        spans.append((at, close))
        at = line.find("<!--", close)
    return tuple(spans)


def code_spans(line: str) -> tuple[tuple[int, int], ...]:
    """Where inline code stands: a run of backticks up to the next run of the same length."""
    runs = [(m.start(), m.end()) for m in re.finditer("`+", line)]
    closers: dict[int, list[int]] = {}
    for index in range(len(runs) - 1, -1, -1):
        closers.setdefault(runs[index][1] - runs[index][0], []).append(index)
    spans: list[tuple[int, int]] = []
    index = 0
    while index < len(runs):
        start, end = runs[index]
        same = closers[end - start]
        while same and same[-1] <= index:
            same.pop()
        if same:
            spans.append((start, runs[same[-1]][1]))
            index = same[-1]
        index += 1
    return tuple(spans)


# ---------------------------------------------------------------- sides


def shown(side: str) -> str:
    """A side without what is not meant to be learnt: tags at its edges, its block id.

    A side that is nothing but tags is kept: then the tag is what is asked.
    """
    text = _without_sr_comment(side) if "<!--SR:" in side else side
    text = _without_block_id(text)
    if "#" not in text:
        return text
    cut = _without_closing_tags(_without_opening_tags(text))
    return cut if cut.strip() or not text.strip() else text


def _without_sr_comment(text: str) -> str:
    """Cut what is left of an SR comment that does not close on its line."""
    return "\n".join(line.partition("<!--SR:")[0] for line in text.split("\n"))


def _without_block_id(text: str) -> str:
    text = text.rstrip()
    if "^" not in text:
        return text
    at = max(text.rfind(" ^"), text.rfind("\n^"))
    return text[:at].rstrip() if at >= 0 and _BLOCK_ID.fullmatch(text, at + 1) else text


def _without_opening_tags(text: str) -> str:
    opening = _OPENING.match(text)
    start = position = opening.end() if opening else 0
    while tag := _WHOLE_TAG.match(text, position):
        follows = text[tag.end() : tag.end() + 1]
        if tag[1].isdecimal() or (follows and not follows.isspace()):
            break
        position = tag.end()
        while position < len(text) and text[position].isspace():
            position += 1
    return text[:start] + text[position:] if position > start else text


def _without_closing_tags(text: str) -> str:
    end = len(text.rstrip())
    while (at := text.rfind("#", 0, end)) > 0:
        tag = _WHOLE_TAG.fullmatch(text, at, end)
        if not tag or tag[1].isdecimal() or not text[at - 1].isspace():
            break
        end = at
        while end > 0 and text[end - 1].isspace():
            end -= 1
    return text[:end]


def is_break(line: str) -> bool:
    """Whether a line is a thematic break, `---` or `* * *`, wherever it is indented."""
    mark = line.lstrip(" \t")[:1]
    if mark not in ("-", "*", "_"):
        return False
    marks = line.replace(" ", "").replace("\t", "")
    return len(marks) >= 3 and marks == mark * len(marks)


def normalised(text: str) -> str:
    """A text for comparing: NFC, runs of white space as one space, none at the ends."""
    made = " ".join((text if text.isascii() else unicodedata.normalize("NFC", text)).split())
    return text if made == text else made  # one text takes less memory than two equal ones
