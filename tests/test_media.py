"""What a link names, and what a file is called in Anki."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import obs2anki.vault
from obs2anki import build, render, settings
from obs2anki.data import VaultPath
from obs2anki.media import Library
from obs2anki.settings import Obsidian
from tests.anki_collection import bring, collection, complaints
from tests.commands import vault
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


# ---------------------------------------------------------------- where attachments lie


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("/", "a.png"),
        ("./", "school/biology/a.png"),
        ("./img", "school/biology/img/a.png"),
        (".\\img", "school/biology/img/a.png"),
        ("files", "files/a.png"),
        ("files/images/", "files/images/a.png"),
        ("files\\images", "files/images/a.png"),
        ("/files/images", "files/images/a.png"),
    ],
)
def test_obsidian_s_attachment_folder_may_be_written_in_many_ways(written: str, found: str) -> None:
    layer = settings.from_app(json.dumps({"attachmentFolderPath": written}), "app.json")
    folder = settings.merge(settings.WITHOUT_PLUGIN, layer).obsidian.attachment_folder
    # Without the folder the nearest would be found: below the document, or the shortest path.
    others = ["school/biology/deep/a.png", "b/a.png"] if found.startswith("files") else ["b/a.png"]
    assert resolved("a.png", found, *others, attachment_folder=folder) == found


# ---------------------------------------------------------------- what cards show


def shown(text: str, *files: str) -> tuple[str, list[str]]:
    """The HTML of a side in `school/biology/cell.md`, and the codes of what is found."""
    place = render.Place(SOURCE, 1, "V")
    side, found = render.side(text, place, library(*files), Obsidian())
    return side.html, [d.code for d in found]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("![](https://example.org/a.png)", '<img src="https://example.org/a.png">'),
        ("![x|90](//example.org/a)", '<img src="https://example.org/a" alt="x" width="90">'),
        (
            "![](https://example.org/a.mp3?b=c)",
            '<audio src="https://example.org/a.mp3?b=c" controls></audio>',
        ),
        (
            "![|300x200](https://example.org/a.webm)",
            '<video src="https://example.org/a.webm" width="300" height="200" controls></video>',
        ),
    ],
)
def test_media_of_the_web_are_shown_from_there_and_counted(text: str, html: str) -> None:
    side, found = render.side(text, render.Place(SOURCE, 1, "V"), library(), Obsidian())
    assert (side.html, found, side.media) == (html, [], ())
    assert len(side.online) == 1 and side.online[0].startswith("https://example.org/a")


def test_a_film_of_a_platform_is_a_link_and_not_counted() -> None:
    text = "![talk](https://www.youtube.com/watch?v=x)"
    side, _ = render.side(text, render.Place(SOURCE, 1, "V"), library(), Obsidian())
    assert side.online == ()
    assert side.html == '<a href="https://www.youtube.com/watch?v=x">talk</a>'


@pytest.mark.parametrize(
    ("text", "label", "subpath"),
    [
        ("![[paper.pdf]]", "paper.pdf", ""),
        ("![[paper.pdf#page=3]]", "paper.pdf &gt; page=3", "%23page%3D3"),
        ("![[paper.pdf#page=3&height=400]]", "paper.pdf &gt; page=3", "%23page%3D3"),
        ("![[paper.pdf#height=400]]", "paper.pdf", ""),
        ("![[paper.pdf#page=3|page three]]", "page three", "%23page%3D3"),
        ("![](paper.pdf#page=3)", "paper.pdf &gt; page=3", "%23page%3D3"),
        ("[[paper.pdf#page=3]]", "paper.pdf &gt; page=3", "%23page%3D3"),
        ("![[plan.canvas]]", "plan.canvas", ""),
    ],
)
def test_what_anki_cannot_show_is_a_link_to_its_place(text: str, label: str, subpath: str) -> None:
    name = "plan.canvas" if "plan" in text else "paper.pdf"
    html, found = shown(text, f"x/{name}")
    assert found == []
    assert html == f'<a href="obsidian://open?vault=V&amp;file=x%2F{name}{subpath}">{label}</a>'


@pytest.mark.parametrize(
    ("text", "label", "subpath"),
    [
        ("[[other]]", "other", ""),
        ("[[other|that]]", "that", ""),
        ("[[other#A#B]]", "other &gt; A &gt; B", "%23A%23B"),
        ("[[other#^id]]", "other &gt; ^id", "%23%5Eid"),
        ("[that](other.md#A%20b)", "that", "%23A%20b"),
        ("[that](other#^id)", "that", "%23%5Eid"),
        ("[that](<other.md#A b>)", "that", "%23A%20b"),
    ],
)
def test_links_lead_to_the_place_in_obsidian(text: str, label: str, subpath: str) -> None:
    html, found = shown(text, "x/other.md")
    assert found == []
    assert html == f'<a href="obsidian://open?vault=V&amp;file=x%2Fother{subpath}">{label}</a>'


def test_links_without_a_vault_s_name_have_none() -> None:
    side, _ = render.side("[[other]]", render.Place(SOURCE, 1, ""), library("other.md"), Obsidian())
    assert side.html == '<a href="obsidian://open?file=other">other</a>'


def test_a_player_packs_sounds_and_films_only() -> None:
    html, _ = shown('<audio src="cell.md"></audio>', "school/biology/cell.md")
    assert "(not shown: school/biology/cell.md)" in html and "src=" not in html


@pytest.mark.parametrize(
    "target", ["../../../x.png", "/etc/x.png", "file:///etc/x.png", "C:/x.png", "\\\\nas\\x.png"]
)
def test_whatever_the_form_nothing_outside_of_the_vault_is_shown(target: str) -> None:
    for text in (
        f"![[{target}]]",
        f"![x]({target})",
        f'<img src="{target}">',
        f'<video src="{target}"></video>',
        f'<img srcset="{target} 2x">',
    ):
        html, _ = shown(text, "x.png", "etc/y.png")
        assert "src=" not in html and "srcset=" not in html, text


def test_a_fetched_medium_is_named_by_its_address_and_packed() -> None:
    url = "https://example.org/pics/Big%20Cat.PNG?size=2#top"
    files = library("x/big cat.png", fetched={url: Path("/kept/0a1b.png"), url + "x": "it is gone"})
    place = render.Place(SOURCE, 1, "V")
    side, found = render.side(f"![]({url}) ![]({url}x)", place, files, Obsidian())
    (media,) = side.media
    assert re.fullmatch(r"big cat-[0-9a-f]{12}\.png", media.name)
    assert media.file == Path("/kept/0a1b.png")
    assert side.online == (url + "x",)
    assert [(d.code, d.message) for d in found] == [
        ("O610", f"{url}x was not downloaded: it is gone.")
    ]


# ---------------------------------------------------------------- on the disk, and in Anki


PNG = b"\x89PNG\r\n\x1a\n"


def test_a_vault_of_embeds_arrives_with_all_its_media_and_none_too_many(tmp_path: Path) -> None:
    long = "ein sehr langer Name " * 9
    root = vault(
        tmp_path / "v",
        {
            ".obsidian/app.json": json.dumps({"attachmentFolderPath": "./img"}),
            "bio/cards.md": "\n".join(
                [
                    "Whole;; ![[cell]]",
                    "Sound;; ![[Größe & so.mp3]] ![](../odd%20%27%26%3B.png)",
                    f"Long;; ![[{long}.png]] ![[100%.png]]",
                    "Cased;; ![[PLAIN.PNG]] ![[plain.png|20]] ![[cafe\u0301.png]]",
                    "Gone;; ![[gone.png]] ![[cell#Gone]]",
                    'Player;; <video src="film.mp4"></video>',
                    "",
                    "Question",
                    "?",
                    "- an item with ![[cell#Nucleus]]",
                    "- and ![[cell#^dna]]",
                ]
            ),
            "bio/cell.md": "# Cell\n![[plain.png]]\n## Nucleus\n![[inner.png]] text ^dna\n",
            "bio/img/plain.png": PNG,
            "bio/img/inner.png": PNG + b"1",
            "bio/img/Größe & so.mp3": b"ID3",
            "odd '&;.png": PNG + b"2",
            f"deep/{long}.png": PNG + b"3",
            "deep/100%.png": PNG + b"4",
            "deep/café.png": PNG + b"5",
            "film.mp4": b"ftyp",
            "never shown.png": PNG + b"6",
        },
    )
    deck = tmp_path / "a.apkg"
    round_ = build.prepare(build.Request(root, deck, stateless=True))
    assert {d.code for d in round_.plan.diagnostics} == {"O601", "O606"}
    build.export(round_)
    with collection(tmp_path) as col:
        bring(col, deck)
        assert complaints(col) == ()
        there = {file.name for file in Path(col.media.dir()).iterdir()}
    assert there == {m.name for m in round_.plan.media}
    assert len(there) == 8


def test_nothing_is_read_through_a_link_that_leaves_the_vault(tmp_path: Path) -> None:
    vault(
        tmp_path / "out", {"secret.md": "# S\nsecret ^id", "secret.png": PNG, "s/deep.md": "secret"}
    )
    root = vault(
        tmp_path / "v",
        {
            "a.md": "One;; ![[secret]] ![[secret#S]] ![[secret#^id]]\n"
            "Two;; ![[secret.png]] ![](secret.png) <video src='secret.png'></video>\n"
            "Three;; ![[deep]] ![](s/deep.md) ![[../out/secret]] ![](../out/secret.png)\n"
            f"Four;; ![[{tmp_path}/out/secret]] ![](file://{tmp_path}/out/secret.png)\n"
        },
    )
    for name in ("secret.md", "secret.png", "s"):
        (root / name).symlink_to(tmp_path / "out" / name)
    plan = build.prepare(build.Request(root, stateless=True)).plan
    assert plan.media == ()
    assert len(plan.notes) == 4
    assert not any(
        "secret " in field or "embed-title" in field for n in plan.notes for field in n.fields
    )
    assert {d.code for d in plan.diagnostics} == {"O106", "O601", "O602"}


def test_what_is_too_large_is_not_even_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = vault(
        tmp_path / "v",
        {"a.md": "Q;; x\n\nA\n?\nB\n![[b.png]]", "obs2anki.toml": "[media]\nmax_size = 1"},
    )
    with (root / "b.png").open("wb") as file:
        file.truncate(1_000_001)

    def never(*_: object) -> None:
        raise AssertionError("it was read")

    monkeypatch.setattr("hashlib.file_digest", never)
    plan = build.prepare(build.Request(root, stateless=True)).plan
    assert [(d.code, d.line, d.column) for d in plan.diagnostics] == [("O603", 6, 4)]
    assert "(too large: b.png)" in plan.notes[1].fields[1]


def test_a_document_is_read_once_however_often_it_is_embedded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "a.md": "#flashcards\n\nQ::![[b]] ![[c]]\nR::![[b]] ![[c]]",
        "b.md": "b",
        # Where the plugin says how flashcards are written, no review has to be looked for first.
        ".obsidian/plugins/obsidian-spaced-repetition/data.json": "{}",
    }
    root = vault(tmp_path / "v", files)
    (root / "c.md").symlink_to(root / "b.md")  # Obsidian shows it under both names
    read: list[str] = []
    bytes_of = obs2anki.vault._bytes

    def counted(path: str | Path) -> bytes:
        read.append(str(path).rpartition("/")[2])
        return bytes_of(path)

    monkeypatch.setattr(obs2anki.vault, "_bytes", counted)
    plan = build.prepare(build.Request(root, stateless=True)).plan
    assert all(note.fields[1].count('class="embed"') == 2 for note in plan.notes)
    assert sorted(name for name in read if name.endswith(".md")) == ["a.md", "b.md", "c.md"]
