"""Whole vaults, from the command line into Anki's own engine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.anki_collection import Import, Seen, bring, cards, collection, complaints, imports_in

VAULTS = Path(__file__).parent.parent / "fixtures" / "vaults"

ZONES = (
    "Pacific/Pago_Pago",  # UTC-11
    "America/Los_Angeles",
    "America/St_Johns",
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Tokyo",
    "Pacific/Chatham",
    "Pacific/Kiritimati",  # UTC+14
)

NEW = None

WRITTEN: dict[str, tuple[tuple[str, int, int] | None, ...]] = {
    # The beginning of the first field: due, interval in days, ease in permille, by card.
    "A new single line": (NEW,),
    "Two": (NEW, NEW),
    "A new question": (NEW,),
    "One side": (NEW, NEW),
    "A simple": (NEW, NEW),
    "A numbered": (NEW, NEW),
    "An overlapping": (NEW, NEW, NEW),
    "A reviewed single line": (("2024-04-12", 1, 2320),),
    "Two reviewed": (("2024-04-25", 14, 2900), ("2025-07-01", 300, 3100)),
    "A reviewed question": (("2024-05-30", 1, 1300),),
    "One reviewed side": (("2024-06-15", 30, 2500), NEW),
    "Three": (("2024-05-05", 5, 2500), ("2024-06-06", 6, 2600), NEW),
    "Reviewed half an hour before": (("2026-05-20T23:30Z", 3, 2550),),
    "Reviewed half an hour after": (
        ("2026-05-21T00:30Z", 30, 2850),
        ("2026-05-20T10:00Z", 12, 1860),
    ),
    "A {{c1::reviewed": (("2026-06-01T10:00Z", 15, 2630), ("2026-06-02", 16, 2500)),
}
"""What stands in the vault `types`, read by a person; what is in learning stands below."""

IN_LEARNING = {"In learning": 1, "In relearning": 3}
"""The beginning of the first field, and Anki's type of its first card."""


def obs2anki(*arguments: str, zone: str = "UTC") -> str:
    """Run the command line on a machine in `zone`; returns what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "obs2anki", *arguments],
        env=os.environ | {"TZ": zone},
        cwd=VAULTS.parent.parent,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copy_of(vault: str, folder: Path) -> str:
    """A vault of its own, since an export leaves its ledger there; the name stays."""
    return str(shutil.copytree(VAULTS / vault, folder / vault))


def told(card: Seen) -> tuple[str, int, int] | None:
    """A card as WRITTEN tells it."""
    return NEW if card.type == 0 else (card.due, card.interval, card.factor)


def in_zone(written: tuple[str, int, int] | None, zone: str) -> tuple[str, int, int] | None:
    """An instant as the day that it is there; a day stays a day."""
    if written is NEW or "T" not in written[0]:
        return written
    there = datetime.fromisoformat(written[0]).astimezone(ZoneInfo(zone))
    return there.date().isoformat(), written[1], written[2]


@pytest.mark.parametrize("zone", ZONES)
def test_every_type_arrives_with_its_due_dates_in_every_zone(zone: str, tmp_path: Path) -> None:
    vault = copy_of("types", tmp_path)
    imports = []
    for rollover in (4, 20):
        deck = tmp_path / f"{rollover}.apkg"
        obs2anki(
            *("export", vault, "-o", str(deck), "--rollover", str(rollover)),
            zone=zone,
        )
        imports += [Import(str(deck), rollover, age) for age in (0, 900)]
    for outcome in imports_in(zone, *imports):
        assert outcome.complaints == ()
        seen: dict[str, list[Seen]] = {}
        for card in outcome.cards:
            seen.setdefault(card.fields[0], []).append(card)
        assert len(seen) == len(WRITTEN) + len(IN_LEARNING)
        for first, found in seen.items():
            beginning = max((b for b in (*WRITTEN, *IN_LEARNING) if first.startswith(b)), key=len)
            if beginning in IN_LEARNING:
                assert found[0].type == IN_LEARNING[beginning]
            else:
                written = [in_zone(w, zone) for w in WRITTEN[beginning]]
                assert [told(card) for card in found] == written, beginning


@pytest.mark.parametrize("vault", ["demo", "types", "plain", "rendering"])
def test_a_vault_arrives_whole_and_a_second_time_changes_nothing(
    vault: str, tmp_path: Path
) -> None:
    deck = tmp_path / "deck.apkg"
    export = ("export", copy_of(vault, tmp_path), "-o", str(deck))
    obs2anki(*export)
    first = deck.read_bytes()
    with collection(tmp_path, rollover=4, age=0) as col:
        bring(col, deck)
        before = cards(col)
        assert complaints(col) == ()
        obs2anki(*export)
        assert deck.read_bytes() == first
        bring(col, deck)
        assert cards(col) == before


def test_the_demo_vault_arrives_with_its_decks_and_media(tmp_path: Path) -> None:
    deck = tmp_path / "deck.apkg"
    obs2anki("export", copy_of("demo", tmp_path), "-o", str(deck))
    with collection(tmp_path, rollover=4, age=0) as col:
        bring(col, deck)
        seen = cards(col)
        assert len(seen) == 45
        assert len({card.guid for card in seen}) == 34
        assert {card.deck for card in seen} >= {"flashcards::portuguese::phrases", "garden::soil"}
        media = {file.suffix for file in Path(col.media.dir()).iterdir()}
        assert media == {".png", ".wav"}
