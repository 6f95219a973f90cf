"""The two notetypes that obs2anki brings to Anki, once and for ever.

    FIELDS[Notetype.BASIC][0] == "Front"
    DEFINITIONS[Notetype.CLOZE].templates[0].question == '...{{cloze:Text}}...'

Anki tells a notetype by its id and its fields and templates by theirs. A released definition is
never changed: another field or template would make Anki add a second notetype ("obs2anki+") and
stop updating the notes of the first, and a newer `mod` would replace the user's own styling
(Anki 26.09). A change that cannot be avoided needs a new id beside the old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from obs2anki.data import Notetype

MOD = 1577836800
"""2020-01-01, seconds since the epoch: when every notetype changed last."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a notetype; `id` is how Anki knows it again."""

    name: str
    id: int
    private: bool = False
    """Bookkeeping: folded away in Anki's editor, left out of its searches, on no card."""


@dataclass(frozen=True, slots=True)
class Template:
    """A card template: what is asked and what is answered, in Anki's template language."""

    name: str
    id: int
    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Definition:
    """A notetype in full."""

    id: int
    fields: tuple[Field, ...]
    templates: tuple[Template, ...]
    css: str


_CONTEXT = '{{#Context}}<div class="context">{{Context}}</div>{{/Context}}\n'
_BELOW = (
    '{{#Notes}}<div class="notes">{{Notes}}</div>{{/Notes}}\n'
    '{{#Source}}<div class="source">{{Source}}</div>{{/Source}}'
)


def _asks(field: str) -> str:
    return f'{_CONTEXT}<div class="side question">{{{{{field}}}}}</div>'


def _answers(field: str) -> str:
    side = f'<div class="side answer">{{{{{field}}}}}</div>'
    return f'{{{{FrontSide}}}}\n<hr id="answer">\n{side}\n{_BELOW}'


_CLOZE = f'{_CONTEXT}<div class="side question">{{{{cloze:Text}}}}</div>'
_EXTRA = '{{#Extra}}<div class="side extra">{{Extra}}</div>{{/Extra}}'

_CSS = """\
.card {
  --text: #1f2328; --ground: #ffffff; --faint: #6a737d; --line: #d8dee4; --raised: #f5f6f8;
  --link: #0b62c4; --cloze: #0b57d0; --mark: #fff0a3; --mark-text: #1f2328; --warn: #b35900;
  margin: 0; padding: 1em; box-sizing: border-box;
  font-family: -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  font-size: 20px; line-height: 1.5; text-align: start; overflow-wrap: break-word;
  color: var(--text); background-color: var(--ground);
}
.card.nightMode, .card.night_mode, .nightMode .card, .night_mode .card {
  --text: #e3e6ea; --ground: #22252a; --faint: #9aa3ad; --line: #444b54; --raised: #2d3138;
  --link: #79b4ff; --cloze: #8ab8ff; --mark: #6b5a12; --mark-text: #fff7d6; --warn: #f0a45d;
  color-scheme: dark;
}
.context, .side, .notes, .source, hr { max-width: 42em; margin-inline: auto; }
.context, .source { color: var(--faint); font-size: 0.7em; line-height: 1.4; max-width: 60em; }
.context, .source, .side, p, li, th, td, h1, h2, h3, h4, h5, h6 { unicode-bidi: plaintext; }
.context { margin-bottom: 0.8em; }
.source { margin-top: 1.6em; }
.source a { color: inherit; }
.notes { margin-top: 1.2em; padding-top: 0.6em; border-top: 1px dashed var(--line); }
.extra { margin-top: 1.2em; }
hr { border: 0; border-top: 1px solid var(--line); margin-block: 1em; height: 0; }
.side > :first-child, .side > [dir] > :first-child { margin-top: 0; }
.side > :last-child, .side > [dir] > :last-child { margin-bottom: 0; }
p { margin: 0.6em 0; }
sub, sup { line-height: 0; }
.empty, .missing { color: var(--warn); font-style: italic; }
a { color: var(--link); }
h1, h2, h3, h4, h5, h6 { font-size: 1.1em; line-height: 1.3; margin: 0.8em 0 0.4em; }
ul, ol { padding-inline-start: 1.5em; margin: 0.5em 0; }
li.task-list-item { list-style: none; }
input[type="checkbox"] {
  -webkit-appearance: none; appearance: none; box-sizing: border-box; position: relative;
  width: 0.9em; height: 0.9em; margin: 0; vertical-align: -0.06em;
  font: inherit; color: var(--ground); background-color: transparent;
  border: 0.09em solid var(--faint); border-radius: 0.2em;
}
input[type="checkbox"]:checked { background-color: var(--faint); }
input[type="checkbox"]:checked::after {
  content: ""; position: absolute; left: 0.22em; top: 0.02em; width: 0.18em; height: 0.42em;
  border: solid; border-width: 0 0.12em 0.12em 0; transform: rotate(45deg);
}
li.task-list-item > input[type="checkbox"] {
  margin-inline-start: -1.35em; margin-inline-end: 0.2em;
}
img, svg, video, iframe { max-width: 100%; }
img { object-fit: contain; }
img:not([height]), video { height: auto; }
iframe { aspect-ratio: 16 / 9; border: 0; }
audio { max-width: 100%; }
table { display: block; max-width: 100%; overflow-x: auto; border-collapse: collapse; }
th, td { border: 1px solid var(--line); padding: 0.25em 0.6em; }
th { background-color: var(--raised); }
th:not([align]) { text-align: start; }
pre { max-width: 100%; overflow-x: auto; padding: 0.7em; border-radius: 6px; tab-size: 4; }
code, kbd, samp, pre { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code, kbd, samp { font-size: 0.88em; padding: 0.1em 0.25em; border-radius: 4px; }
code, kbd, samp, pre { background-color: var(--raised); }
pre { font-size: 0.85em; line-height: 1.4; text-align: left; direction: ltr; white-space: pre; }
pre code { font-size: inherit; padding: 0; background: none; overflow-wrap: normal; }
kbd { border: 1px solid var(--line); }
code { unicode-bidi: isolate; }
blockquote { margin: 0.6em 0; padding-inline-start: 0.8em; }
blockquote { border-inline-start: 3px solid var(--line); }
.callout { margin: 0.6em 0; padding: 0.5em 0.8em; border-radius: 6px; }
.callout { background-color: var(--raised); border-inline-start: 4px solid var(--link); }
[data-callout="abstract"], [data-callout="summary"], [data-callout="tldr"], [data-callout="tip"],
[data-callout="hint"], [data-callout="important"] { border-color: #0891b2; }
[data-callout="success"], [data-callout="check"], [data-callout="done"] { border-color: #059669; }
[data-callout="question"], [data-callout="help"], [data-callout="faq"], [data-callout="warning"],
[data-callout="caution"], [data-callout="attention"] { border-color: #d97706; }
[data-callout="failure"], [data-callout="fail"], [data-callout="missing"],
[data-callout="danger"], [data-callout="error"], [data-callout="bug"] { border-color: #dc2626; }
[data-callout="example"] { border-color: #8b5cf6; }
[data-callout="quote"], [data-callout="cite"] { border-color: var(--faint); }
.callout-title { font-weight: 600; }
.callout-content > :first-child { margin-top: 0.2em; }
.callout-content > :last-child { margin-bottom: 0; }
.embed {
  border-inline-start: 2px solid var(--line); padding-inline-start: 0.8em; margin: 0.6em 0;
}
.embed-title { color: var(--faint); font-size: 0.7em; line-height: 1.4; }
.embed-title a { color: inherit; text-decoration: none; }
.embed-title + * { margin-top: 0.2em; }
.embed > :last-child { margin-bottom: 0; }
.paragraph { margin: 0.6em 0; }
mark { background-color: var(--mark); color: var(--mark-text); border-radius: 3px; }
mark { padding: 0 0.1em; }
.cloze { color: var(--cloze); font-weight: 600; }
mark .cloze, .cloze mark { color: inherit; }
.tag { color: var(--faint); }
.footnotes { margin-top: 1em; font-size: 0.8em; color: var(--faint); }
mjx-container[display="true"], .MathJax_Display { max-width: 100%; overflow-x: auto; }
mjx-container[display="true"], .MathJax_Display { overflow-y: hidden; }
.rtl, [dir="rtl"] { direction: rtl; text-align: right; }
[dir] p, [dir] li, [dir] th, [dir] td, [dir] h1, [dir] h2, [dir] h3, [dir] h4, [dir] h5, [dir] h6 {
  unicode-bidi: isolate;
}
@media (max-width: 480px) {
  .card { padding: 0.7em; font-size: 18px; }
}
"""

DEFINITIONS: Mapping[Notetype, Definition] = {
    Notetype.BASIC: Definition(
        1577836800101,
        (
            Field("Front", 7364501820113001),
            Field("Back", 7364501820113002),
            Field("Context", 7364501820113003),
            Field("Source", 7364501820113004),
            Field("Reverse", 7364501820113005),
            Field("Notes", 7364501820113006),
            Field("Id", 7364501820113007, private=True),
            Field("Vault", 7364501820113008, private=True),
            Field("State", 7364501820113009, private=True),
            Field("Spare 1", 7364501820113010, private=True),
            Field("Spare 2", 7364501820113011, private=True),
        ),
        (
            Template("Card 1", 7364501820114001, _asks("Front"), _answers("Back")),
            Template(
                "Card 2",
                7364501820114002,
                "{{#Reverse}}" + _asks("Back") + "{{/Reverse}}",
                _answers("Front"),
            ),
        ),
        _CSS,
    ),
    Notetype.CLOZE: Definition(
        1577836800102,
        (
            Field("Text", 7364501820115001),
            Field("Extra", 7364501820115002),
            Field("Context", 7364501820115003),
            Field("Source", 7364501820115004),
            Field("Notes", 7364501820115005),
            Field("Id", 7364501820115006, private=True),
            Field("Vault", 7364501820115007, private=True),
            Field("State", 7364501820115008, private=True),
            Field("Spare 1", 7364501820115009, private=True),
            Field("Spare 2", 7364501820115010, private=True),
        ),
        (Template("Cloze", 7364501820116001, _CLOZE, f"{_CLOZE}\n{_EXTRA}\n{_BELOW}"),),
        _CSS,
    ),
}

FIELDS: Mapping[Notetype, tuple[str, ...]] = {
    notetype: tuple(field.name for field in definition.fields)
    for notetype, definition in DEFINITIONS.items()
}
"""Names of the fields by notetype, in Anki's order; `Note.fields` follows it."""
