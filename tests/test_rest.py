"""An export of a vault at rest says what it would have said, and reads next to nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from obs2anki import build, ledger, rest, vault
from obs2anki.destinations import package
from obs2anki.destinations.package import Package
from obs2anki.rest import Rest
from tests import commands
from tests.commands import Ended, child, ended, run

VAULTS = commands.ROOT / "fixtures" / "vaults"

HEAVY = ("comrak", "nh3", "genanki", "watchdog", "rich", "yaml", "re2", "anki", "multiprocessing")


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(vault, "SETTLED", -1)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A line for each time that a vault is really read."""
    times: list[str] = []
    prepare = build.prepare

    def counted(
        request: build.Request, step: build.Step, memory: build.Memory | None
    ) -> build.Round:
        times.append(str(request.vault))
        return prepare(request, step, memory)

    monkeypatch.setattr(build, "prepare", counted)
    return times


@pytest.mark.parametrize("name", ["demo", "plain", "types"])
@pytest.mark.parametrize("options", [(), ("--format", "json"), ("--format", "github")])
def test_a_vault_at_rest_is_told_like_one_that_is_read(
    tmp_path: Path,
    name: str,
    options: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    prepared: list[str],
) -> None:
    shutil.copytree(VAULTS / name, tmp_path / "v")
    shutil.rmtree(tmp_path / "v" / ".obs2anki", ignore_errors=True)
    arguments = ["export", "v", "-o", "deck.apkg", *options]
    run(arguments, capsys)
    prepared.clear()
    at_rest = run(arguments, capsys)
    assert prepared == []
    shutil.rmtree(tmp_path / "caches")
    read = run(arguments, capsys)
    assert prepared == ["v"]
    assert at_rest == read


LEDGER = Path("v", ".obs2anki", "ledger.jsonl")

CHANGES: tuple[Callable[[Path], object], ...] = (
    lambda root: (root / "v" / "new.md").write_text("#flashcards\n\nq::a"),
    lambda root: (root / "v" / "a.md").write_text("#flashcards\n\nq::b"),
    lambda root: (root / "v" / "a.md").rename(root / "v" / "b.md"),
    lambda root: (root / "v" / "b.png").write_bytes(b"a picture"),
    lambda root: (root / "v" / "obs2anki.toml").write_text("[cards]\ncontext = false\n"),
    lambda root: (root / "deck.apkg").unlink(),
    lambda root: shutil.rmtree(root / "v" / ".obs2anki"),
    lambda root: os.environ.update(SOURCE_DATE_EPOCH="1767312000"),
    lambda root: (root / "v" / "link.md").symlink_to(root / "v" / "a.md"),
    # What a run leaves that is killed between deck and ledger.
    lambda root: shutil.copy(root / LEDGER, root / LEDGER.with_name(".ledger.jsonl.next")),
    # What a sync service leaves where two computers have exported.
    lambda root: shutil.copy(root / LEDGER, root / LEDGER.with_name(SECOND)),
)

SECOND = "ledger.sync-conflict-20260101-120000-ABCDEFG.jsonl"


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_any_change_ends_the_rest(
    tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str], prepared: list[str]
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("#flashcards\n\nq::a ;; b")
    arguments = ["export", "v", "-o", "deck.apkg"]
    run(arguments, capsys)
    run(arguments, capsys)
    assert prepared == ["v"]
    CHANGES[number](tmp_path)
    run(arguments, capsys)
    assert prepared == ["v", "v"]


ELSEWHERE: tuple[tuple[object, str, object], ...] = (
    # A machine that has travelled: in January both places have the same time.
    (rest, "zone_of", lambda _: ZoneInfo("Atlantic/Reykjavik")),
    (ledger, "is_writable", lambda _: False),
)


@pytest.mark.parametrize(("room", "name", "answer"), ELSEWHERE)
def test_what_the_machine_says_otherwise_ends_the_rest(
    tmp_path: Path,
    room: object,
    name: str,
    answer: object,
    capsys: pytest.CaptureFixture[str],
    prepared: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rest, "zone_of", lambda _: ZoneInfo("Europe/London"))
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("q;; a")
    arguments = ["export", "v", "-o", "deck.apkg"]
    run(arguments, capsys)
    run(arguments, capsys)
    assert prepared == ["v"]
    monkeypatch.setattr(room, name, answer)
    run(arguments, capsys)
    assert prepared == ["v", "v"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes among the files")
@pytest.mark.parametrize("name", ["deck.apkg", str(LEDGER)])
def test_a_pipe_in_the_place_of_deck_or_ledger_is_not_waited_for(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("q;; a")
    arguments = ["export", "v", "-o", "deck.apkg"]
    run(arguments, capsys)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    end = ended(child(arguments, tmp_path, "from obs2anki import vault; vault.SETTLED = -1"))
    assert (end.code, "is no file" in end.err) == (2, True)


@pytest.mark.parametrize(
    "options", [("--check",), ("--dry-run",), ("--strict",), ("--no-scheduling",), ("--revlog",)]
)
def test_another_question_gets_its_own_answer(
    tmp_path: Path,
    options: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    prepared: list[str],
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("q;; a")
    run(["export", "v", "-o", "deck.apkg"], capsys)
    prepared.clear()
    run(["export", "v", "-o", "deck.apkg", *options], capsys)
    assert prepared == ["v"]


def test_a_doubt_which_flashcard_is_which_is_told_by_the_run_that_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], prepared: list[str]
) -> None:
    document, arguments = tmp_path / "v" / "a.md", ["export", "v", "-o", "deck.apkg"]
    commands.vault(
        tmp_path / "v",
        {
            commands.PLUGIN: commands.tagged(),
            "a.md": "#flashcards\n\nMitochondria make ATP::True\n",
        },
    )
    run(arguments, capsys)
    document.write_text("#flashcards\n\n==Mitochondria== make ATP\n")
    assert "O803" in run(arguments, capsys).err
    prepared.clear()
    assert "O803" not in run(arguments, capsys).err
    assert prepared == ["v"]


def test_what_comes_between_an_export_and_its_last_word_ends_the_rest(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prepared: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("#flashcards\n\nq::a ;; b")
    arguments, deck = ["export", "v", "-o", "deck.apkg"], tmp_path / "deck.apkg"
    run([*arguments, "--stateless"], capsys)
    other = deck.read_bytes()
    (tmp_path / "v" / "a.md").write_text("#flashcards\n\nq::a ;; b ;; c")
    keep = Rest.keep

    def late(*given: object) -> None:
        deck.write_bytes(other)
        keep(*given)  # type: ignore[arg-type]  # handed on as it came

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(Rest, "keep", late)
        run(arguments, capsys)
    prepared.clear()
    run(arguments, capsys)
    assert prepared == ["v"]
    assert deck.read_bytes() != other


@pytest.mark.parametrize("late", [package._put, Package.deliver])
def test_a_deck_that_another_run_replaces_meanwhile_is_not_taken_for_ones_own(
    late: Callable[..., object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "a.md").write_text("#flashcards\n\nq;; a\n<!--SR:!2024-04-12,1,232-->")
    arguments, deck = ["export", "v", "-o", "deck.apkg"], tmp_path / "deck.apkg"
    run([*arguments, "--stateless", "--no-scheduling"], capsys)
    other = deck.read_bytes()
    deck.unlink()

    def then_replace(*given: object) -> object:
        done = late(*given)
        deck.write_bytes(other)
        return done

    with monkeypatch.context() as meanwhile:
        where = package if late is package._put else Package
        meanwhile.setattr(where, late.__name__, then_replace)
        run(arguments, capsys)
    assert deck.read_bytes() == other
    for _ in range(2):
        run(arguments, capsys)
        assert deck.read_bytes() != other


def _loaded(arguments: list[str], folder: Path) -> tuple[Ended, set[str]]:
    """How a command ends, and which heavy libraries it has loaded until then."""
    before = (
        "import atexit, json, sys\n"
        "from obs2anki import vault\n"
        "vault.SETTLED = -1\n"
        "atexit.register(lambda: open('loaded', 'w').write(json.dumps(sorted(sys.modules))))\n"
    )
    end = ended(child(arguments, folder, before))
    loaded = json.loads((folder / "loaded").read_text())
    return end, {name for name in HEAVY if name in loaded}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["export", "--help"]])
def test_asking_for_help_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    end, loaded = _loaded(arguments, tmp_path)
    assert (end.code, loaded) == (0, set())


def test_an_export_of_a_vault_at_rest_loads_nothing_heavy(tmp_path: Path) -> None:
    shutil.copytree(VAULTS / "demo", tmp_path / "v")
    shutil.rmtree(tmp_path / "v" / ".obs2anki", ignore_errors=True)
    first, loaded = _loaded(["export", "v", "-o", "deck.apkg"], tmp_path)
    assert first.code == 0 and "genanki" in loaded
    end, loaded = _loaded(["export", "v", "-o", "deck.apkg"], tmp_path)
    assert (end.code, loaded) == (0, set())
