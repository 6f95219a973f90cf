"""The export that a user would script in an evening: to measure against, not to be used.

    python -m benchmarks.plain VAULT DECK

pathlib finds the documents, python-frontmatter reads them, regular expressions find the
flashcards, markdown-it-py renders the sides, and genanki writes the package as it comes: no
reviews, no settings, no ledger, no media beyond their names, and no finding.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

import frontmatter
import genanki
from markdown_it import MarkdownIt

REVIEW = re.compile(r"<!--SR:.*?-->")
SINGLE = re.compile(r"^(?P<front>[^\n]+?)(?P<separator>:::?)(?P<back>[^\n]+)$", re.MULTILINE)
MULTI = re.compile(
    r"(?P<front>(?:^[^\n]+\n)+?)^(?P<separator>\?\??)\n(?P<back>(?:^[^\n]+\n?)+)", re.MULTILINE
)
CLOZE = re.compile(r"==(?:(?P<number>\d+);;)?(?P<answer>[^=\n]+?)(?:;;(?P<hint>[^=\n]+))?==")


def notes(file: Path, markdown: MarkdownIt) -> Iterator[tuple[str, genanki.Note]]:
    """The notes of a document, each with the name of its deck."""
    document = frontmatter.load(str(file))
    written = document.metadata.get("tags")
    tags = [str(tag) for tag in written] if isinstance(written, list) else [str(written)]
    if not any(tag.startswith("flashcards") for tag in tags):
        return
    deck = tags[0].replace("/", "::")
    text = REVIEW.sub("", document.content)
    for block in re.split(r"\n\s*\n", text):
        for match in [*MULTI.finditer(block), *SINGLE.finditer(block)]:
            sides = [markdown.render(match[side].strip()) for side in ("front", "back")]
            twice = match["separator"] in (":::", "??")
            model = genanki.BASIC_AND_REVERSED_CARD_MODEL if twice else genanki.BASIC_MODEL
            yield deck, genanki.Note(model=model, fields=sides)
        if CLOZE.search(block):
            found = iter(range(1, 1000))

            def anki(match: re.Match[str], found: Iterator[int] = found) -> str:
                number = match["number"] or next(found)
                hint = f"::{match['hint']}" if match["hint"] else ""
                return f"{{{{c{number}::{match['answer']}{hint}}}}}"

            html = markdown.render(CLOZE.sub(anki, block.strip()))
            yield deck, genanki.Note(model=genanki.CLOZE_MODEL, fields=[html, ""])


def main() -> None:
    """Export the vault that the command line names, and print how many notes there are."""
    parser = argparse.ArgumentParser(prog="benchmarks.plain", description="Export plainly.")
    parser.add_argument("vault", type=Path)
    parser.add_argument("deck", type=Path)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", module="genanki")
    markdown = MarkdownIt("commonmark").enable("table")
    decks: dict[str, genanki.Deck] = {}
    for file in sorted(arguments.vault.rglob("*.md")):
        for name, note in notes(file, markdown):
            deck = decks.setdefault(name, genanki.Deck(1_500_000_000 + len(decks), name))
            deck.add_note(note)
    media = [str(file) for file in arguments.vault.rglob("*.png")]
    genanki.Package(list(decks.values()), media_files=media).write_to_file(str(arguments.deck))
    print(sum(len(deck.notes) for deck in decks.values()))


if __name__ == "__main__":
    main()
