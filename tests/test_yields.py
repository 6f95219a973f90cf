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
    yielded = yields.of(document, written.EVERY_DOCUMENT, LIBRARY, vault)
    (made,) = yielded.made
    frame = yielded.frames[made.frame]
    fields = {"Context": frame.context, "Source": frame.source}
    if made.flashcard.cloze is not None:
        fields["Text"] = made.sides.html[0]
    else:
        fields["Front"], fields["Back"] = made.sides.html
        fields["Reverse"] = "1" if made.flashcard.type.reversed else ""
    told = "\x1f".join(f"{name}={fields[name]}" for name in sorted(fields))
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
