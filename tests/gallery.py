"""Pictures of the cards of a vault, as Anki shows them by day, by night and on a phone.

    python -m tests.gallery /tmp/gallery fixtures/vaults/gallery

The vault is exported and imported into a collection of Anki's own engine, which renders question
and answer; Chromium takes the pictures, the two sides of a card beside each other. Where Anki's
window (`aqt`) can be imported too, its stylesheet and its MathJax are used; else TeX is shown.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path

from anki.collection import Collection

from tests import anki_collection

VAULT = Path(__file__).parent.parent / "fixtures" / "vaults" / "gallery"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True, slots=True)
class Form:
    """A way of looking at a card."""

    name: str
    width: int
    """Of each side, in CSS pixels."""
    body: str
    """The classes that Anki gives to the body besides `card`."""


FORMS = (
    Form("light", 640, "card1 isLin"),
    Form("night", 640, "card1 isLin nightMode"),
    Form("phone", 375, "card1 night_mode nightMode mobile android"),
)

_SHEET = """<!doctype html><meta charset="utf-8">
<style>
  body {{ margin: 0; display: flex; flex-wrap: wrap; gap: 12px; padding: 12px; }}
  html {{ background: #8a9099; }}
  iframe {{ border: 0; width: {width}px; height: {height}px; border-radius: 8px; }}
</style>
{frames}
<script>
  // How high each side is, and whether it is wider than the screen, for the reader of the title.
  const told = (frame) => {{
    const page = frame.contentDocument.documentElement;
    return `${{page.offsetHeight}}${{page.scrollWidth > {width} ? "!" : ""}}`;
  }};
  addEventListener("load", () => setTimeout(() => {{
    document.title = [...document.querySelectorAll("iframe")].map(told).join(" ");
  }}, {wait}));
</script>
"""
GAP = 12
TALL = 2000
"""A height at which every side is measured: an image is never higher than the screen."""


def main() -> None:
    """Write the pictures, and say what there is to see."""
    parser = argparse.ArgumentParser(prog="tests.gallery", description="Take pictures of cards.")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("vault", type=Path, nargs="?", default=VAULT)
    parser.add_argument("--only", default="", help="cards whose name holds this")
    arguments = parser.parse_args()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit("A gallery needs Chromium: on Debian or Ubuntu, apt install chromium.")
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if not _of_window("js/mathjax.js"):
        print("Formulas are shown as TeX: MathJax comes with Anki's window (pip install aqt).")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        wanted = [c for c in cards(arguments.vault, work) if arguments.only in c.name]
        for form in FORMS:
            for card, (height, wide) in zip(
                wanted, measured(wanted, form, work, browser), strict=True
            ):
                file = arguments.folder / f"{card.name}-{form.name}.png"
                picture(card, form, height, file, work, browser)
                print(f"{file}{'  WIDER THAN THE SCREEN' if wide else ''}")


# ---------------------------------------------------------------- Anki


@dataclass(frozen=True, slots=True)
class Card:
    """A card as Anki's template engine makes it; `name` says where it came from."""

    name: str
    css: str
    question: str
    answer: str
    media: Path


def cards(vault: Path, work: Path) -> Iterator[Card]:
    """Every card of a vault, in its order."""
    deck = work / "deck.apkg"
    command = (sys.executable, "-m", "obs2anki", "export", str(vault), "-o", str(deck))
    subprocess.run([*command, "--stateless", "--no-scheduling"], check=True, capture_output=True)
    with anki_collection.collection(work) as col:
        anki_collection.bring(col, deck)
        counted: dict[str, int] = {}
        for card_id in col.find_cards("", order="c.due, c.ord"):
            card = col.get_card(card_id)
            document = words(card.note()["Source"])
            counted[document] = counted.get(document, 0) + 1
            output = card.render_output()
            yield Card(
                f"{document}-{counted[document]}",
                output.css,
                _played(col, output.question_text),
                _played(col, output.answer_text),
                Path(col.media.dir()),
            )


def words(source: str) -> str:
    """The text of a Source as part of the name of a file."""
    text = re.sub(r"<[^>]*>", "", source)
    return re.sub(r"\W+", "-", text.lower()).strip("-")


def _played(col: Collection, html: str) -> str:
    """The side with a sign where Anki has a button that plays a sound."""
    return re.sub(r"\[anki:play:[^\]]*\]", "\u25b6", html)


# ---------------------------------------------------------------- Chromium


def measured(
    wanted: Sequence[Card], form: Form, work: Path, browser: str
) -> list[tuple[int, bool]]:
    """For each card the height of its higher side, and whether one is wider than the screen."""
    page = work / "measure.html"
    page.write_text(_sheet(wanted, form, TALL), "utf-8")
    title = re.search(r"<title>([0-9 !]+)</title>", _chromium(browser, "--dump-dom", page))
    assert title is not None, "Chromium measured nothing"
    sides = title[1].split()
    return [
        (max(int(side.rstrip("!")) for side in pair), "!" in "".join(pair))
        for pair in zip(sides[::2], sides[1::2], strict=True)
    ]


def picture(card: Card, form: Form, height: int, file: Path, work: Path, browser: str) -> None:
    """Take a picture of both sides of a card."""
    page = work / "sheet.html"
    page.write_text(_sheet([card], form, height), "utf-8")
    size = f"{form.width * 2 + GAP * 3},{height + GAP * 2}"
    _chromium(browser, f"--screenshot={file}", f"--window-size={size}", page)


def _chromium(browser: str, *arguments: str | Path) -> str:
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    return subprocess.run(
        [browser, *options, "--virtual-time-budget=5000", "--allow-file-access-from-files"]
        + [str(argument) for argument in arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def _sheet(shown: Iterable[Card], form: Form, height: int) -> str:
    frames = "\n".join(
        f'<iframe srcdoc="{escape(_side(card, side, form))}"></iframe>'
        for card in shown
        for side in (card.question, card.answer)
    )
    wait = 3000 if _of_window("js/mathjax.js") else 200
    return _SHEET.format(width=form.width, height=height, frames=frames, wait=wait)


def _side(card: Card, html: str, form: Form) -> str:
    """A side in a page like that of Anki's reviewer."""
    return (
        f'<!doctype html><meta charset="utf-8"><base href="{card.media.as_uri()}/">{_head()}'
        f'<body class="card {form.body}"><div id="qa"><style>{card.css}</style>{html}</div>'
    )


def _head() -> str:
    """What Anki's window loads before a card, or the part of it that a card may collide with."""
    styles = _of_window("css/reviewer.css")
    return "".join(
        (
            f'<link rel="stylesheet" href="{styles}">' if styles else f"<style>{_ANKI}</style>",
            "<style>body { --canvas: #2c2c2c; --fg: #fcfcfc; }</style>",
            _mathjax(),
        )
    )


def _mathjax() -> str:
    settings, library = _of_window("js/mathjax.js"), _of_window("js/vendor/mathjax")
    if not settings:
        return ""
    return (
        f'<script src="{settings}"></script><script>MathJax.startup.typeset = true;'
        f'MathJax.loader.paths.mathjax = "{library}";</script>'
        f'<script src="{library}/tex-chtml-full.js"></script>'
    )


_ANKI = """
    body { margin: 20px; overflow-wrap: break-word; background-size: cover; }
    body.nightMode { background-color: var(--canvas); color: var(--fg); }
    hr { background-color: #737373; margin: 1em 0; border: none; height: 1px; }
    img { max-width: 100%; max-height: 95vh; }
    li { text-align: start; }
    pre { text-align: left; }
"""


def _of_window(path: str) -> str:
    """The address of a file of Anki's window; "" if that is not installed."""
    found = find_spec("_aqt")
    places = (found.submodule_search_locations if found else None) or ()
    files = (Path(place) / "data/web" / path for place in places)
    return next((file.as_uri() for file in files if file.exists()), "")


if __name__ == "__main__":
    main()
