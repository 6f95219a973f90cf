"""The stylesheet: what it promises for each part of a card, by day and by night."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from obs2anki import render
from obs2anki.data import VaultPath
from obs2anki.notetypes import DEFINITIONS
from obs2anki.settings import Obsidian
from obs2anki.stylesheet import CALLOUTS, CSS
from tests import gallery, vault_files

ROOT = Path(__file__).parent.parent
LIGHT, NIGHT = (
    dict(re.findall(r"--([a-z-]+): ([^;]+);", block))
    for block in re.findall(r"^\.card[^{]*\{([^}]*--text:[^}]*)\}", CSS, re.MULTILINE)
)
ALIASES = [name for names, _, _ in CALLOUTS for name in names]


def luminance(colour: str) -> float:
    """How bright a colour is, from 0 to 1, as WCAG has it."""
    parts = (
        [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        if colour.startswith("#")
        else [int(part) for part in colour.split(",")]
    )
    linear = [p / 255 / 12.92 if p <= 10 else ((p / 255 + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Between two colours, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, NIGHT], ids=["light", "night"])
def test_every_colour_of_text_can_be_read_on_its_ground(colours: dict[str, str]) -> None:
    for name in colours.keys() - {"ground", "raised", "line", "mark", "mark-text"}:
        assert contrast(colours[name], colours["ground"]) >= 4.5, name
    for name in ("keyword", "string", "number", "comment", "function", "type", "name", "tag"):
        assert contrast(colours[name], colours["raised"]) >= 4.5, name
    assert contrast(colours["mark-text"], colours["mark"]) >= 4.5


def test_night_has_a_colour_for_each_colour_of_the_day() -> None:
    assert LIGHT.keys() == NIGHT.keys()


def test_every_variable_that_is_used_is_set() -> None:
    used = set(re.findall(r"var\(--([a-z-]+)\)", CSS))
    assert used == LIGHT.keys() | {"tint", "icon"}


def test_both_notetypes_have_the_one_stylesheet() -> None:
    assert {definition.css for definition in DEFINITIONS.values()} == {CSS}


def test_nothing_in_the_stylesheet_is_fetched() -> None:
    addresses = re.findall(r"url\(\"(.*?)\"\)", CSS)
    assert len(addresses) == CSS.count("url(") == len(CALLOUTS) + 1
    for address in addresses:
        kind, _, drawing = address.partition(",")
        assert kind == "data:image/svg+xml"
        ElementTree.fromstring(unquote(drawing))
    assert "@import" not in CSS


def test_the_stylesheet_is_balanced_and_ends_no_element_early() -> None:
    assert CSS.count("{") == CSS.count("}")
    assert "</" not in CSS
    assert "{{" not in CSS


# Obsidian's types, as its help names them.
OBSIDIAN = """
    note abstract summary tldr info todo tip hint important success check done question help faq
    warning caution attention failure fail missing danger error bug example quote cite
"""


def test_every_type_of_callout_that_obsidian_knows_has_a_colour() -> None:
    assert sorted(["note", *ALIASES]) == sorted(OBSIDIAN.split())


@pytest.mark.parametrize("name", [*ALIASES, "note", "of-my-own"])
def test_a_callout_is_one_to_the_stylesheet(name: str) -> None:
    place = render.Place(VaultPath("a.md"), 1, "V")
    rendered, _ = render.side(
        f"> [!{name.upper()}]\n> x", place, vault_files.library("a.md"), Obsidian()
    )
    assert f'class="callout" data-callout="{name}"' in rendered.html


def test_every_class_that_a_card_may_have_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "notetypes.md").read_text("utf-8")
    for name in set(re.findall(r"\.([a-z][a-z-]+)(?=[^;{}]*\{)", CSS)):
        if name not in ("card", "nightMode", "contains-task-list"):
            assert f".{name}" in page, name


def test_the_gallery_has_a_card_for_each_of_its_documents(tmp_path: Path) -> None:
    documents = {gallery.words(file.stem) for file in gallery.VAULT.glob("*.md")}
    cards = list(gallery.cards(gallery.VAULT, tmp_path))
    assert {card.name.rpartition("-")[0] for card in cards} == documents
    for card in cards:
        assert card.css == CSS
        assert card.question in card.answer or "cloze" in card.answer
