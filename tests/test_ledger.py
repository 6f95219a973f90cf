"""The ledger's file: read, saved, merged by git, kept whole, and never taken for what it is not."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks import kills
from obs2anki import build, ledger
from obs2anki.data import (
    DeckName,
    Delivery,
    Entry,
    FlashcardType,
    Guid,
    Ordinal,
    Plan,
    VaultPath,
)
from obs2anki.destinations.package import Package
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.ledger import Ledger
from tests.commands import PLUGIN, Ended, child, ended, held, run, tagged, vault
from tests.packages import rows

MAX_MOD = 253402300799
"""The end of the year 9999."""

ENTRY = Entry(
    guid=Guid("vAuSF^~FyQ"),
    type=FlashcardType.SINGLE_LINE_BASIC,
    path=VaultPath("cells.md"),
    deck=DeckName("biology::cells"),
    tags=("cells",),
    block_id="wall",
    question="What holds a cell together?",
    answer="The cell wall",
    digest=("q", "a"),
    context_digest="c",
    after=Guid("before"),
    reviews=("2024-05-01,3,250",),
    content="content",
    mod=1577836800,
    seen=1704067200,
    ordinals=(Ordinal(0, "x"), Ordinal(2, "y", gone=True)),
    gone=date(2026, 5, 1),
)

CELL = "What holds a plant cell together from outside?;; The cell wall"

# Half a pair of surrogates is how Python tells a byte that is no text.
texts = st.text(st.characters(), max_size=12)
names = texts.filter(bool)
instants = st.integers(0, MAX_MOD)
entries = st.builds(
    Entry,
    guid=names.map(Guid),
    type=st.sampled_from(FlashcardType),
    path=texts.map(VaultPath),
    deck=texts.map(DeckName),
    tags=st.lists(texts, max_size=3).map(tuple),
    block_id=st.none() | texts,
    question=texts,
    answer=texts,
    digest=st.tuples(texts, texts),
    context_digest=texts,
    after=st.none() | texts.map(Guid),
    reviews=st.lists(texts, max_size=3).map(tuple),
    content=texts,
    mod=instants,
    seen=instants,
    ordinals=st.lists(
        st.builds(Ordinal, st.integers(0, 499), texts, st.booleans()),
        max_size=4,
        unique_by=lambda one: one.ordinal,
    ).map(tuple),
    gone=st.none() | st.dates(),
)
ledgers = st.builds(
    Ledger,
    namespace=texts,
    vault=texts,
    entries=st.lists(entries, max_size=5, unique_by=lambda one: one.guid).map(
        lambda several: tuple(sorted(several, key=lambda one: one.guid))
    ),
)


def some(*several: Entry, name: str = "Biology") -> Ledger:
    """A ledger of these entries."""
    return Ledger("obs2anki", name, tuple(sorted(several, key=lambda one: one.guid)))


def read(content: str | bytes) -> Ledger | None:
    """What a file with this content says."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ledger.jsonl"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return ledger.read(file)


def lines_of(one: Ledger) -> list[str]:
    return ledger.content_of(one).decode().splitlines()


# ---------------------------------------------------------------- there and back


@given(ledgers)
def test_a_ledger_that_was_read_is_written_as_the_same_bytes(one: Ledger) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, again = Path(folder) / "ledger.jsonl", Path(folder) / "again.jsonl"
        ledger.save(file, one, Path(folder))
        known = ledger.read(file)
        assert known == one
        ledger.save(again, known, Path(folder))
        assert again.read_bytes() == file.read_bytes()


@given(ledgers, st.randoms(use_true_random=False))
def test_lines_in_any_order_read_the_same(one: Ledger, chance: random.Random) -> None:
    lines = ledger.content_of(one).decode().split("\n")
    chance.shuffle(lines)
    assert read("\n".join(lines)) == one


def test_a_file_has_a_line_for_the_header_and_for_each_flashcard() -> None:
    first, second = (
        replace(ENTRY, guid=Guid("a")),
        replace(ENTRY, guid=Guid("b"), mod=7),
    )
    header, *lines = map(json.loads, lines_of(some(second, first)))
    assert header == {"obs2anki": 1, "namespace": "obs2anki", "vault": "Biology"}
    assert [(line["guid"], line["mod"]) for line in lines] == [("a", 1577836800), ("b", 7)]
    assert lines[0]["ordinals"] == [[0, "x"], [2, "y", 1]]
    assert lines[0]["gone"] == "2026-05-01"


def test_a_name_that_is_no_text_is_kept(tmp_path: Path) -> None:
    one = some(replace(ENTRY, path=VaultPath("\udcff.md")), name="\udcff")
    ledger.save(tmp_path / "ledger.jsonl", one, tmp_path)
    assert ledger.read(tmp_path / "ledger.jsonl") == one


def test_no_file_is_no_ledger(tmp_path: Path) -> None:
    assert ledger.read(tmp_path / "ledger.jsonl") is None
    assert ledger.read(tmp_path / "no" / "folder" / "ledger.jsonl") is None


# ---------------------------------------------------------------- lines that a merge leaves


def test_of_two_lines_with_one_guid_the_later_change_wins() -> None:
    older, newer = (
        replace(ENTRY, question="z", mod=10),
        replace(ENTRY, question="a", mod=11),
    )
    header, line, other = (*lines_of(some(older)), lines_of(some(newer))[1])
    for several in ((line, other), (other, line), (line, other, line)):
        assert read("\n".join((header, *several))) == some(newer)


def test_of_two_lines_of_one_time_the_greater_wins_in_any_order() -> None:
    header, line = lines_of(some(ENTRY))
    other = lines_of(some(replace(ENTRY, path=VaultPath("a.md"))))[1]
    assert line > other
    for several in ((line, other), (other, line)):
        assert read("\n".join((header, *several))) == some(ENTRY)


def test_of_two_headers_the_same_one_wins_in_any_order() -> None:
    one, other = (lines_of(some(name=name))[0] for name in ("Biology", "Chemistry"))
    assert read(f"{one}\n{other}\n") == read(f"{other}\n{one}\n") == some(name="Chemistry")


def test_the_next_save_heals_what_a_merge_left(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    newer = replace(ENTRY, mod=ENTRY.mod + 1)
    file.write_text("\n".join((*lines_of(some(ENTRY)), *lines_of(some(newer)))), "utf-8")
    known = ledger.read(file)
    assert known is not None
    ledger.save(file, known, tmp_path)
    assert file.read_bytes() == ledger.content_of(some(newer))


# ---------------------------------------------------------------- what editors and versions do


def test_line_ends_of_windows_and_a_mark_of_byte_order_do_no_harm() -> None:
    text = ledger.content_of(some(ENTRY)).decode()
    assert read("\ufeff" + text) == some(ENTRY)
    assert read(text.replace("\n", "\r\n")) == some(ENTRY)
    assert read("\ufeff" + text.replace("\n", "\r\n") + "\r\n\r\n") == some(ENTRY)


def test_an_older_version_without_what_is_not_needed_is_read() -> None:
    needed = ("guid", "type", "path", "question", "answer", "digest", "content", "mod")
    value = json.loads(lines_of(some(ENTRY))[1])
    older = json.dumps({key: value[key] for key in needed})
    assert read(f'{{"obs2anki": 0}}\n{older}\n') == Ledger(
        "",
        "",
        (
            replace(
                ENTRY,
                deck=DeckName(""),
                tags=(),
                block_id=None,
                context_digest="",
                after=None,
                reviews=(),
                seen=ENTRY.mod,
                ordinals=(),
                gone=None,
            ),
        ),
    )


def test_what_an_entry_says_beyond_that_is_passed_over() -> None:
    header, line = lines_of(some(ENTRY))
    more = '{"obs2anki": 1, "colour": [], ' + header[len('{"obs2anki":1,') :]
    assert read(more + "\n" + line[:-1] + ', "colour": {"deep": [1]}}') == some(ENTRY)


def test_a_line_that_says_what_the_first_one_says_is_no_flashcard() -> None:
    header, line = lines_of(some(ENTRY))
    both = f"{header[:-1]},{line[1:]}"
    assert read(f"{header}\n{both}\n") == read(f"{header}\n{header}\n")


def test_a_ledger_that_says_the_same_is_read_once_in_a_process(tmp_path: Path) -> None:
    file, memory = tmp_path / "ledger.jsonl", ledger.Memory()
    ledger.save(file, some(ENTRY), tmp_path)
    known = ledger.read(file, memory)
    assert ledger.read(file, memory) is known
    ledger.save(file, some(replace(ENTRY, mod=5)), tmp_path)
    assert ledger.read(file, memory) == some(replace(ENTRY, mod=5))
    file.unlink()
    assert ledger.read(file, memory) is None


@given(ledgers, st.booleans())
def test_a_tidy_ledger_knows_the_digest_of_its_file(one: Ledger, is_announced: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder), Path(folder) / "ledger.jsonl"
        word = ledger.announce(file, one, root) if is_announced else None
        saved = ledger.save(file, one, root, announced=word)
        again = ledger.save(file, one, root)
        found = ledger.read(file)
        assert found is not None
        assert saved == again == found.content == hashlib.sha256(file.read_bytes()).digest()


def test_a_ledger_that_no_tidy_file_tells_has_no_digest(tmp_path: Path) -> None:
    file, other = tmp_path / "ledger.jsonl", replace(ENTRY, guid=Guid("b"))
    both = [*lines_of(some(ENTRY)), lines_of(some(other))[1]]
    for untidy in ("\n".join((*both, both[1])), "\r\n".join(both), "\n".join(both[::-1])):
        file.write_bytes(untidy.encode())
        found = ledger.read(file)
        assert found is not None
        assert (found, found.content) == (some(ENTRY, other), b"")
    file.unlink()
    ledger.announce(file, some(ENTRY), tmp_path)
    announced = ledger.read(file)
    ledger._replace(file, ledger.content_of(some(other)))
    merged = ledger.read(file)
    assert announced is not None and merged is not None
    assert (announced, announced.content) == (some(ENTRY), b"")
    assert (merged, merged.content) == (some(ENTRY, other), b"")


# ---------------------------------------------------------------- what cannot be understood

HEADER, LINE = lines_of(some(ENTRY))
LATER = LINE.replace(ENTRY.guid, "w")

UNREADABLE = "This line of the ledger cannot be read. Bring back an earlier ledger (with git: git"

BAD_LINES = {
    "no JSON": "bad",
    "cut off": LINE[: len(LINE) // 2],
    "two in one": LINE + LINE,
    "another value": "[1, 2]",
    "a number": "1",
    "deep": "[" * 100_000,
    **{
        f"{key} = {value!r}": json.dumps(json.loads(LINE) | {key: value})
        for key, value in (
            ("guid", ""),
            ("guid", 5),
            ("type", "essay"),
            ("type", []),
            ("path", None),
            ("tags", "ab"),
            ("tags", [1]),
            ("block_id", 7),
            ("digest", ["q"]),
            ("digest", "qa"),
            ("mod", "1577836800"),
            ("mod", float("inf")),
            ("mod", -1),
            ("mod", 10**12),
            ("mod", True),
            ("seen", 1.5),
            ("ordinals", [[-1, "x"]]),
            ("ordinals", [[500, "x"]]),
            ("ordinals", [[0, "x"], [0, "y"]]),
            ("ordinals", [[0]]),
            ("ordinals", [0]),
            ("gone", "yesterday"),
            ("gone", 20260501),
        )
    },
    **{
        f"no {key}": json.dumps({k: v for k, v in json.loads(LINE).items() if k != key})
        for key in ("guid", "type", "path", "question", "answer", "digest", "content", "mod")
    },
}


def refused(content: str | bytes, folder: Path, capsys: pytest.CaptureFixture[str]) -> Ended:
    """How an export ends with such a ledger; neither that nor the deck is touched."""
    root = vault(folder / "sea", {"a.md": "Q;; A\nQ2;; A2\n"})
    deck = folder / "deck.apkg"
    assert run(["export", str(root), "-o", str(deck)], capsys).code == 0
    vault(root, {".obs2anki/ledger.jsonl": content, "a.md": "Q3;; A3\n"})
    before = held(folder)
    done = run(["export", str(root), "-o", str(deck)], capsys)
    assert held(folder) == before
    return done


@pytest.mark.parametrize("kind", BAD_LINES)
def test_a_broken_line_is_named(kind: str) -> None:
    with pytest.raises(Obs2ankiError) as caught:
        read(f"{HEADER}\n{LINE}\n\n{BAD_LINES[kind]}\n")
    assert f"ledger.jsonl:4: {UNREADABLE}" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "number", "sentence"),
    [
        (f"{HEADER}\n{LINE[:-9]}", 2, UNREADABLE),
        (f"{HEADER}\n{LINE}\n".encode() + b'{"guid": "\xff\n', 3, UNREADABLE),
        (f"{LINE}\n{HEADER[:-3]}\n", 2, UNREADABLE),
        (f"{LINE}\n", 1, "The ledger lacks its first line"),
        ("", 1, "The ledger lacks its first line"),
        ("\n\n", 1, "The ledger lacks its first line"),
        (f'{{"obs2anki": 2}}\n{LINE}\n', 1, "written by a newer obs2anki. Update obs2anki: in its"),
        (f'{HEADER}\n{{"obs2anki": "2.0"}}\n', 2, "written by a newer obs2anki. Update obs2anki"),
        (f" {HEADER}\n{LINE}\n", 1, "The ledger lacks its first line"),
        (f'{{"vault":"v",{HEADER[1:]}\n{LINE}\n', 1, "The ledger lacks its first line"),
        (f"{HEADER}\n{LINE}{LATER}\n", 2, UNREADABLE),
        (f"{HEADER}\n{LINE[:-1]}\n}}\n", 2, UNREADABLE),
        (f'{HEADER}\n{LINE[:-1]},"more":"'.encode() + b'\xff"}\n', 2, UNREADABLE),
        (f'{HEADER}\n{LINE[:-1]},"more":{"[" * 100_000}\n', 2, UNREADABLE),
    ],
)
def test_a_ledger_that_cannot_be_understood_stops_the_export(
    content: str | bytes,
    number: int,
    sentence: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = refused(content, tmp_path, capsys)
    assert (done.code, done.out) == (2, "")
    assert f"ledger.jsonl:{number}: " in done.err
    assert sentence in done.err


@pytest.mark.parametrize("mark", ["<<<<<<< HEAD", "||||||| base", "=======", ">>>>>>> phone"])
def test_the_marks_of_a_conflict_are_named_with_the_way_out(
    mark: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = refused(f"{HEADER}\n{mark}\n{LINE}\n", tmp_path, capsys)
    assert (done.code, done.out) == (2, "")
    assert "ledger.jsonl:2: The ledger holds the marks of a git conflict." in done.err
    assert "begin with <<<<<<<, =======, >>>>>>>, ||||||| and keep all others" in done.err
    assert ".gitattributes with the line ledger.jsonl merge=union eol=lf" in done.err


def test_the_way_out_of_a_conflict_leads_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    newer = lines_of(some(replace(ENTRY, mod=ENTRY.mod + 1)))[1]
    text = f"{HEADER}\n<<<<<<< HEAD\n{LINE}\n||||||| 1\n{LINE}\n=======\n{newer}\n>>>>>>> x\n"
    done = refused(text, tmp_path, capsys)
    marks = done.err.partition("begin with ")[2].partition(" and keep")[0].split(", ")
    kept = [line for line in text.splitlines() if not line.startswith(tuple(marks))]
    assert read("\n".join(kept)) == some(replace(ENTRY, mod=ENTRY.mod + 1))


def test_what_is_no_file_is_no_ledger(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, pipe = (vault(tmp_path / name, {"a.md": "Q;; A"}) for name in ("folder", "pipe"))
    (folder / ".obs2anki/ledger.jsonl").mkdir(parents=True)
    (pipe / ".obs2anki").mkdir()
    os.mkfifo(pipe / ".obs2anki/ledger.jsonl")
    for root in (folder, pipe):
        done = run(["export", str(root), "-o", str(tmp_path / "deck.apkg")], capsys)
        assert (done.code, done.out) == (2, "")
        assert "ledger.jsonl is no file, so nothing was exported. Move it away" in done.err
    assert not (tmp_path / "deck.apkg").exists()


# ---------------------------------------------------------------- saving


def exported(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> Ended:
    done = run(["export", str(root), "-o", str(root.parent / "deck.apkg"), *options], capsys)
    assert done.code == 0, done.err
    return done


def known(root: Path) -> Ledger:
    """What the vault's ledger says."""
    found = ledger.read(root / ".obs2anki/ledger.jsonl")
    assert found is not None
    return found


def test_an_equal_ledger_is_not_touched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A\n==b== is c"})
    exported(root, capsys)
    for file in (root / ".obs2anki").iterdir():
        os.utime(file, (1, 1))
    exported(root, capsys)
    assert {file.stat().st_mtime for file in (root / ".obs2anki").iterdir()} == {1}


def test_a_ledger_that_changes_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger.save(file, some(ENTRY), tmp_path)
    with file.open("rb") as old:
        ledger.save(file, some(), tmp_path)
        assert old.read() == ledger.content_of(some(ENTRY))
    assert ledger.read(file) == some()


def test_attributes_for_git_are_written_once_and_never_again(tmp_path: Path) -> None:
    file = tmp_path / ".obs2anki" / "ledger.jsonl"
    ledger.save(file, some(), tmp_path)
    attributes = file.with_name(".gitattributes")
    assert attributes.read_text() == "ledger.jsonl merge=union eol=lf\n"
    attributes.write_text("mine")
    ledger.save(file, some(ENTRY), tmp_path)
    assert attributes.read_text() == "mine"
    attributes.unlink()
    attributes.symlink_to("nowhere")
    ledger.save(file, some(), tmp_path)
    assert attributes.is_symlink()
    assert sorted(held(tmp_path)) == [".obs2anki/ledger.jsonl"]


def test_permissions_stay(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger.save(file, some(), tmp_path)
    file.chmod(0o640)
    ledger.save(file, some(ENTRY), tmp_path)
    assert file.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_run_left_is_cleared_away_and_no_link_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "v" / "ledger.jsonl"
    ledger.save(file, some(), tmp_path)
    (tmp_path / "outside").write_text("untouched")
    file.with_name(".ledger.jsonl.tmp").symlink_to(tmp_path / "outside")
    ledger.save(file, some(ENTRY), tmp_path)
    file.with_name(".ledger.jsonl.tmp").write_text("half")
    ledger.save(file, some(ENTRY), tmp_path)
    assert held(tmp_path) == {
        "outside": b"untouched",
        "v/ledger.jsonl": ledger.content_of(some(ENTRY)),
    }


def test_a_full_disk_leaves_the_old_ledger_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger.save(file, some(), tmp_path)
    before = held(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Obs2ankiError, match="There is no room on the disk for the ledger"):
        ledger.save(file, some(ENTRY), tmp_path)
    assert held(tmp_path) == before


# ---------------------------------------------------------------- what is announced


def test_what_was_announced_is_known_until_it_is_saved(tmp_path: Path) -> None:
    file = tmp_path / ".obs2anki" / "ledger.jsonl"
    ledger.announce(file, some(ENTRY), tmp_path)
    assert ledger.read(file) == some(ENTRY)
    assert not file.exists()
    ledger.save(file, some(ENTRY), tmp_path)
    assert ledger.read(file) == some(ENTRY)
    assert sorted(path.name for path in file.parent.iterdir()) == [".gitattributes", file.name]


def test_what_was_announced_and_came_otherwise_is_forgotten_with_the_next_save(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ledger.jsonl"
    other = replace(ENTRY, guid=Guid("other"))
    ledger.save(file, some(ENTRY), tmp_path)
    ledger.announce(file, some(other), tmp_path)
    assert ledger.read(file) == some(*sorted((ENTRY, other), key=lambda entry: entry.guid))
    ledger.save(file, some(ENTRY), tmp_path)
    assert held(tmp_path) == {"ledger.jsonl": ledger.content_of(some(ENTRY))}


def test_a_ledger_that_came_from_elsewhere_since_knows_better(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    here, there = replace(ENTRY, mod=7, answer="here"), replace(ENTRY, mod=8, answer="there")
    ledger.announce(file, some(here), tmp_path)
    ledger.save(file.with_name("theirs"), some(there), tmp_path)
    file.with_name("theirs").replace(file)
    assert ledger.read(file) == some(there)


def test_what_the_ledger_holds_already_is_not_announced_and_not_written_again(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger.save(file, some(ENTRY), tmp_path)
    before = held(tmp_path), file.stat().st_ino
    announced = ledger.announce(file, some(ENTRY), tmp_path)
    assert announced is None
    ledger.save(file, some(ENTRY), tmp_path, announced=announced)
    assert (held(tmp_path), file.stat().st_ino) == before


def test_what_was_announced_has_the_permissions_of_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    ledger.save(file, some(), tmp_path)
    file.chmod(0o640)
    ledger.announce(file, some(ENTRY), tmp_path)
    ledger.save(file, some(ENTRY), tmp_path)
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("write", [ledger.announce, ledger.save])
def test_where_no_vault_is_any_more_nothing_is_made(
    write: Callable[[Path, Ledger, Path], None], tmp_path: Path
) -> None:
    root = tmp_path / "vault"
    with pytest.raises(Obs2ankiError, match=r"vault was moved meanwhile.*Run this again where"):
        write(root / ".obs2anki" / "ledger.jsonl", some(), root)
    assert list(tmp_path.iterdir()) == []


def test_a_vault_that_is_renamed_between_deck_and_ledger_leaves_nothing_at_its_old_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    deliver = Package.deliver

    def then_rename(package: Package, plan: Plan) -> Delivery:
        delivery = deliver(package, plan)
        root.rename(tmp_path / "ocean")
        return delivery

    with monkeypatch.context() as patch:
        patch.setattr(Package, "deliver", then_rename)
        done = run(["export", str(root), "-o", str(tmp_path / "deck.apkg")], capsys)
    assert done.code == 2
    assert "was moved meanwhile" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deck.apkg", "ocean"]
    guids = rows(tmp_path / "deck.apkg", "SELECT guid FROM notes")
    exported(tmp_path / "ocean", capsys)
    assert rows(tmp_path / "deck.apkg", "SELECT guid FROM notes") == guids


# ---------------------------------------------------------------- what commands write


def test_a_ledger_of_ones_own_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = vault(tmp_path / "sea", {"a.md": CELL, "obs2anki.toml": 'ledger = "x/y.jsonl"'})
    exported(root, capsys)
    assert sorted(held(root)) == ["a.md", "obs2anki.toml", "x/y.jsonl"]
    guids = rows(tmp_path / "deck.apkg", "SELECT guid FROM notes")
    vault(root, {"a.md": CELL.replace("holds", "keeps")})
    exported(root, capsys)
    assert rows(tmp_path / "deck.apkg", "SELECT guid FROM notes") == guids


def test_stateless_neither_reads_nor_writes_a_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    exported(root, capsys, "--stateless")
    assert not (root / ".obs2anki").exists()
    vault(root, {".obs2anki/ledger.jsonl": "no ledger at all"})
    exported(root, capsys, "--stateless")
    assert run(["list", str(root), "--stateless"], capsys).code == 0
    assert held(root)[".obs2anki/ledger.jsonl"] == b"no ledger at all"


def test_a_vault_that_yields_nothing_leaves_the_ledger_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    deck = tmp_path / "deck.apkg"
    exported(root, capsys)
    (root / "a.md").write_text("Nothing to learn.")
    before = held(tmp_path)
    assert run(["export", str(root), "-o", str(deck)], capsys).code == 1
    assert held(tmp_path) == before
    empty = vault(tmp_path / "empty", {"a.md": "Nothing to learn."})
    assert run(["export", str(empty), "-o", str(deck)], capsys).code == 1
    assert held(empty) == {"a.md": b"Nothing to learn."}


@pytest.mark.parametrize(
    "command",
    [
        ["export", "--check"],
        ["export", "--dry-run"],
        ["export", "--strict"],
        ["list"],
        ["list", "--format", "json"],
        ["config"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("exported_before", [False, True])
def test_who_only_looks_writes_nothing(
    command: list[str], exported_before: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    if exported_before:
        exported(root, capsys)
    vault(root, {"a.md": "Q2;; A\nWhat is missing? ;; ![[missing.png]]"})
    before = held(tmp_path)
    run([command[0], str(root), *command[1:]], capsys)
    assert held(tmp_path) == before


WEAKER = """
import contextlib, io, os, pathlib, sys, tempfile
from obs2anki import cli
with tempfile.TemporaryDirectory() as once, contextlib.redirect_stdout(io.StringIO()):
    pathlib.Path(once, "a.md").write_text("---\\na: b\\n---\\nQ;; ==b==\\n")
    for _ in range(2):
        assert cli.run(["export", once, "-o", once + "/a.apkg"]) == 0
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
"""
"""Who may do everything becomes someone who may not, once all that is needed is imported."""


def exported_by_somebody(folder: Path) -> Ended:
    """How an export of the vault in `folder` ends for a user whom permissions bind."""
    decks = folder / "decks"
    decks.mkdir()
    decks.chmod(0o777)
    deck = str(decks / "deck.apkg")
    return ended(child(["export", str(folder / "sea"), "-o", deck], folder, WEAKER))


def test_a_vault_that_cannot_be_written_is_exported_without_a_ledger(open_path: Path) -> None:
    root = vault(open_path / "sea", {"a.md": "Q;; A"})
    root.chmod(0o555)
    done = exported_by_somebody(open_path)
    assert (done.code, done.err) == (0, "")
    assert sorted(held(open_path)) == ["decks/deck.apkg", "sea/a.md"]


def test_a_ledger_that_cannot_be_read_stops_the_export(open_path: Path) -> None:
    root = vault(open_path / "sea", {"a.md": "Q;; A", ".obs2anki/ledger.jsonl": HEADER})
    (root / ".obs2anki").chmod(0o777)
    (root / ".obs2anki/ledger.jsonl").chmod(0o222)
    done = exported_by_somebody(open_path)
    assert (done.code, done.out) == (2, "")
    assert "ledger.jsonl cannot be read (Permission denied), so nothing was exported." in done.err
    assert not list((open_path / "decks").iterdir())


# ---------------------------------------------------------------- the lock


def test_two_exports_at_once_both_end_well(tmp_path: Path) -> None:
    cards = {f"{n}.md": "".join(f"Q{n}-{i};; A\n" for i in range(200)) for n in range(5)}
    root = vault(tmp_path / "sea", cards)
    running = [
        child(["export", str(root), "-o", str(tmp_path / f"{name}.apkg")], tmp_path)
        for name in ("one", "two")
    ]
    for one in running:
        assert (done := ended(one)).code == 0, done.err
    assert (tmp_path / "one.apkg").read_bytes() == (tmp_path / "two.apkg").read_bytes()
    guids = rows(tmp_path / "one.apkg", "SELECT guid FROM notes ORDER BY guid")
    assert [(entry.guid,) for entry in known(root).entries] == guids
    assert len(guids) == 1000


def test_an_export_waits_for_the_one_before_and_knows_what_that_wrote(tmp_path: Path) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    file = root / ".obs2anki/ledger.jsonl"
    with ledger.locked(file):
        later = child(["export", str(root), "-o", str(tmp_path / "deck.apkg")], tmp_path)
        with pytest.raises(subprocess.TimeoutExpired):
            later.wait(2)
        ledger.save(file, some(replace(ENTRY, gone=None)), root)
    assert (done := ended(later)).code == 0, done.err
    (guid,) = rows(tmp_path / "deck.apkg", "SELECT guid FROM notes")
    assert {(one.guid, one.gone is None) for one in known(root).entries} == {
        (ENTRY.guid, False),
        (guid[0], True),
    }
    assert known(root).vault == "Biology"


def test_who_waits_in_vain_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    with ledger.locked(root / ".obs2anki/ledger.jsonl"):
        monkeypatch.setattr(ledger, "PATIENCE", 0)
        done = run(["export", str(root), "-o", str(tmp_path / "deck.apkg")], capsys)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Another obs2anki has been at work on this vault for 0 seconds.")
    assert held(tmp_path) == {"sea/a.md": b"Q;; A"}


def test_a_lock_that_a_killed_run_left_does_no_harm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "locks").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "locks"))
    root = vault(tmp_path / "sea", {"a.md": "Q;; A"})
    holder = f"""
import os, pathlib, signal, tempfile
tempfile.tempdir = {str(tmp_path / "locks")!r}
from benchmarks import kills
from obs2anki import build, ledger
with ledger.locked(pathlib.Path({str(root / ".obs2anki/ledger.jsonl")!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", holder], check=False)
    assert killed.returncode == -9
    assert len(list((tmp_path / "locks").iterdir())) == 1
    exported(root, capsys)
    assert len(known(root).entries) == 1


# ---------------------------------------------------------------- killed


def test_a_killed_export_leaves_old_or_new_and_the_next_one_heals(tmp_path: Path) -> None:
    found = kills.cases(kills.scene(tmp_path, cards=600), kills=12)
    assert sum(case.killed for case in found) >= 8
    assert [case for case in found if case.bad] == []
    assert not [name for case in found for name in case.kept if "ledger" in name]


# ---------------------------------------------------------------- git

HEAD = "---\ntags: [flashcards]\n---\n"

START = {
    "a.md": HEAD
    + "\n".join(
        f"{question}::{answer}\n"
        for question, answer in (
            ("What holds a plant cell together from outside?", "The cell wall"),
            ("What makes most of the energy in a cell?", "The mitochondrion"),
            ("Which part of a plant drinks water?", "The root"),
            ("What drives photosynthesis in green leaves?", "Light from the sun"),
        )
    ),
    "b.md": HEAD + "What makes a seed sprout in spring?::Water and warmth\n",
    "c.md": HEAD + "Who carries seeds from tree to tree?::Birds and squirrels\n",
    "d.md": HEAD + "Which ==gas== do plants take from the ==air== in ==daylight==?\n",
}


class Clone:
    """A working copy of a vault in git, with a deck beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.deck = root.with_suffix(".apkg")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
            cwd=self.root,
            env=os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def export(self, at: int, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, int]]:
        """Export `at` hours later; answers GUID and mod of each note by its first field."""
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(1767225600 + 3600 * at))
        outcome = build.run(build.Request(self.root, self.deck), build.export)
        return {note.fields[0]: (note.guid, note.mod) for note in outcome.round.plan.notes}

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", message)

    def change(self, path: str, old: str, new: str) -> None:
        file = self.root / path
        text = file.read_text("utf-8")
        assert old in text
        file.write_text(text.replace(old, new), "utf-8")


@pytest.fixture
def clones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Clone, Clone]:
    """Two clones of a vault that was exported, and has its ledger in git."""
    one = Clone(vault(tmp_path / "laptop", START | {PLUGIN: tagged(singleLineCardSeparator="::")}))
    one.git("init", "-q", "-b", "main")
    one.export(0, monkeypatch)
    one.commit("The vault")
    other = Clone(tmp_path / "phone")
    one.git("clone", "-q", str(one.root), str(other.root))
    return one, other


def merged(one: Clone, other: Clone) -> None:
    """Both take what the other has committed."""
    one.git("pull", "-q", "--no-rebase", "--no-edit", str(other.root), "main")
    other.git("pull", "-q", "--no-rebase", "--no-edit", str(one.root), "main")
    assert held(one.root / ".obs2anki") == held(other.root / ".obs2anki")


def test_a_fresh_clone_changes_nothing(
    clones: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = clones
    assert one.export(1, monkeypatch) == other.export(2, monkeypatch)
    assert (one.git("status", "--short"), other.git("status", "--short")) == ("", "")


def test_two_clones_that_add_edit_move_and_delete_agree_after_a_merge(
    clones: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = clones
    at_first = one.export(1, monkeypatch)
    one.change("a.md", "What holds a plant cell together", "What keeps a plant cell together")
    one.change("a.md", "Which part of a plant drinks water?::The root\n", "")
    one.change("d.md", "==gas==", "gas")
    vault(one.root, {"new on one.md": HEAD + "What is green in a leaf?::Chlorophyll\n"})
    first = one.export(2, monkeypatch)
    one.commit("On the laptop")
    sprout = "What makes a seed sprout in spring?::Water and warmth\n"
    other.change("b.md", sprout, "Where do bees go at night?::To the hive\n")
    other.change("c.md", "squirrels\n", f"squirrels\n\n{sprout}")
    other.change("c.md", "Birds and squirrels", "Birds, mostly")
    (other.root / "c.md").rename(other.root / "trees.md")
    vault(other.root, {"new on the other.md": HEAD + "What is a stone fruit?::A drupe\n"})
    second = other.export(3, monkeypatch)
    other.commit("On the phone")

    merged(one, other)
    assert "<<<<" not in (one.root / ".obs2anki/ledger.jsonl").read_text("utf-8")
    both, again = one.export(4, monkeypatch), other.export(5, monkeypatch)
    assert both == again
    assert one.deck.read_bytes() == other.deck.read_bytes()
    # What either side changed is as that side exported it, and the rest as it was.
    left = {"Which part of a plant drinks water?"}
    changed_by_one = {q for q in first if first[q] != at_first.get(q)}
    changed_by_other = {q for q in second if second[q] != at_first.get(q)}
    assert len(changed_by_one) == 3
    assert len(changed_by_other) == 4
    was = {guid for guid, _ in at_first.values()}
    assert {both[q][0] for q in changed_by_one & both.keys()} - was == {
        first["What is green in a leaf?"][0]
    }
    for question, note in both.items():
        if question in changed_by_one:
            assert note == first[question]
        elif question in changed_by_other:
            assert note == second[question]
        else:
            assert note == at_first[question]
    assert both.keys() >= (changed_by_one | changed_by_other)
    assert not left & both.keys()
    for question in ("What makes a seed sprout in spring?", "Who carries seeds from tree to tree?"):
        assert both[question][0] == at_first[question][0]
    live = {entry.guid for entry in known(one.root).entries if entry.gone is None}
    assert live == {guid for guid, _ in both.values()}
    one.export(6, monkeypatch)
    one.commit("After the merge")
    other.commit("After the merge")
    merged(one, other)


def test_neighbours_edited_in_two_clones_merge_without_a_conflict(
    clones: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Every flashcard has a document of its own, so that only the ledger has lines to merge.
    one, other = clones
    many = {f"n{n}.md": f"{HEAD}What is the meaning of word {n}?::Meaning {n}\n" for n in range(40)}
    vault(one.root, many)
    one.export(1, monkeypatch)
    one.commit("Words")
    other.git("pull", "-q", str(one.root), "main")
    for n in range(40):
        (one, other)[n % 2].change(f"n{n}.md", "What is the meaning", "What is the true meaning")
    first, second = one.export(2, monkeypatch), other.export(3, monkeypatch)
    one.commit("Even")
    other.commit("Odd")
    merged(one, other)
    both = one.export(4, monkeypatch)
    assert both == other.export(5, monkeypatch)
    for n in range(40):
        question = f"What is the true meaning of word {n}?"
        assert both[question] == (first, second)[n % 2][question]


def test_one_flashcard_edited_in_two_clones_keeps_its_guid(
    clones: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = clones
    before = one.export(1, monkeypatch)["What makes a seed sprout in spring?"]
    one.change("b.md", "Water and warmth", "Water, and warmth too")
    other.change("b.md", "in spring?", "in early spring?")
    first = one.export(2, monkeypatch)["What makes a seed sprout in spring?"]
    second = other.export(3, monkeypatch)["What makes a seed sprout in early spring?"]
    for clone in clones:
        clone.commit("Sprout")
    # The documents do conflict; the ledger does not.
    one.git("pull", "-q", "--no-rebase", "--no-edit", "-X", "ours", str(other.root), "main")
    after = one.export(4, monkeypatch)["What makes a seed sprout in spring?"]
    assert before[0] == first[0] == second[0] == after[0]
    assert before[1] < first[1] < second[1] < after[1]


def test_two_clones_that_each_export_for_the_first_time_agree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = Clone(vault(tmp_path / "laptop", START | {PLUGIN: tagged(singleLineCardSeparator="::")}))
    one.git("init", "-q", "-b", "main")
    one.commit("The vault")
    other = Clone(tmp_path / "phone")
    one.git("clone", "-q", str(one.root), str(other.root))
    assert one.export(1, monkeypatch).keys() == other.export(2, monkeypatch).keys()
    for clone in (one, other):
        clone.commit("A ledger")
    merged(one, other)
    assert one.export(3, monkeypatch) == other.export(4, monkeypatch)
    assert one.deck.read_bytes() == other.deck.read_bytes()
    assert known(one.root) == known(other.root)


def test_a_ledger_survives_the_line_ends_that_git_makes_on_windows(
    clones: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = clones
    before = one.export(1, monkeypatch)
    (one.root / ".obs2anki/.gitattributes").write_text("ledger.jsonl merge=union\n")
    one.commit("What an earlier version wrote")
    windows = Clone(one.root.with_name("windows"))
    one.git("clone", "-q", "-c", "core.autocrlf=true", str(one.root), str(windows.root))
    assert b"\r\n" in (windows.root / ".obs2anki/ledger.jsonl").read_bytes()
    assert windows.export(2, monkeypatch) == before
    windows.change("c.md", "Birds and squirrels", "Birds, mostly")
    changed = windows.export(3, monkeypatch)
    windows.commit("On Windows")
    one.change("b.md", "Water and warmth", "Warmth and water")
    one.export(4, monkeypatch)
    one.commit("On the laptop")
    one.git("pull", "-q", "--no-rebase", "--no-edit", str(windows.root), "main")
    after = one.export(5, monkeypatch)
    question = "Who carries seeds from tree to tree?"
    assert after[question] == changed[question] != before[question]
