"""What rendering costs, beside the Markdown library alone on the same text.

    python -m benchmarks.render 100000

So many card sides of 100 to 1,000 characters are written as people write them, without code
blocks. Each batch goes first through comrak with the options that cards are rendered with, then
through `render.side` and `render.cloze`, in one process.

The mix is that of the 4,236 sides of this length, without code blocks, in twelve public vaults
that the plugin keeps reviews in; of these vaults, the ten with five such sides or more count the
same, however large. Of a vault's sides on average 58 % are a single line, 34 % hold a list (13 % a
nested one), 28 % emphasis, 17 % maths, 9 % line breaks, 8 % a cloze, 6 % code within a line, 4 % an
image, 3 % an address, 1 % HTML; wikilinks, quotes, callouts and tables are rarer still. They are
written here more often than that, for there are vaults full of them. Half of those sides are
shorter than 165 characters, nine in ten than 300; the ones here are spread further.
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
    mark = author.random.choice(("-", "-", "-", "1."))
    return "\n".join(f"{mark} {_item(author)}" for _ in range(author.random.randint(3, 6)))


def _nested_list(author: Author) -> str:
    depth, lines = 0, [f"- {_item(author)}"]
    for _ in range(author.random.randint(2, 6)):
        depth = author.random.randint(0, min(depth + 1, 3))
        lines.append("\t" * depth + f"- {_item(author)}")
    return "\n".join(lines)


def _item(author: Author) -> str:
    words = author.words(3, 12)
    return f"**{author.words(1, 2)}** {words}" if author.random.random() < 0.25 else words


def _maths(author: Author) -> str:
    formula = author.random.choice(FORMULAS)
    if author.random.random() < 0.25:
        formula = f"\n${formula}$\n"
    return f"{author.words(3, 9)} {formula} {author.words(3, 9)}"


def _code(author: Author) -> str:
    return f"{author.words(3, 9)} `{author.words(1, 2)}` {author.words(5, 12)}"


def _address(author: Author) -> str:
    return f"{author.words(5, 12)}: https://example.org/{author.words(1, 1)}"


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
    (20, _prose),
    (12, _plain),
    (8, _lines),
    (18, _list),
    (13, _nested_list),
    (16, _maths),
    (8, _highlight),
    (6, _code),
    (4, _image),
    (3, _address),
    (1, _html),
    (2, _quote),
    (2, _callout),
    (2, _table),
)
"""How often each kind of side is written."""


def sides(count: int, seed: int = 1) -> Iterator[str]:
    """So many sides; the same for every machine."""
    author = Author(Random(f"sides {seed}"), lexicon(seed), IMAGES)
    weights, writers = zip(*WRITERS, strict=True)
    for _ in range(count):
        wanted = SHORTEST * (LONGEST / SHORTEST) ** (author.random.random() ** 2)
        write = author.random.choices(writers, weights)[0]
        text = write(author)
        while len(text) < wanted:
            text += f"\n\n{write(author)}"
        yield text[:LONGEST]


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
