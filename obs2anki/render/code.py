"""Fenced code with its colours: what Pygments tells of it, in the few classes the stylesheet has.

    <pre><code class="language-py">n = 1  # one</code></pre>

becomes `...n = <span class="m">1</span>  <span class="c"># one</span>...`. The text itself never
changes: white space, and the tokens of deletions, stay where they are. Code in no known language,
and code that could keep a lexer busy, is left as it is; a diagram says what it would be.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from functools import cache, lru_cache
from html import escape, unescape
from itertools import accumulate, groupby
from typing import Protocol

from obs2anki.render.atoms import CLOSE, OPEN, inert

MOST_CHARACTERS = 3_000
"""Longer code stays plain: the time of many a lexer grows with the square of its input."""

# What the slowest patterns of Pygments' lexers run away over; people write no such code.
_RUNAWAY = re.compile(
    r"[^\n]{500}"  # a line that was written by a machine
    r"|(?:\n[ \t]*){10}"  # blank lines
    r"|[\w\s.\[\]$<>?]{300}"  # words alone: Java's and C#'s lexers look for a method's head
)

_START = '<pre><code class="language-'
_END = "</code></pre>"
_BLOCK = re.compile(f'{_START}(?P<info>[^"]*)">(?P<code>[^<]*){_END}')
_MARK = re.compile(f"(·[{OPEN}{CLOSE}][0-9]+\ufdd1·)")
# `python`, `{python}`, `{.python}`, `python:a.py`, `ts{1,3}`, `c++`, `asp.net`
_LANGUAGE = re.compile(r"\{?\.?([\w+#-]+(?:\.[\w+#-]+)*)")

Run = tuple[str, str]
"""A class, or "" for none, and the text that has it."""


class Lexer(Protocol):
    """What is used of a lexer of Pygments."""

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Hashable, str]]:
        """Places, kinds and texts, white space exact."""
        ...


def coloured(page: str) -> str:
    """A page of HTML in which fenced code has its colours.

    Deletions may still be tokens in it; a span that one of them would cut is two spans.
    """
    return _BLOCK.sub(_block, page) if _START in page else page


def language(info: str) -> str:
    """The language that the line of a fence names, in lower case; "" if it names none."""
    named = _LANGUAGE.match(info)
    return named[1].lower() if named else ""


def _block(match: re.Match[str]) -> str:
    named = language(unescape(match["info"]))
    if not named:
        return match[0]
    opening = f'<code class="language-{named}">'
    if named in DIAGRAMS:
        return f'<pre class="diagram" data-kind="{DIAGRAMS[named]}">{opening}{match["code"]}{_END}'
    return f"<pre>{opening}{_highlighted(LEXERS.get(named), match['code'])}{_END}"


def _highlighted(lexer: str | None, html: str) -> str:
    """The HTML of code, tokens of deletions in it, with spans."""
    if lexer is None:
        return html
    pieces = _MARK.split(html)
    texts = [unescape(text) for text in pieces[::2]]
    runs = _runs(lexer, "".join(texts))
    if not runs:
        return html
    places = accumulate(map(len, texts[:-1]))
    return _written(runs, list(zip(places, pieces[1::2], strict=True)))


def _written(runs: Sequence[Run], marks: Sequence[tuple[int, str]]) -> str:
    """The runs as HTML, with the marks at their places between spans."""
    out: list[str] = []
    at, upcoming = 0, list(reversed(marks))
    for kind, text in runs:
        start, end = at, at + len(text)
        while upcoming and upcoming[-1][0] < end:
            place, mark = upcoming.pop()
            out += (_span(kind, text[start - at : place - at]), mark)
            start = place
        out.append(_span(kind, text[start - at :]))
        at = end
    out += (mark for _, mark in reversed(upcoming))
    return "".join(out)


def _span(kind: str, text: str) -> str:
    html = inert(escape(text, quote=False))
    return f'<span class="{kind}">{html}</span>' if kind and text else html


# ---------------------------------------------------------------- Pygments


# A short block costs 60 to 300 microseconds, ten times a side without code; from the cache, ten. A
# side is rendered again whenever its document has changed.
@lru_cache(maxsize=2048)
def _runs(lexer: str, code: str) -> tuple[Run, ...]:
    """The code in runs of one class each; none if it is to stay plain."""
    if len(code) > MOST_CHARACTERS or _RUNAWAY.search(code):
        return ()
    made = _lexer(lexer)
    if made is None:
        return ()
    ended = code if code.endswith("\n") else code + "\n"  # comments of some lexers need it
    found = [(_class(kind), text) for _, kind, text in made.get_tokens_unprocessed(ended)]
    if "".join(text for _, text in found) != ended:
        return ()
    merged = [
        (kind, "".join(text for _, text in group))
        for kind, group in groupby(found, key=lambda run: run[0])
    ]
    if ended != code:
        kind, text = merged.pop()
        merged.append((kind, text[:-1]))
    return tuple(merged)


@cache
def _lexer(name: str) -> Lexer | None:
    """A lexer by its name; None = the Pygments that is installed does not have it yet."""
    # Pygments takes as long to import as a whole export of a small vault.
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer: Lexer = get_lexer_by_name(name, **OPTIONS.get(name, {}))
    except ClassNotFound:
        return None
    return lexer


@cache
def _class(kind: Hashable) -> str:
    """The class of a kind of token, or of the nearest kind above that has one."""
    name = str(kind).removeprefix("Token.")
    while name and name not in CLASSES:
        name = name.rpartition(".")[0]
    return CLASSES.get(name, "")


CLASSES = {
    "Comment": "c",
    "Comment.Preproc": "cp",
    "Generic.Deleted": "gd",
    "Generic.Emph": "ge",
    "Generic.Heading": "gh",
    "Generic.Inserted": "gi",
    "Generic.Output": "go",
    "Generic.Prompt": "gp",
    "Generic.Strong": "gs",
    "Generic.Subheading": "gu",
    "Keyword": "k",
    "Keyword.Constant": "kc",
    "Keyword.Type": "kt",
    "Literal": "m",
    "Literal.String": "s",
    "Literal.String.Escape": "se",
    "Literal.String.Interpol": "si",
    "Name.Attribute": "na",
    "Name.Builtin": "nb",
    "Name.Class": "nc",
    "Name.Decorator": "nd",
    "Name.Entity": "ni",
    "Name.Exception": "nc",
    "Name.Function": "nf",
    "Name.Tag": "nt",
    "Name.Variable": "nv",
    "Operator.Word": "k",
}
"""Pygments' own short names, but fewer: themes made for them fit, and fields stay short."""

OPTIONS: dict[str, dict[str, bool]] = {
    "markdown": {"handlecodeblocks": False},
    "php": {"startinline": True},  # nobody writes `<?php` before three lines
}

_NAMES = """
ada: ada adb
agda: agda
apl: apl
applescript: applescript osascript
awk: awk gawk
bash: bash sh shell zsh ksh shellscript
batch: batch bat cmd dosbatch
bibtex: bibtex bib
c: c h
clojure: clojure clj cljs edn
cmake: cmake
cobol: cobol
common-lisp: common-lisp lisp cl
console: console shell-session shellsession sh-session
coq: coq rocq
cpp: cpp c++ cc cxx hpp arduino ino
crystal: crystal cr
csharp: csharp cs c# dotnet
css: css
cuda: cuda cu
cypher: cypher
dart: dart
diff: diff patch
django: django jinja jinja2 twig nunjucks
docker: docker dockerfile
elixir: elixir ex exs
elm: elm
emacs-lisp: emacs-lisp elisp emacs
erlang: erlang erl
fish: fish
fortran: fortran f90 f95
fsharp: fsharp fs f#
gas: gas asm assembly armasm
gdscript: gdscript gd godot
gherkin: gherkin cucumber feature
glsl: glsl
gnuplot: gnuplot
go: go golang
graphql: graphql gql
groovy: groovy gradle
haskell: haskell hs
hcl: hcl
hlsl: hlsl
html: html htm xhtml svelte
http: http
ini: ini cfg conf dosini editorconfig
java: java
javascript: javascript js mjs cjs node nodejs
json: json jsonc webmanifest
json5: json5
jsx: jsx
julia: julia jl
kotlin: kotlin kt kts
latex: latex tex
lean: lean lean4
less: less
llvm: llvm
lua: lua
make: make makefile mf
markdown: markdown md mdx
mathematica: mathematica wolfram wl
matlab: matlab
mysql: mysql mariadb
nasm: nasm x86asm
nginx: nginx
nim: nim
nix: nix
objective-c: objective-c objectivec objc
ocaml: ocaml ml
octave: octave
pascal: pascal delphi objectpascal
perl: perl pl
php: php
plpgsql: plpgsql
postgresql: postgresql postgres psql pgsql
powershell: powershell ps1 pwsh posh
prolog: prolog
properties: properties
protobuf: protobuf proto
purescript: purescript
pycon: pycon python-repl
python: python py python3 py3 sage ipython
racket: racket rkt
r: r rlang s splus
rst: rst rest restructuredtext
ruby: ruby rb
rust: rust rs
sass: sass
scala: scala
scheme: scheme scm
scss: scss
sed: sed
smalltalk: smalltalk st
solidity: solidity sol
sparql: sparql
sql: sql tsql plsql sqlite
swift: swift
systemverilog: systemverilog sv
tcl: tcl
terraform: terraform tf
toml: toml
tsx: tsx
turtle: turtle ttl
typescript: typescript ts mts cts
vb.net: vb.net vbnet vb vba visual-basic basic
verilog: verilog v
vhdl: vhdl
vim: vim viml vimscript
vue: vue
wgsl: wgsl
xml: xml svg rss atom mathml xsd xsl plist
yaml: yaml yml
zig: zig
"""

LEXERS = {
    alias: name.strip()
    for name, _, aliases in (row.partition(":") for row in _NAMES.strip().splitlines())
    for alias in aliases.split()
}
"""Pygments' lexer for each name of a language; each has been measured on text made to be slow."""

DIAGRAMS = {
    "base": "Base",
    "chart": "Chart",
    "d2": "D2 diagram",
    "dataview": "Dataview query",
    "dataviewjs": "Dataview script",
    "desmos-graph": "Desmos graph",
    "dot": "Graphviz diagram",
    "functionplot": "Function plot",
    "graphviz": "Graphviz diagram",
    "mermaid": "Mermaid diagram",
    "plantuml": "PlantUML diagram",
    "puml": "PlantUML diagram",
    "query": "Search",
    "tasks": "Tasks query",
    "tikz": "TikZ drawing",
    "vega": "Vega chart",
    "vega-lite": "Vega chart",
    "wavedrom": "WaveDrom diagram",
}
"""What Obsidian, or a plugin of it, would draw or fill in; a card shows what was written."""
