"""obs2anki: Obsidian flashcards into Anki, with their review history."""

__version__ = "0.1.0"
