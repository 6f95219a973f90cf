"""Home decks and tags."""

from __future__ import annotations

from dataclasses import replace

import pytest

from obs2anki import decks, extract
from obs2anki.settings import DeckRule, Decks, Grammar, Settings
from tests import written

PLUGIN = Settings(grammar=Grammar(single_line=";;", single_line_reversed=";;;"))


def placed(text: str, settings: Settings, path: str = "a.md") -> list[decks.Placed]:
    document = written.document(text, path)
    found = extract.flashcards(document, settings.grammar).flashcards
    return decks.place(document, found, settings, "Vault")[0]


def homes(text: str, settings: Settings = PLUGIN, path: str = "a.md") -> list[str]:
    return [p.deck for p in placed(text, settings, path)]


def with_decks(settings: Settings = PLUGIN, **table: object) -> Settings:
    return replace(settings, decks=Decks(**table))  # type: ignore[arg-type]  # by name


# ---------------------------------------------------------------- the plugin's decks


def test_a_tag_within_what_the_plugin_takes_for_the_frontmatter_is_no_tag_line() -> None:
    text = "---\ntags: [flashcards/a]\n--- \n#flashcards/b\n---\nQ;; A"
    assert [p.flashcard.topics for p in placed(text, PLUGIN)] == [("flashcards/a",)]


def test_such_a_tag_is_the_deck_where_there_is_no_other() -> None:
    text = "---\na: b\n--- \n#flashcards/b\n---\nQ;; A"
    assert [p.flashcard.topics for p in placed(text, PLUGIN)] == [("flashcards/b",)]


def test_with_no_tag_above_the_first_flashcard_tag_below_is_the_deck() -> None:
    text = "Of #biology and cells.\n\nQ;; A\n\n#flashcards/b and #flashcards/c"
    assert homes(text) == ["flashcards::b"]


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        ("#flashcards\nQ;; A", False),
        ("#flashcards #draft\nQ;; A", True),
        ("#flashcards #draft/old\nQ;; A", True),
        ("#flashcards #drafts\nQ;; A", False),
        ("---\ntags: [flashcards, draft]\n---\nQ;; A", True),
    ],
)
def test_a_document_with_an_ignored_tag_is_left_out(text: str, ignored: bool) -> None:
    grammar = replace(PLUGIN.grammar, tags_to_ignore=("#draft",))
    assert decks.is_ignored(written.document(text, "a.md"), grammar) is ignored
    assert not decks.is_ignored(written.document(text, "a.md"), PLUGIN.grammar)


# ---------------------------------------------------------------- home


@pytest.mark.parametrize(
    ("value", "home"),
    [
        ("A::B", "A::B"),
        ("A/B", "A::B"),
        ('"A / B"', "A::B"),
        ("", "flashcards"),
        ("null", "flashcards"),
        ("{{title}}", "flashcards"),
        ('"<% tp.file.title %>"', "flashcards"),
        ("'::'", "flashcards"),
        ("[A, B]", "A"),
        ("[]", "flashcards"),
    ],
)
def test_a_frontmatter_key_names_the_deck(value: str, home: str) -> None:
    assert homes(f"---\ndeck: {value}\ntags: [flashcards]\n---\nQ;; A") == [home]


def test_the_first_key_that_says_something_wins() -> None:
    assert homes("---\ncards-deck: C\nanki-deck: B\ndeck:\ntags: [flashcards]\n---\nQ;; A") == ["B"]


def test_a_rule_by_tag_keeps_the_nested_tail() -> None:
    rules = (DeckRule(tag="flashcards/bio", deck="Biology"),)
    text = "#flashcards/bio/cells\nQ;; A\n\n#flashcards/biology\nQ2;; A2"
    assert homes(text, with_decks(rules=rules)) == ["Biology::cells", "flashcards::biology"]


def test_a_rule_by_folder_takes_everything_below() -> None:
    settings = with_decks(rules=(DeckRule(folder="Lang*", deck="L"),))
    text = "#flashcards\nQ;; A"
    assert homes(text, settings, "Languages/no/a.md") == ["L"]
    assert homes(text, settings, "Languages.md") == ["flashcards"]


@pytest.mark.parametrize("folder", ["a/b", "a/b/", "a/b/**", "a/**", "**/b/**", "a/**/b"])
def test_a_folder_with_two_stars_behind_it_is_that_folder_and_all_below(folder: str) -> None:
    settings = with_decks(rules=(DeckRule(folder=folder, deck="In"),))
    assert homes("#flashcards\nQ;; A", settings, "a/b/x.md") == ["In"]
    assert homes("#flashcards\nQ;; A", settings, "a/b/c/x.md") == ["In"]
    assert homes("#flashcards\nQ;; A", settings, "ab/x.md") == ["flashcards"]


@pytest.mark.parametrize("pattern", ["{1..100000}", "{a,b}" * 12, "{" * 5000 + "}" * 5000])
def test_a_folder_with_braces_for_a_thousand_names_and_more_is_no_bug(pattern: str) -> None:
    settings = with_decks(rules=(DeckRule(folder=pattern, deck="D"),))
    assert homes("#flashcards\nQ;; A", settings, "no/a.md") == ["flashcards"]


def test_a_folder_with_many_double_stars_takes_no_more_time_than_others() -> None:
    settings = with_decks(rules=(DeckRule(folder="**/a/" * 12 + "b", deck="D"),))
    assert homes("#flashcards\nQ;; A", settings, "a/" * 40 + "a.md") == ["flashcards"]


@pytest.mark.parametrize("folder", ["!Inbox", "#Inbox", "(Inbox)", "+Inbox"])
def test_a_folder_is_named_as_it_is_whatever_it_begins_with(folder: str) -> None:
    settings = with_decks(rules=(DeckRule(folder=folder, deck="In"),))
    assert homes("#flashcards\nQ;; A", settings, f"{folder}/a.md") == ["In"]
    assert homes("#flashcards\nQ;; A", settings, "Other/a.md") == ["flashcards"]


def test_the_first_matching_rule_wins_and_may_skip() -> None:
    rules = (DeckRule(tag="drafting", skip=True), DeckRule(tag="flashcards", deck="All"))
    text = "#flashcards\nQ;; A\nQ2;; A2 #drafting"
    assert [(p.deck, p.left_out) for p in placed(text, with_decks(rules=rules))] == [
        ("All", ""),
        ("", "rule"),
    ]


def test_of_several_decks_home_is_the_most_special_then_the_first() -> None:
    tags = ("#flashcards", "#german")
    settings = replace(PLUGIN, grammar=replace(PLUGIN.grammar, flashcard_tags=tags))
    assert homes("#flashcards #german/a #german/b\nQ;; A", settings) == ["german::a"]
    assert homes("#flashcards/a #flashcards/b\nQ;; A", settings) == ["flashcards::a"]


def test_folders_are_decks_if_the_plugin_says_so() -> None:
    settings = replace(PLUGIN, grammar=replace(PLUGIN.grammar, folders_as_decks=True))
    assert homes("#todo Q;; A", settings, "Lang/Spanish/a.md") == ["Lang::Spanish"]


def test_without_the_plugin_any_tag_names_the_deck() -> None:
    plain = written.EVERY_DOCUMENT
    assert homes("#todo Q;; A\n\n#x\nQ2;; A2\n\nQ3;; A3 #y", plain) == ["todo", "x", "x"]
    assert homes("---\ntags: [learning, ml]\n---\nQ;; A", plain) == ["learning"]
    assert homes("Q;; A #late", plain) == ["late"]
    assert homes("Q;; A", plain) == ["Vault"]


def test_root_strip_and_depth_apply_last() -> None:
    text = "#flashcards/a/b/c\nQ;; A"
    assert homes(text, with_decks(strip=("flashcards",))) == ["a::b::c"]
    assert homes(text, with_decks(depth=2)) == ["flashcards::a"]
    assert homes(text, with_decks(root="My/Vault")) == ["My::Vault::flashcards::a::b::c"]
    assert homes(text, with_decks(root="R", strip=("flashcards",), depth=1)) == ["R::a"]
    assert homes("#flashcards\nQ;; A", with_decks(strip=("flashcards",))) == ["flashcards"]


@pytest.mark.parametrize("strip", ["a", "flash", "flashcards/ab", "other"])
def test_only_whole_parts_from_the_first_on_are_stripped(strip: str) -> None:
    assert homes("#flashcards/a\nQ;; A", with_decks(strip=(strip,))) == ["flashcards::a"]


def test_anki_gets_eleven_levels_and_is_told() -> None:
    deep = "/".join("abcdefghijklmn")
    document = written.document(f"#flashcards/{deep}\nQ;; A")
    found = extract.flashcards(document, PLUGIN.grammar).flashcards
    (only,), problems = decks.place(document, found, PLUGIN, "Vault")
    assert only.deck.count("::") == 10
    assert written.codes(problems) == [("O701", 2)]


@pytest.mark.parametrize("name", ["Default", "default", "DEFAULT"])
def test_nothing_is_ever_put_into_ankis_own_deck(name: str) -> None:
    document = written.document("Q;; A")
    plain = written.EVERY_DOCUMENT
    found = extract.flashcards(document, plain.grammar).flashcards
    (only,), _ = decks.place(document, found, plain, name)
    assert only.deck.casefold() != "default"


def test_a_flashcard_without_a_deck_is_left_out_unless_reviewed_documents_are_taken() -> None:
    text = "---\ntags: other, flashcards\n---\nQ;; A"
    assert [p.left_out for p in placed(text, PLUGIN)] == ["unreadable-tags"]
    taking = replace(PLUGIN, select=replace(PLUGIN.select, reviewed=True))
    assert homes(text, taking) == ["other"]


# ---------------------------------------------------------------- tags


def tags(text: str, settings: Settings = PLUGIN) -> list[tuple[str, ...]]:
    return [f.tags for f in written.flashcards(text, settings=settings)]


def test_tags_are_the_documents_the_tag_lines_and_its_own() -> None:
    text = (
        "---\ntags: [flashcards, z/y]\n---\nprose #prose\n\n"
        "#flashcards/b #line\n\nQ;; A #own\nQ2;; A2\n\n#flashcards/c\nQ3;; A3"
    )
    assert tags(text) == [
        ("flashcards", "flashcards::b", "line", "own", "z::y"),
        ("flashcards", "flashcards::b", "line", "z::y"),
        ("flashcards", "flashcards::c", "z::y"),
    ]


def test_a_flashcard_never_gets_the_tags_of_another() -> None:
    text = "#flashcards\n\nQ\n?\nA #one\n\nQ2\n?\nA2 #two"
    assert tags(text) == [("flashcards", "one"), ("flashcards", "two")]


# ---------------------------------------------------------------- selection


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("#flashcards\nQ;; A", True),
        ("#flashcards/sub Q;; A", True),
        ("#Flashcards\nQ;; A", False),
        ("#flashcards-extra\nQ;; A", False),
        ("---\ntag: flashcards\n---\n", True),
        ("`#flashcards`", False),
    ],
)
def test_the_plugin_reads_a_document_for_its_flashcard_tag(text: str, read: bool) -> None:
    assert decks.has_topic(written.document(text), PLUGIN.grammar) is read


def test_a_meant_tag_is_recognised_in_any_spelling() -> None:
    grammar = PLUGIN.grammar
    assert decks.mentions_flashcard_tag("#Flashcards\nQ;; A", grammar)
    assert decks.mentions_flashcard_tag("---\ntags: [flashcards\n---\n", grammar)
    assert not decks.mentions_flashcard_tag("my flashcards, in words", grammar)
    assert decks.mentions_flashcard_tag("\n---\ntags: [flashcards]\n---\n", grammar)
    assert decks.mentions_flashcard_tag("---\r\ntags: flashcards\r\n\r\nQ;; A", grammar)
    assert not decks.mentions_flashcard_tag("---\n\nmy flashcards, in words", grammar)
