"""One round: what is read, planned and delivered, and by which clock."""

from __future__ import annotations

import os
import sys
import time
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import build, settings
from obs2anki import vault as vaults
from obs2anki.build import Request, Verdict
from obs2anki.clock import MachineZone, reading, zone_of
from obs2anki.data import CardState, Delivery, VaultPath
from obs2anki.destinations.package import Package
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.rest import Rest
from obs2anki.settings import Settings
from tests.commands import OCEANS, PLUGIN, held, oceans, tagged, vault


def prepared(root: Path, output: Path | None = None, **options: object) -> build.Round:
    """A round; `timezone="UTC"` sets `scheduling.timezone`."""
    named = ((f"scheduling.{key}", value, f"--{key}") for key, value in options.items())
    return build.prepare(Request(root, output, settings.from_options(named)))


# ---------------------------------------------------------------- the example


def test_a_document_becomes_a_deck_with_its_reviews(tmp_path: Path) -> None:
    round_ = prepared(oceans(tmp_path))
    cards = [(note.deck, card.scheduling) for note in round_.plan.notes for card in note.cards]
    assert [deck for deck, _ in cards] == ["learning"] * 4
    reviewed = [s for _, s in cards if s.state is CardState.REVIEW]
    assert [(s.due, s.interval, s.factor) for s in reviewed] == [
        (date(2024, 4, 12), 1, 2320),
        (date(2024, 4, 25), 14, 2900),
    ]
    assert [(d.code, d.path, d.line) for d in round_.plan.diagnostics] == [
        ("O401", "Oceans.md", 10)
    ]


# ---------------------------------------------------------------- where the deck goes


@pytest.mark.parametrize(
    ("output", "toml", "deck"),
    [
        (None, "", "sea.apkg"),
        (None, 'output = "decks/all.apkg"', "{root}/decks/all.apkg"),
        (Path("mine.apkg"), 'output = "decks/all.apkg"', "mine.apkg"),
    ],
)
def test_the_deck_goes_where_the_last_word_says(
    output: Path | None, toml: str, deck: str, tmp_path: Path
) -> None:
    root = vault(oceans(tmp_path), {"obs2anki.toml": toml})
    assert prepared(root, output).deck == Path(deck.format(root=root))


def test_the_deck_may_lie_in_the_vault(tmp_path: Path) -> None:
    root = vault(oceans(tmp_path), {"obs2anki.toml": 'output = "all.apkg"'})
    assert build.export(prepared(root)).verdict is Verdict.WRITTEN
    assert build.export(prepared(root)).verdict is Verdict.UNCHANGED
    kept = {".obs2anki/ledger.jsonl", ".obs2anki/.gitattributes"}
    assert set(held(root)) == {"Oceans.md", "obs2anki.toml", "all.apkg"} | kept


# ---------------------------------------------------------------- deeds


def test_export_and_compare_agree(tmp_path: Path) -> None:
    deck = tmp_path / "deck.apkg"
    round_ = prepared(oceans(tmp_path), deck)
    assert build.compare(round_).verdict is Verdict.OUT_OF_DATE
    foreseen = build.preview(round_).delivery
    assert not deck.exists()
    outcome = build.export(round_)
    assert outcome.verdict is Verdict.WRITTEN
    assert foreseen is not None
    assert outcome.delivery == replace(foreseen, size=deck.stat().st_size)
    assert build.compare(round_).verdict is Verdict.UP_TO_DATE
    assert build.export(round_).verdict is Verdict.UNCHANGED


@pytest.mark.parametrize("deed", [build.export, build.preview, build.compare])
def test_nothing_to_export_is_no_deck(deed: build.Deed, tmp_path: Path) -> None:
    deck = tmp_path / "deck.apkg"
    deck.write_text("what was there")
    outcome = deed(prepared(vault(tmp_path / "v", {"a.md": "prose"}), deck))
    assert (outcome.verdict, outcome.delivery) == (Verdict.EMPTY, None)
    assert deck.read_text() == "what was there"


def test_strictness_refuses_warnings_and_not_infos(tmp_path: Path) -> None:
    strict = build.strictly(build.export)
    warned = prepared(oceans(tmp_path), tmp_path / "a.apkg")
    assert strict(warned).verdict is Verdict.REFUSED
    informed = vault(tmp_path / "v", {"a.md": "a::b\n<!--SR:!2024-04-12,1,232-->\n"})
    round_ = prepared(informed, tmp_path / "b.apkg")
    assert [d.code for d in round_.plan.diagnostics] == ["O103"]
    assert strict(round_).verdict is Verdict.WRITTEN
    assert not (tmp_path / "a.apkg").exists()


def test_the_same_vault_gives_the_same_bytes(tmp_path: Path) -> None:
    root = oceans(tmp_path)
    for name in ("one", "two"):
        build.export(prepared(root, tmp_path / f"{name}.apkg"))
    assert (tmp_path / "one.apkg").read_bytes() == (tmp_path / "two.apkg").read_bytes()


def test_an_export_writes_only_the_deck(tmp_path: Path) -> None:
    root = vault(oceans(tmp_path), {PLUGIN: tagged(), ".obsidian/app.json": "{}"})
    before = held(tmp_path)
    build.export(prepared(root, tmp_path / "deck.apkg"))
    after = held(tmp_path)
    after.pop("deck.apkg", None)
    assert after == before


# ---------------------------------------------------------------- what is read


def test_what_reviews_prove_is_in_force(tmp_path: Path) -> None:
    root = vault(tmp_path / "v", {"a.md": "a::b\n<!--SR:!2024-04-12,1,232-->\nc::d\n"})
    assert len(prepared(root).plan.notes) == 2
    in_force, found = build.settings_of(Request(root))
    assert [separator for separator, _ in in_force.grammar.more_inline] == ["::"]
    assert [d.code for d in found] == ["O103"]


def test_every_document_without_a_flashcard_is_skipped_once(tmp_path: Path) -> None:
    root = vault(
        tmp_path / "v",
        {
            PLUGIN: tagged(noteFoldersToIgnore=["Templates"]),
            "a.md": "#flashcards\n\nq::a\n",
            "b.md": "q::a\n",
            "c.md": "#flashcards\n",
            "d.md": b"#flashcards\n\nq::\xff\n",
            "Templates/e.md": "#flashcards\n\nq::a\n",
            "picture.png": b"",
        },
    )
    plan = prepared(root).plan
    assert sorted(s.path for s in plan.skipped) == ["Templates/e.md", "b.md", "c.md", "d.md"]
    assert {p.flashcard.path for p in plan.planned} == {"a.md"}


def test_a_picture_is_packed_however_its_name_is_spelt(tmp_path: Path) -> None:
    composed, parted = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    root = vault(tmp_path / "v", {"a.md": f"![[{composed}]];; a\n", parted: b"\x89PNG picture"})
    round_ = prepared(root, tmp_path / "deck.apkg")
    assert round_.plan.diagnostics == ()
    build.export(round_)
    with zipfile.ZipFile(tmp_path / "deck.apkg") as package:
        assert package.read("0") == b"\x89PNG picture"


def test_documents_go_by_one_by_one(tmp_path: Path) -> None:
    root = vault(tmp_path / "v", {"b.md": "q;; a", "a.md": "q;; a"})
    seen: list[str] = []

    def watched(documents: Iterable[VaultPath]) -> Iterator[VaultPath]:
        for path in documents:
            seen.append(path)
            yield path

    build.prepare(Request(root), watched)
    assert seen == ["a.md", "b.md"]


# ---------------------------------------------------------------- the clock


def test_the_clock_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1712880000")  # 2024-04-12 00:00 UTC
    root = oceans(tmp_path)
    # Anki's day begins at four.
    assert prepared(root, timezone="UTC").today == date(2024, 4, 11)
    assert prepared(root, timezone="UTC", rollover=0).today == date(2024, 4, 12)
    assert prepared(root, timezone="Asia/Tokyo").today == date(2024, 4, 12)


@pytest.mark.parametrize("value", ["soon", "1e99", "9" * 30, "-" + "9" * 30])
def test_a_clock_set_to_no_time_is_named(value: str) -> None:
    with pytest.raises(Obs2ankiError, match=r"SOURCE_DATE_EPOCH is .* Set it to seconds"):
        reading({"SOURCE_DATE_EPOCH": value})


def test_without_a_setting_it_is_now() -> None:
    before = datetime.now(UTC)
    assert before <= reading({}) <= datetime.now(UTC)
    assert before <= reading({"SOURCE_DATE_EPOCH": ""}) <= datetime.now(UTC)


ZONES = ("Europe/Lisbon", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia", "UTC")


@pytest.mark.skipif(sys.platform == "win32", reason="the C library there takes no names")
@pytest.mark.parametrize("name", ZONES)
@given(second=st.integers(-(2**31), 2**31 - 1))
def test_the_machine_s_zone_is_the_machine_s_in_every_year(name: str, second: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", name)
        time.tzset()
        instant = datetime.fromtimestamp(second, UTC)
        local, expected = instant.astimezone(MachineZone()), instant.astimezone(ZoneInfo(name))
        assert local.replace(tzinfo=None) == expected.replace(tzinfo=None)
        assert local.utcoffset() == expected.utcoffset()
        assert local.timestamp() == second
    time.tzset()


@pytest.mark.skipif(sys.platform == "win32", reason="the C library there takes no rules")
def test_a_rule_in_tz_is_a_time_zone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "XYZ-5XYS,M3.2.0,M11.1.0")
    time.tzset()
    winter, summer = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 7, 1, tzinfo=UTC)
    hours = [moment.astimezone(MachineZone()).hour for moment in (winter, summer)]
    monkeypatch.undo()
    time.tzset()
    assert hours == [5, 6]


@pytest.mark.skipif(sys.platform == "win32", reason="the C library there takes no names")
def test_a_machine_that_travels_is_in_another_zone_from_the_next_round_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hours: list[timedelta | None] = []
    for name in ("Asia/Tokyo", "America/Sao_Paulo"):
        monkeypatch.setenv("TZ", name)  # the C library looks only when it is told to
        now = reading({"SOURCE_DATE_EPOCH": "1767225600"})
        hours.append(now.astimezone(zone_of(Settings())).utcoffset())
    monkeypatch.undo()
    time.tzset()
    assert hours == [timedelta(hours=9), timedelta(hours=-3)]


@pytest.mark.parametrize("year", [1, 9999])
def test_no_year_is_too_far_for_the_machine_s_zone(year: int) -> None:
    local = datetime(year, 6, 1, tzinfo=UTC).astimezone(MachineZone())
    assert local.year == year


def test_the_zone_of_the_settings_comes_first(tmp_path: Path) -> None:
    assert prepared(oceans(tmp_path), timezone="Asia/Tokyo").zone == ZoneInfo("Asia/Tokyo")
    assert isinstance(prepared(oceans(tmp_path)).zone, MachineZone)


def test_the_day_of_an_fsrs_review_is_the_zone_s(tmp_path: Path) -> None:
    comment = "<!--SR:!fsrs,2026-05-20T23:30:00.000Z,3,3.1,5.3,2,4,1,0,2026-05-17T10:00:00.000Z-->"
    root = vault(tmp_path / "v", {"a.md": f"q;; a\n{comment}\n"})
    days = {}
    for zone in ("UTC", "Asia/Tokyo", "Pacific/Honolulu"):
        (note,) = prepared(root, timezone=zone).plan.notes
        days[zone] = note.cards[0].scheduling.due
    assert days == {
        "UTC": date(2026, 5, 20),
        "Asia/Tokyo": date(2026, 5, 21),
        "Pacific/Honolulu": date(2026, 5, 20),
    }


def test_the_working_folder_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = oceans(tmp_path)
    plans = []
    for folder, path in ((tmp_path, Path("sea")), (root, Path()), (Path(os.sep), root)):
        monkeypatch.chdir(folder)
        plans.append(prepared(path).plan)
    assert plans[0] == plans[1] == plans[2]
    assert plans[0].vault_name == "sea"
    assert OCEANS.count(";;") == 3  # and one of two lines


# ---------------------------------------------------------------- deck and ledger


class Killed(BaseException):
    """The process ends here."""


def test_what_is_reworded_after_an_export_that_was_killed_is_known_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = tmp_path / "v", tmp_path / "deck.apkg"
    root.mkdir()
    document = root / "a.md"
    document.write_text("#flashcards\n\nWhat does the liver of a man make?;; Bile\n")

    def exported() -> list[str]:
        return [n.guid for n in build.run(Request(root, deck), build.export).round.plan.notes]

    def kill(*_: object) -> bool:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(build, "remember", kill)
        with pytest.raises(Killed):
            exported()
    first = [note.guid for note in prepared(root).plan.notes]
    document.write_text("#flashcards\n\nWhat does the liver of a woman make?;; Bile\n")
    assert deck.exists()
    assert exported() == first
    assert [file.name for file in sorted((root / ".obs2anki").iterdir())] == [
        ".gitattributes",
        "ledger.jsonl",
    ]


@pytest.mark.parametrize("older", ["", "What does a kidney make?;; Urine\n"])
def test_what_a_killed_export_has_delivered_outlives_one_that_fails(
    older: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, deck = tmp_path / "v", tmp_path / "deck.apkg"

    def exported(whose: str) -> list[str]:
        question = f"What does the liver of a {whose} make?;; Bile\n" if whose else ""
        vault(root, {"a.md": f"#flashcards\n\n{older}\n{question}"})
        return [n.guid for n in build.run(Request(root, deck), build.export).round.plan.notes]

    def end(*_: object) -> bool:
        raise Killed

    def fail(*_: object) -> Delivery:
        raise Obs2ankiError("There is no room.")

    if older:
        exported("")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(build, "remember", end)
        exported("man")
    first, word = [note.guid for note in prepared(root).plan.notes], held(root / ".obs2anki")
    with monkeypatch.context() as patch, pytest.raises(Obs2ankiError):
        patch.setattr(Package, "deliver", fail)
        exported("woman")
    assert held(root / ".obs2anki") == word
    assert exported("cat") == first


def test_what_another_export_has_seen_since_a_look_has_not_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vaults, "SETTLED", -1)
    root, deck = oceans(tmp_path), tmp_path / "deck.apkg"
    request = Request(root, deck, cache=tmp_path / "caches")
    build.run(request, build.export)
    rest = Rest.of(request, ())
    assert rest is not None and rest.seen is not None
    vault(root, {"new.md": "Which is the deepest?;; The Pacific"})
    other = build.run(request, build.export)
    ours = build.run(request, build.export, memory=build.Memory(seen=rest.seen))
    assert (ours.verdict, ours.round.plan.left) == (Verdict.UNCHANGED, ())
    assert ours.round.plan.notes == other.round.plan.notes


def test_flashcards_of_a_document_that_cannot_be_read_have_not_left(tmp_path: Path) -> None:
    root = vault(tmp_path / "v", {"a.md": "Q;; A", "b.md": "R;; B"})
    request = Request(root, tmp_path / "deck.apkg", cache=tmp_path / "caches")

    def exported(**documents: str | bytes) -> dict[str, str]:
        """The GUIDs by document and question, once these documents say something else."""
        vault(root, {f"{name}.md": text for name, text in documents.items()})
        plan = build.run(request, build.export).round.plan
        assert plan.left == ()
        assert all(entry.gone is None for entry in plan.ledger)
        return {f"{one.flashcard.path} {one.flashcard.shown[0]}": one.guid for one in plan.planned}

    first = exported()
    unread = exported(a="Q;; A\n\nR;; B", b=b"R;; \xff")
    assert unread["a.md Q"] == first["a.md Q"]
    assert unread["a.md R"] != first["b.md R"]
    again = exported(b="R;; B")
    assert again == unread | {"b.md R": first["b.md R"]}


def test_an_export_that_fails_leaves_no_word_of_what_it_would_have_remembered(
    tmp_path: Path,
) -> None:
    root = oceans(tmp_path)
    (tmp_path / "deck.apkg").write_text("no package")
    before = held(tmp_path)
    with pytest.raises(Obs2ankiError):
        build.run(Request(root, tmp_path / "deck.apkg"), build.export)
    assert held(tmp_path) == before


def test_a_ledger_that_a_sync_service_left_is_told_until_its_lines_are_in_the_other(
    tmp_path: Path,
) -> None:
    """Two computers export before either has the ledger of the other."""
    here, there = (
        vault(tmp_path / name, {"a.md": "Who found oxygen?;; Priestley\n"})
        for name in ("here", "there")
    )

    def guids(root: Path, *questions: str) -> list[str]:
        lines = (f"{question};; {question.split()[-1]} it is\n\n" for question in questions)
        vault(root, {"b.md": "".join(lines)})
        plan = build.run(Request(root, tmp_path / "d.apkg"), build.export).round.plan
        told.append([(one.code, one.path) for one in plan.diagnostics])
        return [one.guid for one in plan.planned if one.flashcard.path == "b.md"]

    told: list[list[tuple[str, str]]] = []
    guids(there, "Which gas is heavy?")
    (reworded,) = guids(there, "Which of the gases is heavy?")
    guids(here, "Who wrote of air?")
    ledger_ = here / ".obs2anki" / "ledger.jsonl"
    second = ledger_.with_name("ledger.sync-conflict-20260101-120000-ABCDEFG.jsonl")
    second.write_bytes((there / ".obs2anki" / "ledger.jsonl").read_bytes())
    arrived = "Which of the gases is heavy?"
    assert reworded not in guids(here, "Who wrote of air?")
    assert told[-1] == [("O110", f".obs2anki/{second.name}")]
    with ledger_.open("ab") as stream:
        stream.write(second.read_bytes())
    second.unlink()
    assert guids(here, arrived) == [reworded]
    assert told[-1] == []
