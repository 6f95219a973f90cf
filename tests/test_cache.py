"""A cache changes nothing but time: whatever it holds, the deck and the ledger are the same."""

from __future__ import annotations

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, nullcontext
from functools import partial
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import vaults
from obs2anki import build, cache, harvest, settings, vault, yields
from obs2anki.build import Request
from obs2anki.data import VaultPath
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.media import Library
from obs2anki.rows import Rows
from tests import commands

LONG_AGO = 1_600_000_000

DEMO = commands.ROOT / "fixtures" / "vaults" / "demo"

PICTURE = vaults.image(1)

A, B = "#flashcards\n\nq::a", "#flashcards\n\nr::b"


def export(
    root: Path,
    deck: Path,
    caches: Path | None,
    *options: settings.Override,
    memory: build.Memory | None = None,
) -> bytes:
    """Export, and answer the bytes of the deck and the ledger."""
    request = Request(root, deck, tuple(options), cache=caches)
    build.run(request, build.export, memory=memory)
    ledger = root / ".obs2anki" / "ledger.jsonl"
    return deck.read_bytes() + ledger.read_bytes()


@pytest.fixture(autouse=True)
def _one_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which documents are read from now on."""
    paths: list[str] = []
    source = vault.Contents.source

    def counted(self: vault.Contents, path: VaultPath) -> object:
        paths.append(path)
        return source(self, path)

    monkeypatch.setattr(vault.Contents, "source", counted)
    return paths


def settled(root: Path) -> None:
    """Have all files look as if they were written long ago, and stamps tell of any change."""
    for file in root.rglob("*"):
        if file.is_file():
            os.utime(file, (LONG_AGO, LONG_AGO))


@pytest.fixture(autouse=True)
def _settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The change time of a file cannot be set, and no test waits two seconds."""
    monkeypatch.setattr(vault, "SETTLED", -1)


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


# ---------------------------------------------------------------- what is read


def test_only_documents_that_changed_are_read_again(tmp_path: Path, read: list[str]) -> None:
    root = write(tmp_path / "v", {"a.md": A, "b.md": B, "c.md": "prose", commands.PLUGIN: "{}"})
    export(root, tmp_path / "deck.apkg", tmp_path / "caches")
    assert set(read) == {"a.md", "b.md", "c.md"}
    read.clear()
    write(root, {"b.md": B + " indeed"})
    export(root, tmp_path / "deck.apkg", tmp_path / "caches")
    assert set(read) == {"b.md"}
    read.clear()
    export(root, tmp_path / "deck.apkg", tmp_path / "caches")
    assert read == []


def test_a_file_that_changed_within_a_tick_of_its_clock_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "SETTLED", 10**12)
    monkeypatch.setattr(vault, "SETTLED_SOON", 10**12)
    file = tmp_path / "a.md"
    file.write_text("q;; a")
    assert vault.stamp(file) == ""
    monkeypatch.setattr(vault, "SETTLED", -1)
    assert vault.stamp(file) != ""


def test_a_document_that_was_only_touched_is_read_once_more(
    tmp_path: Path, read: list[str]
) -> None:
    root = write(tmp_path / "v", {"a.md": A, "b.md": B, commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    export(root, deck, caches)
    settled(root)
    read.clear()
    export(root, deck, caches)
    assert set(read) == {"a.md", "b.md"}
    read.clear()
    export(root, deck, caches)
    assert read == []


def test_of_a_new_file_only_those_are_read_again_that_it_answers(
    tmp_path: Path, read: list[str]
) -> None:
    root = write(tmp_path / "v", {"a.md": A, "b.md": B, commands.PLUGIN: "{}"})
    write(root, {"host.md": HOST, "other.md": "An embedded\ndocument.", "x.png": PICTURE})
    deck, memory = tmp_path / "deck.apkg", build.Memory()
    export(root, deck, tmp_path / "caches")
    export(root, deck, tmp_path / "others", memory=memory)
    for path, again in (
        ("folder/New.md", {"folder/New.md"}),
        ("folder/y.png", set()),
        ("folder/Later.md", {"folder/Later.md", "host.md", "other.md"}),
    ):
        write(root, {path: PICTURE if path.endswith(".png") else "Prose."})
        for caches, remembered in (("caches", None), ("others", memory)):
            read.clear()
            export(root, deck, tmp_path / caches, memory=remembered)
            assert set(read) == again, (path, caches)


# ---------------------------------------------------------------- nothing stale

HOST = "#flashcards\n\nWhat?::![[other]] ![[x.png]] [[Later]]\n"

CHANGES: tuple[Callable[[Path], object], ...] = (
    lambda root: (root / "other.md").write_text("Something else."),
    lambda root: (root / "other.md").unlink(),
    lambda root: (root / "x.png").write_bytes(vaults.image(2)),
    lambda root: (root / "x.png").unlink(),
    lambda root: (root / "x.png").rename(root / "y.png"),
    lambda root: write(root, {"folder/Later.md": "Now it is there."}),
    lambda root: write(root, {"a/x.png": vaults.image(3)}),
    lambda root: (root / "host.md").rename(root / "guest.md"),
    lambda root: write(root, {"obs2anki.toml": "[cards]\ncontext = false\n"}),
    lambda root: write(root, {"obs2anki.toml": "[decks]\nroot = 'all'\n"}),
    lambda root: write(root, {"obs2anki.toml": "[media]\nmax_size = 1\n"}),
    lambda root: write(root, {".obsidian/app.json": '{"strictLineBreaks": true}'}),
)


def test_a_card_shows_what_it_embeds_read_or_remembered(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"host.md": HOST, "x.png": PICTURE, commands.PLUGIN: "{}"})
    write(root, {"other.md": "An embedded\ndocument."})
    request = Request(root, tmp_path / "deck.apkg", cache=tmp_path / "caches")
    for _ in range(2):
        (note,) = build.run(request, build.export).round.plan.notes
        assert "An embedded" in note.fields[1]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_what_a_card_depends_on_is_never_stale(tmp_path: Path, number: int) -> None:
    first = write(
        tmp_path / "v",
        {
            "host.md": HOST,
            "other.md": "An embedded\ndocument.",
            "x.png": PICTURE,
            commands.PLUGIN: "{}",
        },
    )
    deck, caches, memory = tmp_path / "deck.apkg", tmp_path / "caches", build.Memory()
    export(first, deck, caches, memory=memory)
    CHANGES[number](first)
    held = deck.read_bytes(), (first / ".obs2anki" / "ledger.jsonl").read_bytes()

    def again(where: Path | None, memory: build.Memory | None = None) -> bytes:
        deck.write_bytes(held[0])
        (first / ".obs2anki" / "ledger.jsonl").write_bytes(held[1])
        return export(first, deck, where, memory=memory)

    cold = again(None)
    assert again(caches) == cold
    assert again(tmp_path / "others", memory) == cold


def test_why_a_document_cannot_be_read_is_told_anew(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"a.md": A, "b.md": B, commands.PLUGIN: "{}"})
    request = Request(root, tmp_path / "deck.apkg", cache=tmp_path / "caches")
    memory = build.Memory()
    told = []
    for content in (b"\xff", b"#flashcards\n\nq::\xff", b"\xff\xfeq\0"):
        write(root, {"b.md": content})
        for remembered in (None, memory):
            plan = build.run(request, build.export, memory=remembered).round.plan
            told.append([one.message for one in plan.diagnostics if one.path == "b.md"])
    assert told[::2] == told[1::2]
    assert len({*map(tuple, told)}) == 3


def test_media_are_called_as_the_first_file_of_their_name_in_any_case(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"host.md": HOST, "x.png": PICTURE, commands.PLUGIN: "{}"})
    deck, caches, memory = tmp_path / "deck.apkg", tmp_path / "caches", build.Memory()
    for name, spelling in (("", b"x-"), ("A/X.png", b"X-")):
        if name:
            write(root, {name: vaults.image(2)})
        export(root, deck, None)
        cold = deck.read_bytes()
        with zipfile.ZipFile(deck) as package:
            assert spelling in package.read("media")
        for where, kept in ((caches, None), (tmp_path / "others", memory)):
            deck.unlink()
            export(root, deck, where, memory=kept)
            assert deck.read_bytes() == cold


def test_a_folder_whose_name_is_spelt_otherwise_by_now_keeps_its_media(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"host.md": HOST, "u\u0308/x.png": PICTURE, commands.PLUGIN: "{}"})
    deck, caches, memory = tmp_path / "deck.apkg", tmp_path / "caches", build.Memory()
    export(root, deck, caches, memory=memory)
    (root / "u\u0308").rename(root / "\u00fc")  # the files in it stay as they are
    export(root, deck, None)
    cold = deck.read_bytes()
    for where, kept in ((caches, None), (tmp_path / "others", memory)):
        deck.unlink()
        export(root, deck, where, memory=kept)
        assert deck.read_bytes() == cold


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names are Unicode there")
def test_a_cache_serves_runs_in_every_locale(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"host.md": HOST, "\u00fc/x.png": PICTURE, commands.PLUGIN: "{}"})
    deck = tmp_path / "deck.apkg"
    export(root, deck, None)
    whole = deck.read_bytes()
    for locale in ("C.UTF-8", "C", "C", "C.UTF-8"):
        given = {"LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        env = {**os.environ, **given, "OBS2ANKI_CACHE": str(tmp_path / "caches")}
        deck.unlink()
        at_once = "from obs2anki import vault; vault.SETTLED = -1"
        process = commands.child(["export", "v", "-o", "deck.apkg"], tmp_path, at_once, env)
        assert (commands.ended(process).code, deck.read_bytes()) == (0, whole)


@pytest.mark.parametrize("name", ["other.md", "host.md", "x.png"])
def test_what_changes_while_a_vault_is_read_is_read_by_the_next_run(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {"other.md": A, "host.md": HOST, "last.md": HOST.replace("What", "Who")}
    root = write(tmp_path / "v", {**texts, "x.png": PICTURE, commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    source, digest = vault.Contents.source, vault.digest

    def document(self: vault.Contents, path: VaultPath) -> object:
        result = source(self, path)
        if path == name:
            write(root, {name: f"{texts[name]}\n\nNew::one\n"})
        return result

    def medium(file: Path, most: int | None = None) -> tuple[str, int]:
        result = digest(file, most)
        if file.name == name:
            write(root, {name: vaults.image(2)})
        return result

    memory = build.Memory()
    with monkeypatch.context() as patch:
        patch.setattr(vault.Contents, "source", document)
        patch.setattr(vault, "digest", medium)
        # A picture that is not what its name says stops the deck.
        with pytest.raises(Obs2ankiError) if name == "x.png" else nullcontext():
            export(root, deck, caches, memory=memory)
    files = deck, root / ".obs2anki" / "ledger.jsonl"
    held = {file: file.read_bytes() for file in files if file.exists()}
    assert len(held) == (0 if name == "x.png" else 2)

    def again(where: Path | None, memory: build.Memory | None = None) -> bytes:
        for file in files:
            file.unlink(missing_ok=True)
        for file, content in held.items():
            file.write_bytes(content)
        return export(root, deck, where, memory=memory)

    cold = again(None)
    assert cold != b"".join(held.values())
    assert again(caches) == cold
    assert again(caches, memory) == cold


def test_what_embeds_a_document_that_can_be_read_again_says_so_after_a_run_that_ended_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "v", {"z.md": "#flashcards\n\nWhat?::![[other]]\n"})
    write(root, {"other.md": b"\xff", commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    export(root, deck, caches)
    write(root, {"other.md": "It can be read,\0 and there is something to be said of that."})

    def stopped(documents: Iterable[VaultPath]) -> Iterator[VaultPath]:
        for path in documents:
            if path == "z.md":
                raise Obs2ankiError("Stopped.")
            yield path

    with monkeypatch.context() as patch:
        patch.setattr(harvest, "BATCH", 1)
        with pytest.raises(Obs2ankiError, match="Stopped"):
            build.run(Request(root, deck, cache=caches), build.export, stopped)
    held = deck.read_bytes(), (root / ".obs2anki" / "ledger.jsonl").read_bytes()
    cold = export(root, deck, None)
    deck.write_bytes(held[0])
    (root / ".obs2anki" / "ledger.jsonl").write_bytes(held[1])
    assert export(root, deck, caches) == cold


# ---------------------------------------------------------------- two processes at one cache


def test_what_another_process_kept_of_another_text_is_not_taken_for_this_one(
    tmp_path: Path,
) -> None:
    root = write(tmp_path / "v", {"a.md": A, commands.PLUGIN: "{}"})
    deck, caches, watch = tmp_path / "deck.apkg", tmp_path / "caches", build.Memory()
    first = export(root, deck, caches, memory=watch)
    write(root, {"a.md": B})
    export(root, deck, caches)
    shutil.rmtree(root / ".obs2anki")
    write(root, {"a.md": A})
    assert export(root, deck, caches, memory=watch) == first
    assert export(root, deck, caches) == first


SHOWING = "#flashcards\n\nWhat?::![[x.png]]\n"


def test_a_round_that_could_not_be_kept_misleads_no_later_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "v", {"a.md": SHOWING, commands.PLUGIN: "{}"})
    deck, caches, watch = tmp_path / "deck.apkg", tmp_path / "caches", build.Memory()
    export(root, deck, caches, memory=watch)
    write(root, {"x.png": PICTURE})
    with monkeypatch.context() as patch:
        patch.setattr(cache.Cache, "write", lambda *_: None)  # another run is at it
        export(root, deck, caches, memory=watch)
    write(root, {"b.md": B})
    held = export(root, deck, caches, memory=watch)
    assert export(root, deck, caches) == held


def test_a_list_that_looked_before_another_run_misleads_no_later_one(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"a.md": "#flashcards\n\nWho?::![[new]]\n", commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    export(root, deck, caches)
    write(root, {"a.md": "#flashcards\n\nWhat?::![[new]]\n"})

    def meanwhile(documents: Iterable[VaultPath]) -> Iterator[VaultPath]:
        yield from documents
        write(root, {"new.md": "This"})
        export(root, deck, caches)

    build.prepare(Request(root, cache=caches), meanwhile)  # it does not wait for the ledger
    assert export(root, deck, caches) == export(root, deck, None)


# ---------------------------------------------------------------- the same bytes


def _edit(root: Path, chance: random.Random, number: int) -> None:
    """One edit, rename, deletion or change of settings, at random."""
    documents = sorted(root.rglob("*.md"))
    file = chance.choice(documents)
    match chance.randrange(7):
        case 0:
            file.write_text(file.read_text("utf-8") + f"\n\nWhat is number {number}?::This\n")
        case 1:
            text = file.read_text("utf-8")
            file.write_text(text.replace(" mean?::", f" mean in {number}?::"), "utf-8")
        case 2:
            file.rename(file.with_name(f"Renamed {number}.md"))
        case 3 if len(documents) > 3:
            file.unlink()
        case 4:
            file.parent.rename(file.parent.with_name(f"Folder {number}"))
        case 5:
            lines = ("context = false", "source = false", "context = true")
            write(root, {"obs2anki.toml": f"[cards]\n{chance.choice(lines)}\n"})
        case _:
            pictures = sorted(root.rglob("*.png"))
            chance.choice(pictures).write_bytes(vaults.image(number))


@pytest.mark.parametrize("seed", range(3))
def test_cold_warm_parallel_remembered_and_without_a_cache_give_the_same_bytes(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance, memory = random.Random(seed), build.Memory()
    root, deck, caches = tmp_path / "v", tmp_path / "deck.apkg", tmp_path / "caches"
    vaults.write(root, 120, seed)
    before = tmp_path / "before"
    for number in range(6):
        shutil.rmtree(before, ignore_errors=True)
        if (root / ".obs2anki").exists():
            shutil.copytree(root / ".obs2anki", before)
        warm = export(root, deck, caches)

        def again(where: Path | None, memory: build.Memory | None = None) -> bytes:
            shutil.rmtree(root / ".obs2anki")
            if before.exists():
                shutil.copytree(before, root / ".obs2anki")
            deck.unlink()
            return export(root, deck, where, memory=memory)

        assert again(None) == warm
        assert again(tmp_path / "of memory", memory) == warm
        assert again(tmp_path / f"cold {number}") == warm
        assert again(caches) == warm
        if number == 5:
            with monkeypatch.context() as patch:
                patch.setattr(harvest, "MANY", 1)
                patch.setattr(harvest, "CHUNK", 3)
                patch.setattr(harvest, "_processors", lambda: 2)
                assert again(None) == warm
        _edit(root, chance, number)


def _dies(*_: object) -> None:
    os._exit(1)


def test_a_process_that_dies_leaves_its_work_to_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "v"
    vaults.write(root, 60)
    alone = export(root, tmp_path / "deck.apkg", None)
    shutil.rmtree(root / ".obs2anki")
    monkeypatch.setattr(harvest, "MANY", 1)
    monkeypatch.setattr(harvest, "_processors", lambda: 2)
    monkeypatch.setattr(harvest, "_begin", _dies)
    assert export(root, tmp_path / "other.apkg", None) == alone


# ---------------------------------------------------------------- caches that cannot be used


def _a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _flipped(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE documents SET yielded = yielded || x'00'")


def _nonsense(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE documents SET uses = 7, yielded = 'x', checksum = 'y'")


def _undecided(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE settled SET kept = 7")


DAMAGES: tuple[Callable[[Path], object], ...] = (
    lambda file: file.write_bytes(b""),
    lambda file: file.write_bytes(b"no database" * 1000),
    lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    lambda file: file.write_bytes(file.read_bytes()[:-3000] + b"\0" * 3000),
    _a_folder,
    _flipped,
    _nonsense,
    _undecided,
)


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_a_damaged_cache_is_begun_anew(tmp_path: Path, number: int, read: list[str]) -> None:
    root = tmp_path / "v"
    shutil.copytree(DEMO, root)
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    whole = export(root, deck, caches)
    (file,) = caches.iterdir()
    DAMAGES[number](file)
    assert export(root, deck, caches) == whole
    assert export(root, deck, caches) == whole
    read.clear()
    assert export(root, deck, caches) == whole
    assert read == [] or file.is_dir()


def test_a_row_of_which_a_crash_has_left_one_half_as_it_was_is_not_used(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"a.md": A, commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    query = "SELECT yielded, checksum FROM documents"
    export(root, deck, caches)
    (file,) = caches.iterdir()
    with closing(sqlite3.connect(file)) as connection:
        before = connection.execute(query).fetchone()
    write(root, {"a.md": B})
    held = export(root, deck, caches)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE documents SET yielded = ?, checksum = ?", before)
    assert export(root, deck, caches) == held


def test_a_note_that_is_not_whole_is_no_note(tmp_path: Path) -> None:
    root = write(tmp_path / "v", {"a.md": A, commands.PLUGIN: "{}"})
    caches = tmp_path / "caches"
    export(root, tmp_path / "deck.apkg", caches)
    store = cache.Cache.of(caches, root)
    with closing(sqlite3.connect(store.file)) as connection, connection:
        names = [name for (name,) in connection.execute("SELECT name FROM about")]
        assert "deck" in names
        assert all(store.note(name) for name in names)
        connection.execute("UPDATE about SET value = value || '.'")
    assert not any(store.note(name) for name in names)


@pytest.mark.parametrize("number", range(len(DAMAGES)))
def test_a_damaged_cache_is_let_go_of(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Windows removes no file that is open.
    shutil.copytree(DEMO, root := tmp_path / "v")
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    export(root, deck, caches)
    (file,) = caches.iterdir()
    DAMAGES[number](file)
    opened: list[sqlite3.Connection] = []
    connect = sqlite3.connect

    def connected(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        opened.append(connect(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr(sqlite3, "connect", connected)
    export(root, deck, caches)
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.execute("SELECT 1")


def test_a_cache_folder_that_takes_no_files_is_done_without(tmp_path: Path) -> None:
    root = tmp_path / "v"
    shutil.copytree(DEMO, root)
    whole = export(root, tmp_path / "deck.apkg", None)
    (tmp_path / "caches").write_text("a file stands where the folder should be")
    assert export(root, tmp_path / "deck.apkg", tmp_path / "caches") == whole


def test_a_cache_at_which_another_run_is_stays_as_it_is(tmp_path: Path, read: list[str]) -> None:
    root = write(tmp_path / "v", {"a.md": A, "b.md": B, commands.PLUGIN: "{}"})
    deck, caches = tmp_path / "deck.apkg", tmp_path / "caches"
    export(root, deck, caches)
    (kept,) = caches.rglob("*.sqlite")
    write(root, {"b.md": B + " indeed"})
    with closing(sqlite3.connect(kept, isolation_level=None)) as another:
        another.execute("BEGIN EXCLUSIVE")
        whole = export(root, deck, caches)
    assert kept.exists()
    read.clear()
    assert export(root, deck, caches) == whole
    assert read == ["b.md"]


def test_a_cache_of_another_version_is_not_used(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "v"
    shutil.copytree(DEMO, root)
    whole = export(root, tmp_path / "deck.apkg", tmp_path / "caches")
    monkeypatch.setattr(cache, "__version__", "999")
    read.clear()
    assert export(root, tmp_path / "deck.apkg", tmp_path / "caches") == whole
    assert read


def test_a_program_whose_files_have_changed_has_another_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "__file__", str(tmp_path / "cache.py"))
    monkeypatch.setattr(cache, "_program", cache._program.__wrapped__)  # asked anew each time
    keys = []
    for text in ("as it was", "as it was pulled"):
        (tmp_path / "markdown.py").write_text(text)
        keys += [cache.key(), cache.key()]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_another_version_of_a_library_that_decides_on_cards_has_another_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cache, "_libraries", cache._libraries.__wrapped__)  # asked anew each time
    before, usual = cache.key(), metadata.distribution

    def other(name: str, changed: str) -> object:
        text = usual(name).read_text("METADATA") or ""
        read = text.replace("\nVersion: ", "\nVersion: 999.", name == changed)
        return SimpleNamespace(read_text=lambda _: read)

    # These decide on nothing that is kept of a document.
    apart = {"filelock", "genanki", "isal", "msgspec", "platformdirs", "rapidfuzz"}
    apart |= {"rich", "typer", "tzdata", "watchdog"}
    project = tomllib.loads((commands.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    names = set(re.findall(r"^[\w-]+", "\n".join(project["dependencies"]), re.MULTILINE)) - apart
    assert names >= {"comrak", "Pygments", "PyYAML"}
    for name in names:
        monkeypatch.setattr(metadata, "distribution", partial(other, changed=name))
        assert cache.key() != before, name


def test_caches_of_vaults_that_are_no_more_are_removed(tmp_path: Path) -> None:
    caches = tmp_path / "caches"
    for name in ("gone", "stays", "young"):
        shutil.copytree(DEMO, tmp_path / name)
        export(tmp_path / name, tmp_path / "deck.apkg", caches)
    files = {name: cache.Cache.of(caches, tmp_path / name).file for name in ("gone", "stays")}
    for file in files.values():
        os.utime(file, (LONG_AGO, LONG_AGO))
    shutil.rmtree(tmp_path / "gone")
    shutil.rmtree(tmp_path / "young")
    shutil.copytree(DEMO, tmp_path / "another")
    export(tmp_path / "another", tmp_path / "deck.apkg", caches)
    assert (files["gone"].exists(), files["stays"].exists()) == (False, True)
    assert len(list(caches.iterdir())) == 3


SPELLING = """
from obs2anki import cache
from obs2anki.settings import MENDABLE, Grammar, Settings
print(cache.key(Settings(grammar=Grammar(mend=MENDABLE)), (MENDABLE,)))
"""


def test_settings_have_one_spelling() -> None:
    # In each process a set has another order.
    keys = [
        subprocess.run(
            [sys.executable, "-c", SPELLING],
            env={**os.environ, "PYTHONPATH": str(commands.ROOT), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in range(4)
    ]
    assert len(set(keys)) == 1
    assert cache.key(settings.Settings()) != cache.key(
        settings.Settings(grammar=settings.Grammar(mend=settings.MENDABLE))
    )


# ---------------------------------------------------------------- rows


def test_a_yield_comes_back_from_its_bytes_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "v"
    vaults.write(root, 300)
    in_force, _ = vault.find_settings(root)
    contents = vault.read(root, in_force)
    library: Library = harvest.library(contents, in_force)
    rows = Rows(root)
    for source in contents.sources:
        one = yields.of(source, in_force, library, "v")
        assert rows.unpacked(rows.packed(one)) == one


@pytest.mark.parametrize("row", [b"", b"\xc1", b"\x91\x01", b"\x98" + b"\xc0" * 8])
def test_bytes_that_are_no_yield_are_refused(row: bytes) -> None:
    with pytest.raises(ValueError):
        Rows(Path("v")).unpacked(row)
