"""What a link names, and what a file is called in Anki."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki.data import VaultPath
from obs2anki.media import Library
from obs2anki.settings import Obsidian
from tests.vault_files import digest, library

SOURCE = VaultPath("school/biology/cell.md")


def resolved(target: str, *files: str, attachment_folder: str = "/") -> str | None:
    """What a target names, seen from `school/biology/cell.md`."""
    return library(*files, attachment_folder=attachment_folder).resolve(target, SOURCE)


def name(path: str, *others: str) -> str:
    """A file's name in Anki."""
    return library(path, *others).media(VaultPath(path)).name


# ---------------------------------------------------------------- links


@pytest.mark.parametrize(
    ("target", "files", "found"),
    [
        ("a.png", ["a.png", "school/biology/a.png"], "a.png"),
        ("a.png", ["school/biology/a.png", "x/a.png"], "school/biology/a.png"),
        ("a.png", ["x/y/a.png", "z/a.png"], "z/a.png"),
        ("a.png", ["x/a.png", "school/biology/deep/a.png"], "school/biology/deep/a.png"),
        ("y/a.png", ["a.png", "x/y/a.png"], "x/y/a.png"),
        ("y/a.png", ["xy/a.png"], None),
        ("./a.png", ["a.png", "school/biology/a.png"], "school/biology/a.png"),
        ("../a.png", ["a.png", "school/a.png"], "school/a.png"),
        ("../../a.png", ["a.png", "school/a.png"], "a.png"),
        ("x/../a.png", ["a.png"], "a.png"),
        ("/a.png", ["school/biology/a.png", "a.png"], "a.png"),
        ("membrane", ["school/membrane.md"], "school/membrane.md"),
        ("membrane.md", ["school/membrane.md"], "school/membrane.md"),
        ("v1.2 notes", ["v1.2 notes.md"], "v1.2 notes.md"),
        ("Membrane", ["membrane.md"], "membrane.md"),
        ("Membrane", ["x/Membrane.md", "y/z/membrane.md"], "x/Membrane.md"),
        ("membrane", ["x/Membrane.md", "y/z/membrane.md"], "y/z/membrane.md"),
        ("big%20cat.png", ["big cat.png"], "big cat.png"),
        ("big%20cat.png", ["big cat.png", "big%20cat.png"], "big%20cat.png"),
        ("100%.png", ["100%.png"], "100%.png"),
        (" a.png ", ["a.png"], "a.png"),
        ("cafe\u0301.png", ["caf\u00e9.png"], "caf\u00e9.png"),
        ("What: why", ["What: why.md"], "What: why.md"),
        ("gone.png", ["a.png"], None),
        ("", ["a.png"], None),
        (".", ["a.png"], None),
        ("..", ["a.png"], None),
        ("/", ["a.png"], None),
    ],
)
def test_a_link_names_what_it_names_in_obsidian(
    target: str, files: list[str], found: str | None
) -> None:
    assert resolved(target, *files) == found
    assert resolved(target, *reversed(files)) == found


@pytest.mark.parametrize(
    ("folder", "found"),
    [
        ("/", "z/a.png"),
        ("files/images", "files/images/a.png"),
        ("./images", "school/biology/images/a.png"),
    ],
)
def test_the_attachment_folder_comes_before_other_folders(folder: str, found: str) -> None:
    files = ["z/a.png", "files/images/a.png"]
    if folder.startswith("./"):
        files.append("school/biology/images/a.png")
    assert resolved("a.png", *files, attachment_folder=folder) == found


@pytest.mark.parametrize(
    "target",
    [
        "../../../a.png",
        "../../../../etc/passwd",
        "/../a.png",
        "/etc/passwd",
        "..%2F..%2F..%2Fa.png",
        "%2Fetc%2Fpasswd",
        "file:///etc/passwd",
        "FILE:a.png",
        "C:\\a.png",
        "c:/a.png",
        "\\\\server\\a.png",
        "//server/a.png",
        "~/a.png",
        "app://local/a.png",
        "https://example.org/a.png",
    ],
)
def test_no_link_leaves_the_vault(target: str) -> None:
    files = library("a.png", "etc/a.png", "server/a.png")
    assert files.resolve(target, SOURCE) is None
    assert files.leaves_vault(target, SOURCE)


def test_a_missing_file_is_no_way_out() -> None:
    assert not library("a.png").leaves_vault("gone.png", SOURCE)
    assert not library("a.png").leaves_vault("../gone.png", SOURCE)


@given(st.text(alphabet="ab./\\%2F~:# ", max_size=20) | st.text(max_size=20))
def test_whatever_a_link_says_it_names_a_file_of_the_vault_or_nothing(target: str) -> None:
    files = ["a", "a.md", "b/a", "b/b.md", "school/a"]
    assert library(*files).resolve(target, SOURCE) in {*files, None}


# ---------------------------------------------------------------- names in Anki


def test_a_name_is_stem_hash_and_extension() -> None:
    assert re.fullmatch(r"Big cat-[0-9a-f]{12}\.jpg", name("x/Big cat.JPG"))


def test_a_file_without_an_extension_has_none_in_anki() -> None:
    assert re.fullmatch(r"LICENSE-[0-9a-f]{12}", name("LICENSE"))


def test_equal_stems_in_two_folders_are_two_media() -> None:
    def by_path(file: Path) -> tuple[str, int]:
        return digest(Path(str(file).replace("/", "_")))

    files = Library(
        Path("/vault").joinpath,
        [VaultPath("a/x.png"), VaultPath("b/x.png")],
        Obsidian(),
        1,
        by_path,
    )
    assert files.media(VaultPath("a/x.png")).name != files.media(VaultPath("b/x.png")).name


def test_names_never_differ_in_case_alone() -> None:
    def same(_: Path) -> tuple[str, int]:
        return "0" * 64, 1

    files = ["a/Cat.png", "b/cat.PNG", "c/CAT.png"]
    names = {
        Library(Path("/v").joinpath, map(VaultPath, order), Obsidian(), 1, same)
        .media(VaultPath(f))
        .name
        for order in (files, files[::-1])
        for f in files
    }
    assert names == {"Cat-000000000000.png"}


def test_a_medium_says_where_it_lies_and_how_big_it_is() -> None:
    media = library("x/a.png").media(VaultPath("x/a.png"))
    assert (media.file, media.size) == (Path("/vault/x/a.png"), 1000)


def test_a_medium_lies_where_the_disk_has_it() -> None:
    files = Library(lambda path: Path("/v", path.upper()), [VaultPath("a")], Obsidian(), 1, digest)
    assert files.media(VaultPath("a")).file == Path("/v/A")


def test_a_file_is_read_once_and_only_when_it_is_packed() -> None:
    read: list[Path] = []

    def counted(file: Path) -> tuple[str, int]:
        read.append(file)
        return "0" * 64, 1

    files = Library(Path("/v").joinpath, [VaultPath("a.png")], Obsidian(), 1, counted)
    assert files.resolve("a.png", SOURCE) == "a.png"
    assert read == []
    assert files.media(VaultPath("a.png")) == files.media(VaultPath("a.png"))
    assert read == [Path("/v/a.png")]


FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\[\]<>:"/?*^\\|]')


@given(st.text(min_size=1, max_size=200).filter(lambda t: "/" not in t))
def test_every_name_is_one_that_anki_keeps(stem: str) -> None:
    for path in (stem, f"{stem}.png", f"folder/{stem}.{stem}"):
        made = name(path)
        assert not FORBIDDEN.search(made)
        assert len(made.encode()) <= 120
        assert made == unicodedata.normalize("NFC", made) == made.strip()
        assert not made.startswith((".", "_"))
