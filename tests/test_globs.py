"""Expected answers are those of minimatch 10.2.5 (`path.startsWith(p) || minimatch(path, p)`)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import globs


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("drafts/a.md", "drafts/*", True),
        ("drafts/x/a.md", "drafts/*", False),
        ("drafts/x/a.md", "drafts/**", True),
        ("drafts", "drafts/**", False),
        ("x/drafts/a.md", "**/drafts/**", True),
        ("drafts/a.md", "**/drafts/**", True),
        ("x/drafts/a.md", "**/drafts", False),
        ("x/drafts/y/a.md", "**/drafts/*", False),
        ("x/a.md", "*", False),
        ("x/a.md", "**", True),
        ("a.md", "**/*.md", True),
        ("a.md", "A.md", False),
        ("a.md", "[ab].md", True),
        ("a.md", "[!b].md", True),
        ("b.md", "[^b].md", False),
        ("é.md", "[[:alpha:]].md", True),
        ("é.md", "?.md", True),
        ("😀.md", "?.md", False),
        ("😀.md", "??.md", True),
        ("y/a.md", "{x,y}/*.md", True),
        ("x/2.md", "x/{1..3}.md", True),
        ("x/a.md", "{x}/a.md", False),
        ("a.md", "!b.md", True),
        ("x/a.md", "!x/**", False),
        ("y/a.md", "!x/**", True),
        ("y/a.md", "!!x/**", False),
        ("x/a.md", "x/!(b).md", True),
        ("x/b.md", "x/!(b).md", False),
        ("x/bb.md", "x/!(b).md", True),
        ("x/abc", "x/a!(b)c", False),
        ("x/ac", "x/a!(b)c", True),
        ("keep/a/b.md", "**/!(keep)/*.md", True),
        ("keep/b.md", "**/!(keep)/*.md", False),
        ("x/a", "x/!(b)/**", False),
        ("x/a/c", "x/!(b)/**", True),
        ("x/a/c", "x/!(b)/**/c", True),
        ("b.md", "@(a|b).md", True),
        ("ab.md", "+(a|b).md", True),
        (".md"[1:], "*(a)md", True),
        ("#a.md", "#a*", False),
        ("#x/a.md", "**/a.md", True),
        ("x/a.md", "x//a.md", True),
        ("x/a.md", "y/../x/*.md", True),
        ("x/y/a.md", "x/**/a.md", True),
        ("x/a.md", "x/**/a.md", True),
        ("x/y/a.md", "x**/a.md", False),
        ("x/a.md", "x/***", True),
        ("x[1]/a.md", "x[1]/*", False),
        ("x[1]/a.md", r"x\[1\]/*", True),
        ("a*.md", r"a\*.md", True),
        ("ab.md", r"a\*.md", False),
        ("a.md", "a.md/", False),
        ("[a", "[a", True),
    ],
)
def test_a_glob_means_what_it_means_to_minimatch(path: str, pattern: str, expected: bool) -> None:
    assert globs.matches(path, pattern) is expected


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("Templates/x.md", "Temp", True),
        ("x/drafts/a.md", "drafts", False),
        ("#a.md", "#a*", False),
        ("#a.md", "#a", True),
        ("draw/d.excalidraw.md", "**/*.excalidraw.md", True),
        ("draw/d.EXCALIDRAW.md", "**/*.excalidraw.md", False),
        ("a.md", "", True),
    ],
)
def test_an_ignored_folder_is_a_prefix_or_a_glob(path: str, pattern: str, expected: bool) -> None:
    assert globs.ignored_by(path, (pattern,)) is expected
    assert globs.ignored_by(path, ("no/such", pattern)) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 100 + "b",
        "a!(b)" * 300 + "z",
        "*(a|aa)" * 50 + "b",
        "+(+(+(a)))*b",
        "@(" * 2_000,
        "a!(a" * 1_000,
        "[" * 4_000 + "\\]",
        "{a,b}" * 40,
        "{a,{" * 1_000,
        "{1..99999999}",
        "**/" * 1_300 + "b",
        "x" * 100_000,
    ],
)
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    assert globs.matches("a" * 250 + "/" + "a" * 250, pattern) is False


@given(st.text(alphabet="ab/*?[]!(){}|,.\\+@-^:1é😀") | st.text())
def test_any_pattern_is_understood_and_negation_turns_it_round(pattern: str) -> None:
    if pattern.startswith(("!", "#")):
        pattern = f"/{pattern}"
    answers = {globs.matches("a/b.md", bangs + pattern) for bangs in ("", "!!")}
    assert answers == {not globs.matches("a/b.md", f"!{pattern}")}


@given(st.lists(st.sampled_from(["a", "b.md", "é", "😀", "x y", "[1]"]), min_size=1))
def test_a_path_of_plain_names_matches_itself_and_double_stars(names: list[str]) -> None:
    path = "/".join(names)
    escaped = path.replace("[", "\\[")
    assert globs.matches(path, escaped)
    assert globs.matches(path, "**")
    assert globs.matches(path, f"**/{escaped}")
