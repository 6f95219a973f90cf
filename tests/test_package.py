"""What is written to disk, when, and what is left there when it goes wrong."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date
from pathlib import Path

import pytest
from msgspec import structs

from obs2anki.data import NEW, Delivery, Guid, Media, Plan
from obs2anki.destinations import package
from obs2anki.destinations.package import Package
from obs2anki.diagnostics import Obs2ankiError
from tests.packages import packed, rows
from tests.plans import LONG_AGO, SEEN, media, note, plan, reviewed

DUE = reviewed(date(2024, 4, 25), date(2024, 5, 1), UTC)
ROOT = Path(__file__).parent.parent


def some(count: int = 3, *, mod: int = LONG_AGO, created: int = SEEN) -> Plan:
    return plan(
        *(
            note(f"n{n}", DUE, NEW, position=n, mod=mod, created=created)
            for n in range(1, count + 1)
        )
    )


def held(folder: Path) -> dict[str, bytes]:
    """Everything in a folder, hidden files too."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# ---------------------------------------------------------------- the same plan, the same bytes


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    picture = media(tmp_path / "a-1.png", b"picture")
    text = media(tmp_path / "b-2.svg", b"<svg/>" * 999)
    for order in ((picture, text), (text, picture)):
        made = replace(some(), media=order, revlog=True)
        packed(tmp_path, made, f"{order[0].name}.apkg")
    assert (tmp_path / "a-1.png.apkg").read_bytes() == (tmp_path / "b-2.svg.apkg").read_bytes()


def test_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """So neither the order of a set nor the clock is in them."""
    code = (
        "from pathlib import Path; from tests.test_package import some; "
        "from tests.packages import packed; import sys; "
        "packed(Path(sys.argv[1]), some(50), sys.argv[2])"
    )
    for seed, zone in (("1", "Pacific/Kiritimati"), ("2", "America/Los_Angeles")):
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), f"{seed}.apkg"],
            env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone},
            cwd=ROOT,
            check=True,
        )
    assert (tmp_path / "1.apkg").read_bytes() == (tmp_path / "2.apkg").read_bytes()


def test_members_are_in_order_deflated_and_have_no_time_of_their_own(tmp_path: Path) -> None:
    files = tuple(
        media(tmp_path / f"{n:02}-ab.{end}", b"x" * 999) for n, end in enumerate(["png", "svg"] * 6)
    )
    with zipfile.ZipFile(packed(tmp_path, replace(some(), media=files[::-1]))) as opened:
        infos = opened.infolist()
        names = json.loads(opened.read("media"))
        assert opened.testzip() is None
    assert [i.filename for i in infos] == ["collection.anki2", "media", *map(str, range(12))]
    assert names == {str(n): file.name for n, file in enumerate(files)}
    assert {i.date_time for i in infos} == {(1980, 1, 1, 0, 0, 0)}
    stored = {i.filename for i in infos if i.compress_type == zipfile.ZIP_STORED}
    assert stored == {str(n) for n in range(0, 12, 2)}  # a PNG is compressed already


# ---------------------------------------------------------------- numbers


def test_ids_start_at_the_time_a_flashcard_was_first_seen_and_are_unique(tmp_path: Path) -> None:
    later = note("later", NEW, NEW, created=SEEN + 1, position=1)
    made = plan(later, note("a", NEW, NEW, position=2), note("b", position=3))
    deck = packed(tmp_path, made)
    start = SEEN * 1000
    assert rows(deck, "SELECT guid, id FROM notes ORDER BY id") == [
        ("a", start),
        ("b", start + 1),
        ("later", start + 1000),
    ]
    assert rows(deck, "SELECT nid, ord, id FROM cards ORDER BY id") == [
        (start, 0, start),
        (start, 1, start + 1),
        (start + 1, 0, start + 2),
        (start + 1000, 0, start + 1000),
        (start + 1000, 1, start + 1001),
    ]


@pytest.mark.parametrize("created", [-5, 0, 1])
def test_no_id_is_zero_or_less(created: int, tmp_path: Path) -> None:
    deck = packed(tmp_path, some(4, created=created))
    assert rows(deck, "SELECT min(id) > 0, count(DISTINCT id) FROM notes") == [(1, 4)]
    assert rows(deck, "SELECT min(id) > 0, count(DISTINCT id) FROM cards") == [(1, 8)]


def test_a_deck_has_the_same_id_whatever_other_decks_there_are(tmp_path: Path) -> None:
    ids: list[set[object]] = []
    for number, decks in enumerate((["a::b"], ["x", "a::b", "c"])):
        made = plan(*(note(name, deck=name) for name in decks))
        deck = packed(tmp_path, made, f"{number}.apkg")
        ids.append({did for (did,) in rows(deck, "SELECT did FROM cards")})
    assert len(ids[0] & ids[1]) == 1
    assert len(ids[1]) == 3
    assert 1 not in ids[1]


def test_10_000_decks_have_10_000_ids(tmp_path: Path) -> None:
    deck = packed(tmp_path, plan(*(note(str(n), deck=f"d::{n}") for n in range(10_000))))
    assert rows(deck, "SELECT count(DISTINCT did) FROM cards") == [(10_000,)]


def test_new_cards_keep_vault_order_and_siblings_share_a_place(tmp_path: Path) -> None:
    made = plan(note("b", NEW, NEW, position=1), note("a", position=2, created=SEEN - 9))
    assert rows(packed(tmp_path, made), "SELECT ord, type, queue, due FROM cards ORDER BY due") == [
        (0, 0, 0, 1),
        (1, 0, 0, 1),
        (0, 0, 0, 2),
    ]


def test_a_log_row_is_written_only_when_asked_for(tmp_path: Path) -> None:
    question = "SELECT id / 1000, ease, ivl, lastIvl, factor, time, type FROM revlog"
    assert rows(packed(tmp_path, some(1), "without.apkg"), question) == []
    assert DUE.last_review is not None
    assert rows(packed(tmp_path, replace(some(1), revlog=True), "with.apkg"), question) == [
        (DUE.last_review, 3, 14, 0, 2320, 0, 1)
    ]


# ---------------------------------------------------------------- what changed


def test_a_first_delivery_adds_every_note(tmp_path: Path) -> None:
    deck = tmp_path / "deck.apkg"
    delivery = Package(deck).deliver(some(3))
    assert delivery == Delivery(
        added=3,
        written=True,
        size=deck.stat().st_size,
        new_guids=frozenset(map(Guid, ("n1", "n2", "n3"))),
    )


def test_an_unchanged_deck_is_not_touched(tmp_path: Path) -> None:
    deck = packed(tmp_path, some(3))
    os.utime(deck, (1, 1))
    before = deck.stat()
    assert Package(deck).deliver(some(3)) == Delivery(unchanged=3, size=before.st_size)
    after = deck.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_delivery_counts_what_was_added_changed_and_gone(tmp_path: Path) -> None:
    notes = {name: note(name) for name in ("same", "text", "tags", "mod", "gone")}
    deck = packed(tmp_path, plan(*notes.values()))
    made = plan(
        notes["same"],
        note("text", fields={"Back": "other"}),
        note("tags", tags=("other",)),
        note("mod", mod=LONG_AGO + 1),
        note("new"),
    )
    expected = Delivery(
        added=1,
        changed=3,
        newer=1,
        gone=1,
        unchanged=1,
        written=True,
        new_guids=frozenset({Guid("new")}),
    )
    seen = Package(deck).compare(made)
    assert replace(seen, size=0) == expected
    assert seen.size == deck.stat().st_size
    assert replace(Package(deck).deliver(made), size=0) == expected
    assert Package(deck).compare(made).unchanged == 5


ELSEWISE: dict[str, Callable[[Plan], Plan]] = {
    "scheduling": lambda made: plan(note("n1", NEW, NEW)),
    "deck": lambda made: plan(note("n1", DUE, NEW, deck="elsewhere")),
    "rollover": lambda made: replace(made, rollover=3),
    "review log": lambda made: replace(made, revlog=True),
    "cards": lambda made: plan(note("n1", DUE, fields={"Reverse": "1"})),
    "media": lambda made: replace(made, media=(Media("a-1.py", Path(__file__), 7),)),
}


@pytest.mark.parametrize("change", ELSEWISE.values(), ids=ELSEWISE.keys())
def test_what_is_no_note_is_compared_too(change: Callable[[Plan], Plan], tmp_path: Path) -> None:
    made = plan(note("n1", DUE, NEW))
    deck = packed(tmp_path, made)
    other = change(made)
    assert not Package(deck).compare(made).written
    seen = Package(deck).compare(other)
    assert (seen.unchanged, seen.changed, seen.written) == (1, 0, True)
    assert Package(deck).deliver(other).written


def test_comparing_writes_nothing(tmp_path: Path) -> None:
    before = held(tmp_path)
    assert Package(tmp_path / "deck.apkg").compare(some()).written
    assert held(tmp_path) == before
    packed(tmp_path, some())
    before = held(tmp_path)
    assert Package(tmp_path / "deck.apkg").compare(some(5)).written
    assert held(tmp_path) == before


def test_comparing_without_a_ledger_ignores_when_notes_changed_and_were_first_seen(
    tmp_path: Path,
) -> None:
    deck = packed(tmp_path, some(3, mod=LONG_AGO + 99, created=SEEN + 99))
    seen = Package(deck).compare(some(3), ignore_mod=True)
    assert (seen.unchanged, seen.written) == (3, False)
    assert Package(deck).compare(some(3)).changed == 3


# ---------------------------------------------------------------- what a plan has promised


BROKEN = {
    "GUID twice": plan(note("a"), note("b"), note("a")),
    "no GUID": plan(note("")),
    "blank GUID": plan(note(" ")),
    "no card": plan(structs.replace(note("a"), cards=())),
    "card twice": plan(note("a", NEW, NEW, ordinals=(0, 0))),
    "fields missing": plan(structs.replace(note("a"), fields=("too", "few"))),
    "media path": plan(note("a"), media=(Media("a/b.png", Path(__file__), 1),)),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_plan_that_anki_would_spoil_is_refused(broken: Plan, tmp_path: Path) -> None:
    deck = packed(tmp_path, some())
    before = held(tmp_path)
    with pytest.raises(ValueError):
        Package(deck).deliver(broken)
    assert held(tmp_path) == before


# ---------------------------------------------------------------- what is not replaced


def no_zip(path: Path) -> None:
    path.write_text("my thesis")


def empty(path: Path) -> None:
    path.touch()


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("thesis.txt", "my thesis")


def torn_zip(path: Path) -> None:
    path.write_bytes(packed(path.parent, some(), "whole.apkg").read_bytes()[:-30])


@pytest.mark.parametrize("make", [no_zip, empty, other_zip, torn_zip])
@pytest.mark.parametrize("deed", [Package.deliver, Package.compare])
def test_a_file_that_is_no_package_is_never_replaced(
    make: Callable[[Path], None], deed: Callable[[Package, Plan], Delivery], tmp_path: Path
) -> None:
    path = tmp_path / "deck.apkg"
    make(path)
    before = held(tmp_path)
    with pytest.raises(Obs2ankiError, match=r"deck\.apkg is no Anki package, so .* -o"):
        deed(Package(path), some())
    assert held(tmp_path) == before


def test_a_package_whose_inside_is_broken_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "deck.apkg"
    for inside in (b"", b"SQLite format 3\0" + bytes(5000), b"nonsense"):
        with zipfile.ZipFile(path, "w") as opened:
            opened.writestr("collection.anki2", inside)
            opened.writestr("media", "[]")
        delivery = Package(path).deliver(some(2))
        assert (delivery.added, delivery.written) == (2, True)
        assert rows(path, "SELECT count() FROM notes") == [(2,)]


def test_a_package_that_was_damaged_is_replaced_or_no_package(tmp_path: Path) -> None:
    path = tmp_path / "deck.apkg"
    Package(path).deliver(some(2))
    whole, replaced = path.read_bytes(), 0
    end = len(whole)
    for place in (*range(0, end, end // 100), *range(end - 180, end)):
        for damage in (0x01, 0x40):
            changed = bytearray(whole)
            changed[place] ^= damage
            path.write_bytes(changed)
            with suppress(Obs2ankiError):
                replaced += Package(path).compare(some(2)).written
    assert replaced > 100


def test_a_folder_is_no_deck(tmp_path: Path) -> None:
    with pytest.raises(Obs2ankiError, match=r"is a folder.*deck\.apkg"):
        Package(tmp_path).deliver(some())


@pytest.mark.parametrize("deed", [Package.deliver, Package.compare])
def test_a_missing_folder_is_named(
    deed: Callable[[Package, Plan], Delivery], tmp_path: Path
) -> None:
    for folder in (tmp_path / "missing", tmp_path / "file.txt"):
        (tmp_path / "file.txt").touch()
        with pytest.raises(Obs2ankiError, match=f"folder {folder} does not exist.*Create it"):
            deed(Package(folder / "deck.apkg"), some())


@pytest.mark.parametrize("deed", [Package.deliver, Package.compare])
def test_a_link_to_a_missing_folder_names_that_folder(
    deed: Callable[[Package, Plan], Delivery], tmp_path: Path
) -> None:
    link = tmp_path / "deck.apkg"
    link.symlink_to("missing/real.apkg")
    with pytest.raises(Obs2ankiError, match=f"folder {tmp_path}/missing does not exist.*Create it"):
        deed(Package(link), some())
    assert link.is_symlink()


def test_a_link_to_no_file_yet_is_written_through(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "deck.apkg"
    link.symlink_to("real/deck.apkg")
    assert Package(link).deliver(some(1)).written
    assert link.is_symlink()
    assert set(held(tmp_path / "real")) == {"deck.apkg"}


@pytest.mark.parametrize("deed", [Package.deliver, Package.compare])
def test_a_pipe_or_a_device_is_refused_unopened(
    deed: Callable[[Package, Plan], Delivery], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.apkg")
    (tmp_path / "link.apkg").symlink_to("pipe.apkg")
    for path in (tmp_path / "pipe.apkg", tmp_path / "link.apkg", Path("/dev/null")):
        with pytest.raises(Obs2ankiError, match=f"{path} is no file but a pipe or a device, so"):
            deed(Package(path), some())


def test_a_link_to_the_deck_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = packed(tmp_path / "real", some(1))
    link = tmp_path / "deck.apkg"
    link.symlink_to(real)
    assert Package(link).deliver(some(2)).added == 1
    assert link.is_symlink()
    assert rows(real, "SELECT count() FROM notes") == [(2,)]
    assert set(held(tmp_path / "real")) == {"deck.apkg"}


def test_the_deck_keeps_its_permissions(tmp_path: Path) -> None:
    deck = packed(tmp_path, some(1))
    deck.chmod(0o640)
    Package(deck).deliver(some(2))
    assert deck.stat().st_mode & 0o777 == 0o640


# ---------------------------------------------------------------- when it goes wrong


def child(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python in a process that may lose its rights or be killed."""
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


DELIVER = """
from obs2anki.destinations.package import Package
from obs2anki.diagnostics import Obs2ankiError
from pathlib import Path
from tests.test_package import some
import os, resource, sys
{before}
try:
    Package(Path(sys.argv[1])).deliver(some(2000))
except Obs2ankiError as error:
    print(error)
"""


def test_a_full_disk_leaves_the_old_deck_and_nothing_else(tmp_path: Path) -> None:
    deck = packed(tmp_path, some())
    before = held(tmp_path)
    # No file may grow beyond 50 kB: as on a full disk, a write fails half-way.
    limit = "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))"
    done = child(DELIVER.format(before=limit), deck)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("There is no room on the disk")
    assert held(tmp_path) == before


@pytest.mark.parametrize(
    ("locked", "name", "sentence"),
    [
        ("folder", "new.apkg", "new.apkg cannot be written (Permission denied). Give yourself"),
        ("deck", "deck.apkg", "deck.apkg is write-protected, so it was not replaced. Take"),
    ],
)
def test_what_must_not_be_written_is_named(
    locked: str, name: str, sentence: str, open_path: Path
) -> None:
    folder = open_path
    deck = packed(folder, some())
    before = held(folder)
    {"folder": folder, "deck": deck}[locked].chmod(0o555)
    # Whoever may do everything has to become someone who may not, once all is imported.
    weaker = f"Package(Path({str(deck)!r})).compare(some()); os.geteuid() or os.setuid(65534)"
    done = child(DELIVER.format(before=weaker), folder / name)
    folder.chmod(0o755)
    assert (done.returncode, done.stderr) == (0, "")
    assert sentence in done.stdout
    assert held(folder) == before


def broken_off(error: BaseException) -> Callable[[Media], Iterator[bytes]]:
    def chunks(item: Media) -> Iterator[bytes]:
        yield b"half"
        raise error

    return chunks


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(143), MemoryError(), RuntimeError("a bug")]
)
def test_breaking_off_half_way_leaves_the_old_deck_and_nothing_else(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "_chunks", broken_off(error))
    picture = media(tmp_path / "a-1.png", b"picture")
    deck = packed(tmp_path, some())
    before = held(tmp_path)
    with pytest.raises(type(error)):
        Package(deck).deliver(replace(some(2000), media=(picture,)))
    assert held(tmp_path) == before


def test_nothing_is_left_in_the_folder_for_temporary_files(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", DELIVER.format(before=""), str(tmp_path / "out" / "deck.apkg")],
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    assert done.stdout == b""
    assert held(tmp_path / "temporary") == {}
    assert set(held(tmp_path / "out")) == {"deck.apkg"}


def test_a_media_file_that_has_gone_is_named_and_the_old_deck_stays(tmp_path: Path) -> None:
    deck = packed(tmp_path, some())
    before = held(tmp_path)
    gone = Media("a-1.png", tmp_path / "a.png", 7)
    with pytest.raises(Obs2ankiError, match=r"a\.png cannot be read .* run the export again"):
        Package(deck).deliver(replace(some(), media=(gone,)))
    assert held(tmp_path) == before


def test_a_media_file_that_changes_after_it_was_named_is_no_other_one_by_its_name(
    tmp_path: Path,
) -> None:
    deck = packed(tmp_path, some())
    picture, digest = tmp_path / "a.png", hashlib.sha256(b"picture").hexdigest()
    item = Media(f"a-{digest[:12]}.png", picture, 7)
    for content in (b"another", b""):
        picture.write_bytes(content)
        before = held(tmp_path)
        with pytest.raises(Obs2ankiError, match=r"a\.png has changed .* Run the export again"):
            Package(deck).deliver(replace(some(), media=(item,)))
        assert held(tmp_path) == before
    picture.write_bytes(b"picture")
    assert Package(deck).deliver(replace(some(), media=(item,))).written


def test_media_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    big = tmp_path / "big-1.mp4"
    with big.open("wb") as file:
        file.truncate(300_000_000)
    code = (
        "from dataclasses import replace; from pathlib import Path; import resource, sys; "
        "from obs2anki.data import Media; from tests.packages import packed; "
        "from tests.test_package import some; "
        "packed(Path(sys.argv[1]), some()); "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; "
        "item = Media('big-1.mp4', Path(sys.argv[1], 'big-1.mp4'), 300_000_000); "
        "packed(Path(sys.argv[1]), replace(some(), media=(item,))); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = child(code, tmp_path)
    assert done.stderr == ""
    assert int(done.stdout) < 30_000  # kilobytes
    with zipfile.ZipFile(tmp_path / "deck.apkg") as opened:
        assert opened.getinfo("0").file_size == 300_000_000


def test_two_exports_at_once_leave_one_whole_deck(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; import sys; from tests.packages import packed; "
        "from tests.test_package import some; "
        "[packed(Path(sys.argv[1]), some(int(sys.argv[2]) + n % 2)) for n in range(10)]"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(size)], cwd=ROOT)
        for size in (300, 600)
    ]
    assert [process.wait() for process in running] == [0, 0]
    assert set(held(tmp_path)) == {"deck.apkg"}
    assert rows(tmp_path / "deck.apkg", "SELECT count() FROM notes")[0] in [(301,), (601,)]


def test_a_deck_that_is_taken_away_at_once_was_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "settle", lambda folder: (folder / "deck.apkg").unlink())
    delivery = Package(tmp_path / "deck.apkg").deliver(some())
    assert delivery.written and delivery.size > 0
    assert held(tmp_path) == {}


# ---------------------------------------------------------------- what killed runs have left

LEFT = ".obs2anki-0123456789abcdef.tmp"


def test_what_a_killed_run_left_beside_the_deck_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_bytes(b"half a deck")
    packed(tmp_path, some())
    assert [file.name for file in tmp_path.iterdir()] == ["deck.apkg"]


def test_what_a_live_run_is_writing_is_left_alone(tmp_path: Path) -> None:
    aside, file = package._aside(tmp_path)
    with file:
        packed(tmp_path, some())
        assert aside.exists()
    packed(tmp_path, some())
    assert not aside.exists()


@pytest.mark.parametrize("name", [".obs2anki-mine.tmp", f"x{LEFT}", f"{LEFT}.md", "obs2anki.tmp"])
def test_nothing_but_own_files_is_cleared_away(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"")
    packed(tmp_path, some())
    assert (tmp_path / name).exists()


def test_a_link_or_a_folder_with_such_a_name_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_bytes(b"kept")
    (tmp_path / LEFT).symlink_to(tmp_path / "kept.txt")
    (tmp_path / LEFT.replace("0", "f")).mkdir()
    packed(tmp_path, some())
    assert (tmp_path / LEFT).is_symlink() and (tmp_path / LEFT.replace("0", "f")).is_dir()
    assert (tmp_path / "kept.txt").read_bytes() == b"kept"


def test_where_locks_say_nothing_age_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "fcntl", None)
    young, old = tmp_path / LEFT, tmp_path / LEFT.replace("0", "f")
    for file in (young, old):
        file.write_bytes(b"")
    os.utime(old, (1e9, 1e9))
    packed(tmp_path, some())
    assert young.exists() and not old.exists()
