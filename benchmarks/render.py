"""What rendering costs, beside the Markdown library alone on the same text.

    python -m benchmarks.render 100000

So many card sides of 100 to 1,000 characters are written as people write them: prose with
emphasis and links, lists, tables, maths, highlights, quotes, callouts, images and clozes, now
and then a tag of HTML, and no code block. Each batch goes first through comrak with the options
that cards are rendered with, then through `render.side` and `render.cloze`, in one process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random

import comrak

from benchmarks.vaults import FORMULAS, TABLE, Author, lexicon
from obs2anki import cloze, render
from obs2anki.data import VaultPath
from obs2anki.media import Library
from obs2anki.render import page
from obs2anki.settings import Obsidian

SIDES = 100_000
SHORTEST, LONGEST = 100, 1000
BATCH = 500
IMAGES = 40

PATTERNS, _ = cloze.compile_patterns(("==[123;;]answer[;;hint]==",))
PLACE = render.Place(VaultPath("botany/moss.md"), 1, "Vault")
OBSIDIAN = Obsidian()

# ---------------------------------------------------------------- what people write


def _prose(author: Author) -> str:
    return author.prose(1, 3)


def _plain(author: Author) -> str:
    return f"{author.words(12, 40).capitalize()}."


def _lines(author: Author) -> str:
    return "\n".join(f"{author.words(4, 12)}," for _ in range(author.random.randint(2, 5)))


def _list(author: Author) -> str:
    return "\n".join(
        author.random.choice(("- ", "- ", "\t- ", "1. ")) + author.words(3, 12)
        for _ in range(author.random.randint(3, 6))
    )


def _maths(author: Author) -> str:
    formula = author.random.choice(FORMULAS)
    return f"{author.words(3, 9)} {formula} {author.words(3, 9)}\n\n${formula}$"


def _highlight(author: Author) -> str:
    return f"{author.words(4, 12)} =={author.words(1, 3)}== {author.words(4, 12)}."


def _callout(author: Author) -> str:
    return f"> [!note] {author.words(1, 4)}\n> {author.prose(1, 2)}"


def _quote(author: Author) -> str:
    return f"> {author.prose(1, 2)}"


def _table(_: Author) -> str:
    return TABLE


def _image(author: Author) -> str:
    return f"{author.words(3, 9)}\n{author.image()}"


def _html(author: Author) -> str:
    return f"{author.words(3, 9)}<sub>2</sub> <u>{author.words(3, 9)}</u>"


WRITERS: tuple[tuple[int, Callable[[Author], str]], ...] = (
    (300, _prose),
    (150, _plain),
    (100, _lines),
    (150, _list),
    (80, _maths),
    (60, _highlight),
    (30, _callout),
    (30, _quote),
    (40, _table),
    (40, _image),
    (5, _html),
)
"""How often each kind of block is written; one side in fifty holds a tag of HTML."""


def sides(count: int, seed: int = 1) -> Iterator[str]:
    """So many sides; the same for every machine."""
    author = Author(Random(f"sides {seed}"), lexicon(seed), IMAGES)
    weights, writers = zip(*WRITERS, strict=True)
    for _ in range(count):
        wanted = author.random.randint(SHORTEST, LONGEST)
        text = ""
        while len(text) < max(SHORTEST, wanted - 150):
            text += f"\n\n{author.random.choices(writers, weights)[0](author)}"
        yield text.strip()[:LONGEST]


def library(seed: int = 1) -> Library:
    """A vault with the images and the documents that the sides name, and no disk."""
    images = (VaultPath(f"Attachments/image-{number:04}.png") for number in range(IMAGES))
    documents = (VaultPath(f"{word}.md") for word in lexicon(seed).words)
    return Library(
        Path("/vault").joinpath,
        (*images, *documents),
        OBSIDIAN,
        100,
        lambda file: (sha256(file.name.encode()).hexdigest(), 1000),
    )


# ---------------------------------------------------------------- measuring


def bare(texts: Sequence[str]) -> None:
    """The Markdown library alone."""
    for text in texts:
        comrak.render_markdown(text, *page._options(False, False, "|" in text, True, False))


def rendered(texts: Sequence[str | cloze.Marked], files: Library) -> None:
    """Each text as a side or as a cloze."""
    for text in texts:
        if isinstance(text, str):
            render.side(text, PLACE, files, OBSIDIAN)
        else:
            render.cloze(text, PLACE, files, OBSIDIAN)


def extracted(text: str) -> str | cloze.Marked:
    """What extraction hands over: a text with a highlight is a cloze."""
    found, _ = cloze.parse(text, PATTERNS)
    return cloze.marked(text, found) if found.deletions else text


def measure(count: int, seed: int) -> tuple[float, float, int]:
    """Seconds of processor time of the library alone and of rendering, and the characters."""
    files, written = library(seed), sides(count, seed)
    floor = ours = 0.0
    characters = 0
    while batch := list(islice(written, BATCH)):
        characters += sum(map(len, batch))
        asked = [extracted(text) for text in batch]
        start = time.process_time()
        bare(batch)
        between = time.process_time()
        rendered(asked, files)
        ours += time.process_time() - between
        floor += between - start
    return floor, ours, characters


def main() -> None:
    """Print what both cost, and the ratio."""
    parser = argparse.ArgumentParser(prog="benchmarks.render", description="Measure rendering.")
    parser.add_argument("sides", type=int, nargs="?", default=SIDES)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    floor, ours, characters = measure(arguments.sides, arguments.seed)
    count = arguments.sides
    print(f"{count:,} sides without code blocks, {characters / count:.0f} characters on average")
    print(f"  comrak alone   {floor:7.2f} s   {floor / count * 1e6:6.1f} µs a side")
    print(f"  render         {ours:7.2f} s   {ours / count * 1e6:6.1f} µs a side")
    print(f"  ratio          {ours / floor:7.2f}")


if __name__ == "__main__":
    main()
