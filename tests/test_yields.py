"""What a document yields: the digest of what is learnt."""

from __future__ import annotations

import pytest

from obs2anki import identity, render, yields
from tests import vault_files, written

LIBRARY = vault_files.library("biology/cell.png")


@pytest.mark.parametrize("text", ["a;; b", "![[cell.png]];;;[[gone]] é #x", "==a== › ==b;;c=="])
@pytest.mark.parametrize("vault", ["My Vault", "", "Größe"])
def test_the_digest_of_a_flashcard_tells_all_its_fields(text: str, vault: str) -> None:
    document = written.source(f"# Above\n\n{text}", "biology/a.md")
    (made,) = yields.of(document, written.EVERY_DOCUMENT, LIBRARY, vault).made
    fields = yields.fields(made.flashcard, made.sides, made.context, made.source)
    told = "\x1f".join(f"{name}={text}" for name, text in fields.items())
    told = told.replace(render.named(vault), "")
    media = sorted(medium.name for medium in made.sides.media)
    assert made.content == identity.digest(told, "\x1e", *made.flashcard.tags, "\x1e", *media)


def test_another_name_of_the_vault_changes_no_digest() -> None:
    document = written.source("[[b]];; c", "a.md")
    one, other = (
        yields.of(document, written.EVERY_DOCUMENT, LIBRARY, vault).made[0]
        for vault in ("Cells", "My cells")
    )
    assert one.sides != other.sides
    assert one.content == other.content
