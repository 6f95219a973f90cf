"""Vaults of any size that look like somebody's: prose, and flashcards among it.

    python -m benchmarks.vaults FOLDER CARDS

The same seed and size give the same documents, on every machine. One looks like this, with
ten cards or so instead of three:

    ---
    tags: [flashcards/botany/moss]
    ---
    # Amera tolis

    Prose, a list, a table or a piece of code.

    What does *sidora* mean?::a kind of belun
    <!--SR:!2024-04-12,14,232-->

    The ==tolis== holds up the ==amera;;what is held==.
"""

from __future__ import annotations

import argparse
import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

CARDS_PER_DOCUMENT = 10
PROSE_ONLY_EVERY = 20
"""One document in so many holds no flashcard tag; half of those hold a review all the same."""
DOCUMENTS_PER_FOLDER = 30
DOCUMENTS_PER_IMAGE = 50
IMAGE_SIDE = 64
"""Pixels."""

DATA_JSON = {
    "settings": {
        "flashcardTags": ["#flashcards"],
        "noteFoldersToIgnore": ["**/*.excalidraw.md", "Templates"],
        "singleLineCardSeparator": "::",
        "singleLineReversedCardSeparator": ":::",
        "multilineCardSeparator": "?",
        "multilineReversedCardSeparator": "??",
        "multilineCardEndMarker": "",
        "clozePatterns": ["==[123;;]answer[;;hint]=="],
    }
}

SUBJECTS = ("botany", "chemistry", "history", "law", "maths", "medicine", "physics", "spanish")
FORMULAS = (
    r"$e^{i\pi} + 1 = 0$",
    r"$\int_0^1 x^2\,dx = \frac{1}{3}$",
    r"$\sum_{k=1}^n k = \frac{n(n+1)}{2}$",
    r"$\nabla \cdot \mathbf{E} = \rho / \varepsilon_0$",
)
CODE = """```python
def mean(values: list[float]) -> float:
    total = sum(values)

    return total / len(values)
```"""
TABLE = """| Name  | Sign | Since |
| ----- | ---- | ----- |
| alpha | a    | 1902  |
| beta  | b    | 1913  |"""


# ---------------------------------------------------------------- words


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What the authors of a vault know how to write."""

    words: tuple[str, ...]
    sentences: tuple[str, ...]


def lexicon(seed: int) -> Lexicon:
    """Some thousand made-up words, and sentences of them, of the length of English ones."""
    random = Random(f"lexicon {seed}")
    onsets = ("b", "br", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v")
    vowels = ("a", "e", "i", "o", "u", "ae", "io")
    ends = ("", "", "l", "n", "r", "s", "x")

    def word() -> str:
        parts = random.choices((1, 2, 3, 4), weights=(2, 6, 4, 1))[0]
        return "".join(
            random.choice(onsets) + random.choice(vowels) + random.choice(ends)
            for _ in range(parts)
        )

    made = dict.fromkeys(word() for _ in range(6000))
    # `==sash;;x==` is an overlapping cloze, whatever its author meant.
    words = tuple(word for word in made if not set(word) <= set("ash"))
    sentences = tuple(_sentence(random, words) for _ in range(4000))
    return Lexicon(words, sentences)


def _sentence(random: Random, words: Sequence[str]) -> str:
    chosen = random.choices(words, k=random.randint(6, 22))
    for place, mark in ((2, "*{}*"), (4, "**{}**"), (5, "[[{}]]")):
        if random.random() < 0.15:
            chosen[place] = mark.format(chosen[place])
    return " ".join(chosen).capitalize() + "."


# ---------------------------------------------------------------- flashcards


@dataclass(slots=True)
class Author:
    """Whoever writes one document: a lexicon, and a mind of their own."""

    random: Random
    lexicon: Lexicon
    images: int

    def words(self, low: int, high: int) -> str:
        """Between `low` and `high` words."""
        return " ".join(self.random.choices(self.lexicon.words, k=self.random.randint(low, high)))

    def prose(self, low: int, high: int) -> str:
        """Between `low` and `high` sentences."""
        count = self.random.randint(low, high)
        return " ".join(self.random.choices(self.lexicon.sentences, k=count))

    def image(self) -> str:
        """An embed of one of the vault's images."""
        return f"![[image-{self.random.randrange(self.images):04}.png]]"

    def reviews(self, cards: int) -> str:
        """An SR comment on a line of its own, or nothing for a flashcard never reviewed."""
        if self.random.random() < 0.3:
            return ""
        return "\n<!--SR:" + "".join(self._review() for _ in range(cards)) + "-->"

    def _review(self) -> str:
        kind = self.random.random()
        if kind < 0.1:
            return "!2000-01-01,1,250"
        interval = self.random.choice((1, 3, 4, 9, 14, 30, 62, 150, 400))
        due = date(2024, 1, 1) + timedelta(days=self.random.randrange(700))
        if kind < 0.8:
            return f"!{due},{interval},{self.random.randrange(130, 320)}"
        stability = f"{interval * 1.07:.4f}"
        difficulty = f"{self.random.uniform(1, 10):.2f}"
        reps = self.random.randint(1, 12)
        return (
            f"!fsrs,{due}T10:00:00.000Z,{interval},{stability},{difficulty},2,{reps},1,0,"
            f"{due - timedelta(days=interval)}T10:00:00.000Z"
        )


def _single_line_basic(author: Author) -> str:
    line = f"What does *{author.words(1, 4)}* mean?::{author.words(2, 14)}"
    return line + author.reviews(1)


def _tagged_and_anchored(author: Author) -> str:
    subject = author.random.choice(SUBJECTS)
    anchor = f"{author.random.randrange(16**6):06x}"
    line = f"#flashcards/{subject} {author.words(3, 8)}?::{author.words(2, 9)} ^{anchor}"
    return line + author.reviews(1)


def _multi_line_prose(author: Author) -> str:
    back = f"{author.prose(1, 3)}\n- {author.words(3, 9)}\n- {author.words(3, 9)}"
    return f"Explain {author.words(2, 6)}\n?\n{back}{author.reviews(1)}"


def _multi_line_block(author: Author) -> str:
    block = author.random.choice(
        (CODE, TABLE, f"$$\n{author.random.choice(FORMULAS)[1:-1]}\n$$", author.image())
    )
    return f"Show {author.words(2, 6)}\n?\n{block}\n{author.words(2, 8)}{author.reviews(1)}"


def _single_line_reversed(author: Author) -> str:
    return f"{author.words(1, 3)}:::{author.words(1, 4)}{author.reviews(2)}"


def _multi_line_reversed(author: Author) -> str:
    formula = author.random.choice(FORMULAS)
    return f"{author.words(3, 8)}\n??\n{formula} and {author.words(3, 8)}{author.reviews(2)}"


def _numbered_cloze(author: Author) -> str:
    first, second, third = (author.words(1, 2) for _ in range(3))
    line = f"{author.words(2, 5)} ==1;;{first}== of ==2;;{second};;a hint== and ==1;;{third}=="
    return line + author.reviews(2)


def _simple_cloze(author: Author) -> str:
    first, second, third = (author.words(1, 2) for _ in range(3))
    line = f"The =={first}== holds =={second};;{author.words(1, 1)}== up, like =={third}== does."
    return line + author.reviews(3)


Writer = Callable[[Author], str]

FLASHCARDS: tuple[tuple[int, int, Writer], ...] = (
    (1, 8, _single_line_basic),
    (1, 1, _tagged_and_anchored),
    (1, 4, _multi_line_prose),
    (1, 2, _multi_line_block),
    (2, 2, _single_line_reversed),
    (2, 1, _multi_line_reversed),
    (2, 1, _numbered_cloze),
    (3, 2, _simple_cloze),
)
"""How many cards each makes, how often it is written, and how."""


def _flashcards(author: Author, cards: int) -> Iterator[str]:
    left = cards
    while left:
        able = [row for row in FLASHCARDS if row[0] <= left]
        made, _, write = author.random.choices(able, weights=[weight for _, weight, _ in able])[0]
        left -= made
        yield write(author)


# ---------------------------------------------------------------- documents


def _document(author: Author, cards: int) -> str:
    """A document of so many cards; without any it has no flashcard tag either."""
    random = author.random
    subject = f"flashcards/{random.choice(SUBJECTS)}" if cards else "reading"
    title = author.words(1, 4).capitalize()
    parts = [f"---\ntags:\n  - {subject}\ncreated: 2024-03-01\n---\n# {title}", author.prose(2, 7)]
    for number, flashcard in enumerate(_flashcards(author, cards)):
        if number % 4 == 0:
            parts.append(f"## {author.words(1, 4).capitalize()}")
        if random.random() < 0.3:
            parts.append(_interlude(author))
        parts.append(flashcard)
    if not cards:
        parts += (author.prose(4, 12) for _ in range(3))
        if random.random() < 0.5:
            parts.append(_single_line_basic(author))
    if random.random() < 0.02:
        parts.append("<!--SR:!2024-02-02,3,210-->")  # its flashcard has been deleted
    return "\n\n".join(parts) + "\n"


def _interlude(author: Author) -> str:
    """What stands between flashcards."""
    return author.random.choice(
        (
            author.prose(2, 6),
            f"- {author.words(4, 12)}\n- {author.words(4, 12)}\n\t- {author.words(2, 6)}",
            f"> [!note] {author.words(1, 3)}\n> {author.prose(1, 2)}",
            CODE,
            TABLE,
            author.image(),
        )
    )


def documents(cards: int, seed: int = 1) -> Iterator[tuple[str, str]]:
    """The path and text of each document of a vault with exactly so many cards."""
    known = lexicon(seed)
    count = max(1, cards // CARDS_PER_DOCUMENT)
    prose_only = count // PROSE_ONLY_EVERY
    tagged = count - prose_only
    images = image_count(cards)
    chapters = known.words[: max(1, count // len(SUBJECTS) // DOCUMENTS_PER_FOLDER)]
    for index in range(count):
        author = Author(Random(f"{seed} {index}"), known, images)
        share = cards // tagged + (index < cards % tagged) if index < tagged else 0
        folder = f"{SUBJECTS[index % len(SUBJECTS)]}/{author.random.choice(chapters)}"
        yield f"{folder}/Document {index}.md", _document(author, share)


def image_count(cards: int) -> int:
    """How many images a vault of so many cards has."""
    return max(1, cards // CARDS_PER_DOCUMENT // DOCUMENTS_PER_IMAGE)


def image(seed: int) -> bytes:
    """A PNG of noise, about 12 kB, which no compression makes smaller."""
    random = Random(f"image {seed}")
    rows = b"".join(b"\0" + random.randbytes(3 * IMAGE_SIDE) for _ in range(IMAGE_SIDE))
    header = struct.pack(">IIBBBBB", IMAGE_SIDE, IMAGE_SIDE, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def write(folder: Path, cards: int, seed: int = 1) -> None:
    """Write a vault of so many cards into `folder`, which is made."""
    plugin = folder / ".obsidian" / "plugins" / "obsidian-spaced-repetition"
    attachments = folder / "Attachments"
    for needed in (plugin, attachments):
        needed.mkdir(parents=True, exist_ok=True)
    (plugin / "data.json").write_text(json.dumps(DATA_JSON, indent=2), encoding="utf-8")
    for number in range(image_count(cards)):
        (attachments / f"image-{number:04}.png").write_bytes(image(number))
    for path, text in documents(cards, seed):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())


def main() -> None:
    """Write the vault that the command line asks for."""
    parser = argparse.ArgumentParser(prog="benchmarks.vaults", description="Write a vault.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("cards", type=int)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    write(arguments.folder, arguments.cards, arguments.seed)


if __name__ == "__main__":
    main()
