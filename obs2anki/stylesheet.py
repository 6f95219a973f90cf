"""How cards look: one stylesheet for both notetypes, by day and by night, on screens of any width.

    pre .k { color: var(--keyword); }

It is text that Anki keeps with a notetype, and that people change there, so it is written to be
read: colours are variables with one row of them for light and one for night, and each part of a
card has one class. Nothing in it is fetched from anywhere: the icons of callouts are drawn in it.
"""

from __future__ import annotations

from urllib.parse import quote

# Anki marks night mode on the body of a card, AnkiDroid with the second spelling as well. Its own
# `body.nightMode` weighs more than `.card`, so the two colours of the ground are said again here.
_COLOURS = """\
.card {
  --text: #1f2328; --ground: #ffffff; --raised: #f5f6f8; --line: #d8dee4; --faint: #636c76;
  --link: #0b62c4; --cloze: #0b57d0; --warn: #a85000; --mark: #fff0a3; --mark-text: #1f2328;
  --blue: 11, 98, 196; --teal: 0, 112, 122; --green: 22, 113, 56; --orange: 158, 80, 0;
  --red: 190, 32, 46; --violet: 112, 72, 214; --grey: 91, 99, 108;
  --keyword: #93219b; --string: #1d6f38; --number: #8a5000; --comment: #636c76;
  --function: #0b57d0; --type: #0b6a80; --name: #8a5000; --tag: #b3261e;
}
.card.nightMode, .card.night_mode, .nightMode .card, .night_mode .card {
  --text: #e3e6ea; --ground: #22252a; --raised: #2d3138; --line: #444b54; --faint: #9aa3ad;
  --link: #79b4ff; --cloze: #8ab8ff; --warn: #f0a45d; --mark: #6b5a12; --mark-text: #fff7d6;
  --blue: 121, 180, 255; --teal: 94, 206, 210; --green: 108, 207, 138; --orange: 240, 164, 93;
  --red: 255, 138, 138; --violet: 186, 158, 255; --grey: 160, 169, 179;
  --keyword: #dba6f2; --string: #9fd49b; --number: #e6b673; --comment: #9aa3ad;
  --function: #8ab8ff; --type: #7fd0e0; --name: #e6b673; --tag: #ff9b93;
  color: var(--text); background-color: var(--ground); color-scheme: dark;
}
"""

_CARD = """\
.card {
  margin: 0; padding: 1em; box-sizing: border-box;
  font-family: -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  font-size: 20px; line-height: 1.5; text-align: start; overflow-wrap: break-word;
  -webkit-text-size-adjust: 100%;
  color: var(--text); background-color: var(--ground);
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
.missing { color: var(--warn); font-style: italic; }
.cloze { color: var(--cloze); font-weight: 600; }
[dir="rtl"] { direction: rtl; text-align: right; }
[dir] p, [dir] li, [dir] th, [dir] td, [dir] h1, [dir] h2, [dir] h3, [dir] h4, [dir] h5, [dir] h6 {
  unicode-bidi: isolate;
}
"""

_TEXT = """\
p, .paragraph { margin: 0.6em 0; }
a { color: var(--link); }
sub, sup { line-height: 0; font-size: 0.75em; }
h1, h2, h3, h4, h5, h6 { font-size: 1.1em; line-height: 1.3; margin: 0.8em 0 0.4em; }
mark { padding: 0 0.1em; border-radius: 3px; }
mark { background-color: var(--mark); color: var(--mark-text); }
mark .cloze, .cloze mark { color: inherit; }
blockquote { margin: 0.6em 0; padding-inline-start: 0.8em; }
blockquote { border-inline-start: 3px solid var(--line); }
blockquote > :first-child { margin-top: 0; }
blockquote > :last-child { margin-bottom: 0; }
.footnotes { margin-top: 1em; font-size: 0.8em; color: var(--faint); }
.footnotes p { margin: 0.2em 0; }
.embed { border-inline-start: 2px solid var(--line); padding-inline-start: 0.8em; }
.embed { margin: 0.6em 0; }
.embed-title { color: var(--faint); font-size: 0.7em; line-height: 1.4; }
.embed-title a { color: inherit; text-decoration: none; }
.embed-title + * { margin-top: 0.2em; }
.embed > :last-child { margin-bottom: 0; }
"""

_LISTS = """\
ul, ol { padding-inline-start: 1.5em; margin: 0.5em 0; }
li > ul, li > ol { margin: 0; }
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
li.task-list-item > input + p { display: inline; }
"""

_WIDE = """\
img, video { max-width: 100%; }
img { object-fit: contain; }
img:not([height]), video { height: auto; }
audio { max-width: 100%; }
table { display: block; max-width: 100%; overflow-x: auto; border-collapse: collapse; }
table { margin: 0.6em 0; }
th, td { border: 1px solid var(--line); padding: 0.25em 0.6em; overflow-wrap: normal; }
th { background-color: var(--raised); }
th:not([align]) { text-align: start; }
mjx-container[display="true"], .MathJax_Display { max-width: 100%; overflow-x: auto; }
mjx-container[display="true"], .MathJax_Display { overflow-y: hidden; }
@media (max-width: 480px) {
  .card { padding: 0.7em; font-size: 18px; }
  ul, ol { padding-inline-start: 1.3em; }
}
"""

_CODE = """\
code, kbd, samp, pre { font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code, kbd, samp { font-size: 0.88em; padding: 0.1em 0.25em; border-radius: 4px; }
code, kbd, samp, pre { background-color: var(--raised); }
code { unicode-bidi: isolate; }
kbd { border: 1px solid var(--line); }
pre { max-width: 100%; overflow-x: auto; box-sizing: border-box; margin: 0.6em 0; }
pre { padding: 0.7em; border-radius: 6px; tab-size: 4; }
pre { font-size: 0.85em; line-height: 1.4; text-align: left; direction: ltr; white-space: pre; }
pre code { font-size: inherit; padding: 0; background: none; overflow-wrap: normal; }
pre .cloze { border-bottom: 2px solid var(--cloze); }
pre.diagram { border: 1px dashed var(--line); }
pre.diagram::before {
  content: attr(data-kind); display: block; position: sticky; left: 0; margin-bottom: 0.5em;
  font-family: sans-serif; font-size: 0.8em; color: var(--faint);
}
pre .k { color: var(--keyword); }
pre .s, pre .gi { color: var(--string); }
pre .m, pre .kc, pre .se, pre .si { color: var(--number); }
pre .c, pre .cp, pre .gp, pre .go { color: var(--comment); }
pre .nf, pre .gu { color: var(--function); }
pre .nb, pre .kt { color: var(--type); }
pre .nc, pre .nd, pre .na, pre .nv { color: var(--name); }
pre .nt, pre .ni, pre .gd { color: var(--tag); }
pre .c, pre .ge { font-style: italic; }
pre .gh, pre .gs { font-weight: 600; }
"""

_CALLOUT = """\
.callout {
  margin: 0.6em 0; padding: 0.5em 0.8em; border-radius: 6px;
  background-color: rgba(var(--tint), 0.09); border-inline-start: 4px solid rgb(var(--tint));
}
.callout-title { position: relative; padding-inline-start: 1.5em; color: rgb(var(--tint)); }
.callout-title { font-weight: 600; line-height: 1.35; }
.callout-title a { color: inherit; }
.callout-title::before {
  content: ""; position: absolute; left: 0; top: 0.15em; width: 1.05em; height: 1.05em;
  background-color: rgb(var(--tint));
  -webkit-mask: var(--icon) center / contain no-repeat;
  mask: var(--icon) center / contain no-repeat;
}
[dir="rtl"] .callout-title::before { left: auto; right: 0; }
.callout-content > :first-child { margin-top: 0.3em; }
.callout-content > :last-child { margin-bottom: 0; }
summary { cursor: pointer; }
summary.callout-title { list-style: none; }
summary.callout-title::-webkit-details-marker { display: none; }
summary.callout-title::after {
  content: ""; display: inline-block; width: 0.4em; height: 0.4em; margin-inline-start: 0.5em;
  border: solid; border-width: 0 0.13em 0.13em 0; vertical-align: 0.15em;
  transform: rotate(-45deg);
}
details[open] > summary.callout-title::after { transform: rotate(45deg); vertical-align: 0.25em; }
.callout { --tint: var(--blue); --icon: NOTE; --raised: rgba(127, 127, 127, 0.14); }
"""

CALLOUTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        ("abstract", "summary", "tldr"),
        "teal",
        "<rect x='5' y='4' width='14' height='17' rx='2'/>"
        "<path d='M9 2.5h6v3H9zM9 11h6M9 15.5h6'/>",
    ),
    (("info",), "blue", "<circle cx='12' cy='12' r='9'/><path d='M12 11v5.5M12 7.5v.01'/>"),
    (("todo",), "blue", "<circle cx='12' cy='12' r='9'/><path d='M7.5 12.5l3 3 6-7'/>"),
    (
        ("tip", "hint", "important"),
        "teal",
        "<path d='M12 2.5c.5 4.5 6.5 6.5 6.5 12a6.5 6.5 0 0 1-13 0c0-2.5 1-4 3-5.5"
        " 0 2.5 1 3.5 2 3.5 2-3 .5-6.5 1.5-10z'/>",
    ),
    (("success", "check", "done"), "green", "<path d='M3.5 13l5.5 5.5L20.5 6'/>"),
    (
        ("question", "help", "faq"),
        "orange",
        "<circle cx='12' cy='12' r='9'/>"
        "<path d='M9.5 9.5a2.6 2.6 0 1 1 3.7 2.4c-.8.4-1.2.9-1.2 1.9M12 17v.01'/>",
    ),
    (
        ("warning", "caution", "attention"),
        "orange",
        "<path d='M12 3.5L2 20.5h20zM12 10v4.5M12 17.5v.01'/>",
    ),
    (("failure", "fail", "missing"), "red", "<path d='M5.5 5.5l13 13M18.5 5.5l-13 13'/>"),
    (("danger", "error"), "red", "<path d='M13.5 2L5 13.5h6L9.5 22 19 9.5h-6.5z'/>"),
    (
        ("bug",),
        "red",
        "<path d='M7.5 10a4.5 4.5 0 0 1 9 0v5a4.5 4.5 0 0 1-9 0zM12 10v9M7.5 10l-4-2"
        "M7.5 13.5h-5M7.5 16l-4 2.5M16.5 10l4-2M16.5 13.5h5M16.5 16l4 2.5"
        "M9 5.5L7 3M15 5.5L17 3'/>",
    ),
    (
        ("example",),
        "violet",
        "<path d='M9 6h11.5M9 12h11.5M9 18h11.5M4 6v.01M4 12v.01M4 18v.01'/>",
    ),
    (
        ("quote", "cite"),
        "grey",
        "<path d='M4 18.5c3-1 4.5-3 4.5-6.5H3.5V5.5H10V12c0 4-2 6-6 6.5z"
        "M14.5 18.5c3-1 4.5-3 4.5-6.5h-5V5.5h6.5V12c0 4-2 6-6 6.5z'/>",
    ),
)
"""Obsidian's types of callouts with their other names, colour and icon; all others are notes."""

_NOTE = "<path d='M4 20l1.2-5L16 4.2l3.8 3.8L9 18.8zM13.5 6.7l3.8 3.8'/>"


def _icon(shapes: str) -> str:
    """An icon on a field of 24 by 24, as an address that holds it."""
    svg = (
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='#000' "
        f"stroke-width='2' stroke-linecap='round' stroke-linejoin='round'>{shapes}</svg>"
    )
    escaped = quote(svg, safe=" =:/,.;'")
    return f'url("data:image/svg+xml,{escaped}")'


def _callout(names: tuple[str, ...], colour: str, shapes: str) -> str:
    selectors = ", ".join(f'[data-callout="{name}"]' for name in names)
    return f"{selectors} {{ --tint: var(--{colour}); --icon: {_icon(shapes)}; }}\n"


CSS = "".join(
    (
        _COLOURS,
        _CARD,
        _TEXT,
        _LISTS,
        _WIDE,
        _CODE,
        _CALLOUT.replace("NOTE", _icon(_NOTE)),
        *(_callout(*callout) for callout in CALLOUTS),
    )
)
"""The whole stylesheet."""
