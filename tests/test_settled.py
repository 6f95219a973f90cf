"""What was decided about documents holds until they, their ledger or the settings change."""

from __future__ import annotations

import random
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import vaults
from obs2anki import build, cache, plan, settled, vault
from obs2anki.data import VaultPath
from obs2anki.yields import Yield
from tests import commands

DOCUMENTS: dict[str, str | bytes] = {
    "a.md": "#flashcards\n\nWhat makes ATP?::Mitochondria\n<!--SR:!2026-04-12,14,250-->\n",
    "b.md": "#flashcards\n\nThe ==sun== lights the ==moon==\n\nUp:::Down ![[x.png]]\n",
    "x.png": vaults.image(1),
    commands.PLUGIN: "{}",
}


@pytest.fixture(autouse=True)
def _a_moment_in_2026(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setattr(vault, "SETTLED", -1)  # stamps tell of any change at once


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[VaultPath]:
    """The documents about which something is decided from now on."""
    paths: list[VaultPath] = []
    part = plan._Desk.part

    def told(self: plan._Desk, of: Yield, *rest: object) -> object:
        paths.append(of.path)
        return part(self, of, *rest)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(plan._Desk, "part", told)
    return paths


def export(root: Path, memory: build.Memory | None = None, caches: str | None = "caches") -> bytes:
    """Export in a process of its own (without a memory): the bytes of deck and ledger."""
    place = None if caches is None else root.parent / caches
    deck = root.parent / "deck.apkg"
    build.run(build.Request(root, deck, cache=place), build.export, memory=memory)
    return deck.read_bytes() + (root / ".obs2anki" / "ledger.jsonl").read_bytes()


def add(file: Path, text: str) -> None:
    file.write_text(f"{file.read_text('utf-8')}\n{text}\n", "utf-8")


def test_only_what_changed_is_decided_again(tmp_path: Path, decided: list[VaultPath]) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    export(root)
    decided.clear()
    add(root / "b.md", "New::One")
    export(root)
    assert decided == ["b.md"]
    decided.clear()
    add(root / "a.md", "Another::One")
    export(root)
    assert decided == ["a.md"]


def test_what_an_older_program_kept_is_begun_anew(
    tmp_path: Path, decided: list[VaultPath], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    with monkeypatch.context() as older:
        older.setattr(cache, "__version__", "0.0.1")
        export(root)
    add(root / "b.md", "New::One")
    export(root)
    decided.clear()
    add(root / "b.md", "Newer::One")
    export(root)
    assert decided == ["b.md"]


def _reword_in_the_ledger(root: Path) -> None:
    ledger = root / ".obs2anki" / "ledger.jsonl"
    ledger.write_text(ledger.read_text("utf-8").replace('"mod":', '"mod":1'), "utf-8")


def _damage(root: Path) -> None:
    (file,) = (root.parent / "caches").glob("*.sqlite")
    connection = sqlite3.connect(file)
    with connection:
        for path, kept in connection.execute("SELECT path, kept FROM settled").fetchall():
            connection.execute(
                "UPDATE settled SET kept = ? WHERE path = ?", (kept[:-1] + b"x", path)
            )
    connection.close()


def _other_yields(root: Path) -> None:
    """What another process does that reads the vault in between, and does not decide."""
    text = (root / "a.md").read_text("utf-8")
    add(root / "a.md", "In between::One")
    request = build.Request(root, stateless=True, cache=root.parent / "caches")
    build.run(request, build.preview)
    (root / "a.md").write_text(text, "utf-8")


WAYS: dict[str, Callable[[Path], object]] = {
    "the ledger was edited": _reword_in_the_ledger,
    "the ledger is gone": lambda root: shutil.rmtree(root / ".obs2anki"),
    "the namespace is another": lambda root: commands.vault(
        root, {"obs2anki.toml": 'namespace = "other"\n'}
    ),
    "nothing is scheduled": lambda root: commands.vault(
        root, {"obs2anki.toml": "[scheduling]\nenabled = false\n"}
    ),
    "the rows are damaged": _damage,
    "another process read something else": _other_yields,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_recalled_that_does_not_hold_any_more(
    tmp_path: Path, way: str, decided: list[VaultPath]
) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    export(root)
    decided.clear()
    WAYS[way](root)
    shutil.copytree(root, tmp_path / "w" / "v")
    assert export(root) == export(tmp_path / "w" / "v", caches=None)
    assert "a.md" in decided


def test_what_another_process_reads_meanwhile_is_not_what_was_decided_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    keep = settled.Memory.keep

    def late(*given: object) -> None:
        file = root / "a.md"
        file.write_text(file.read_text("utf-8").replace("ATP", "RNA"), "utf-8")
        request = build.Request(root, stateless=True, cache=root.parent / "caches")
        build.run(request, build.preview)
        keep(*given)  # type: ignore[arg-type]  # handed on as it came

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(settled.Memory, "keep", late)
        export(root)
    shutil.copytree(root, tmp_path / "w" / "v")
    assert export(root) == export(tmp_path / "w" / "v", caches=None)


def test_nothing_is_recalled_of_a_document_that_ceased_to_be_settled(tmp_path: Path) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    memory = build.Memory()
    export(root, memory)
    ledger = root / ".obs2anki" / "ledger.jsonl"
    ordinals = '"ordinals":[[0,'
    text = ledger.read_text("utf-8")
    assert ordinals in text
    ledger.write_text(text.replace(ordinals, ordinals.replace("0", "7")), "utf-8")
    export(root, memory)  # now the cards are others than they would be in a new note
    shutil.copytree(root, tmp_path / "w" / "v")
    assert export(root) == export(tmp_path / "w" / "v", caches=None)


def test_what_is_recalled_is_not_mixed_with_a_round_that_came_to_nothing(tmp_path: Path) -> None:
    root = commands.vault(tmp_path / "v", DOCUMENTS)
    memory = build.Memory()
    with pytest.raises(OSError):
        build.run(build.Request(root, cache=tmp_path / "caches"), _fail, memory=memory)
    export(root)
    _reword_in_the_ledger(root)
    export(root)
    add(root / "b.md", "New::One")
    shutil.copytree(root, tmp_path / "w" / "v")
    assert export(root, memory) == export(tmp_path / "w" / "v", caches=None)


def _fail(round_: build.Round) -> None:
    raise OSError


def test_a_day_and_a_time_zone_are_those_of_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    review = "2999-01-01,1,250"  # too far ahead for Anki, so that today counts
    text = (
        f"#flashcards\n\nWhen?::Then\n<!--SR:!{review}-->\n\nWho?::She\n<!--SR:!2026-04-12,9,250-->"
    )
    root = commands.vault(tmp_path / "v", {"a.md": text, commands.PLUGIN: "{}"})
    for epoch, zone in (("1767225600", "UTC"), ("1777225600", "UTC"), ("1777225600", "Asia/Tokyo")):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        warm = export(root)
        shutil.copytree(root, tmp_path / f"{epoch} {zone}" / "v")
        cold = tmp_path / f"{epoch} {zone}" / "v"
        assert export(cold, caches=None) == warm
    monkeypatch.undo()
    time.tzset()


# ---------------------------------------------------------------- many runs, one after the other

WORDS = ("sun", "moon", "dawn", "tree", "river", "stone")


def _text(chance: random.Random) -> str:
    """A document with what makes it hard to know a flashcard again."""
    lines = ["#flashcards", ""]
    for number in range(chance.randrange(2, 6)):
        one, other = chance.sample(WORDS, 2)
        lines += chance.choice(
            (
                [f"The =={one}== and =={other}== meet at {number}"],
                [f"The =={one}== and {other} meet at **{number}**"],
                ["The same::twice"],
                [f"{one} {number}:::{other}", "<!--SR:!2026-04-12,14,250!2026-04-13,4,250-->"],
                [f"What is {one}?::{other} ![[x.png]] ^id{number}"],
                [f"=={one}== $=={other}==$ {number}"],
                [f"{one}::{other}", f"<!--SR:!2026-04-1{number},{number},250-->"],
            )
        )
        lines.append("")
    return "\n".join(lines)


def _event(root: Path, chance: random.Random, ledgers: list[bytes]) -> None:
    """Something that happens to a vault or to its ledger between two runs."""
    documents, ledger = sorted(root.rglob("*.md")), root / ".obs2anki" / "ledger.jsonl"
    file = chance.choice(documents)
    match chance.randrange(10):
        case 0 | 1:
            file.write_text(_text(chance), "utf-8")
        case 2:
            one, other = chance.sample(WORDS, 2)
            file.write_text(file.read_text("utf-8").replace(one, other, 1), "utf-8")
        case 3:
            file.rename(root / f"Renamed {chance.randrange(99)}.md")
        case 4 if len(documents) > 3:
            file.unlink()
        case 5:
            shutil.copy(file, root / f"Copy {chance.randrange(99)}.md")
        case 6 if ledger.exists():
            ledgers.append(ledger.read_bytes())
        case 7 if ledgers:
            ledger.write_bytes(chance.choice(ledgers))
        case 8:
            wish = chance.choice(("", "[cards]\ncontext = false\n", "[decks]\nroot = 'all'\n"))
            commands.vault(root, {"obs2anki.toml": wish})
        case _:
            add(file, f"What is number {chance.randrange(9)}?::{chance.choice(WORDS)}")


@pytest.mark.parametrize("seed", range(4))
def test_runs_that_recall_give_the_same_bytes_as_runs_that_do_not(
    tmp_path: Path, seed: int, decided: list[VaultPath]
) -> None:
    chance, memory = random.Random(seed), build.Memory()
    files = {f"{n}.md": _text(chance) for n in range(6)}
    root = commands.vault(tmp_path / "v", {**DOCUMENTS, **files})
    ledgers: list[bytes] = []
    recalled = 0
    before = tmp_path / "before"
    for _ in range(25):
        shutil.rmtree(before, ignore_errors=True)
        if (root / ".obs2anki").exists():
            shutil.copytree(root / ".obs2anki", before)
        results = []
        for caches, kept in ((None, None), ("caches", None), ("of the memory", memory)):
            shutil.rmtree(root / ".obs2anki", ignore_errors=True)
            (tmp_path / "deck.apkg").unlink(missing_ok=True)
            if before.exists():
                shutil.copytree(before, root / ".obs2anki")
            decided.clear()
            results.append(export(root, kept, caches))
            recalled += caches is not None and len(decided) < len(list(root.rglob("*.md")))
        assert results[1] == results[0]
        assert results[2] == results[0]
        for _ in range(chance.randrange(1, 4)):
            _event(root, chance, ledgers)
    assert recalled > 10
