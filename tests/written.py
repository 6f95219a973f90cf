"""Documents and flashcards written down in a test, and what is made of them."""

from __future__ import annotations

from dataclasses import replace

from obs2anki import decks, extract, markdown
from obs2anki.data import Diagnostic, Document, Flashcard, Source, VaultPath
from obs2anki.settings import Grammar, Settings

EVERY_DOCUMENT = Settings(
    plugin=False,
    grammar=Grammar(single_line=";;", single_line_reversed=";;;", flashcard_tags=()),
)
"""No plugin: `;;` and `;;;` separate, highlights are clozes, tags are not needed."""


def source(text: str, path: str = "a.md") -> Source:
    """A document as the vault hands it over."""
    return Source(VaultPath(path), text)


def document(text: str, path: str = "a.md") -> Document:
    """A document, parsed."""
    return markdown.parse(source(text, path))[0]


def extraction(text: str, **grammar: object) -> extract.Extraction:
    """What `extract` finds in a text, with parts of the grammar replaced."""
    rules = replace(EVERY_DOCUMENT.grammar, **grammar)  # type: ignore[arg-type]  # by name
    return extract.flashcards(document(text), rules)


def flashcards(
    text: str, path: str = "a.md", settings: Settings = EVERY_DOCUMENT
) -> list[Flashcard]:
    """The flashcards of a text, with topics and tags."""
    parsed = document(text, path)
    found = extract.flashcards(parsed, settings.grammar).flashcards
    placed, _ = decks.place(parsed, found, settings, "vault")
    return [p.flashcard for p in placed if not p.left_out]


def codes(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> list[tuple[str, int]]:
    """Code and line of each finding."""
    return [(d.code, d.line) for d in diagnostics]


def told(flashcard: Flashcard) -> str:
    """A flashcard as a line that a person can read."""
    sides = " | ".join(
        f"{markdown.trim(front)} -> {markdown.trim(back)}".replace("\n", "\\n")
        for front, back in extract.faces(flashcard)
    )
    return f"{flashcard.line}-{flashcard.end_line} {flashcard.type}: {sides}"
