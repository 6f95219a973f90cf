"""A vault of everything that Obsidian renders, as Anki's own engine shows its cards."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest

from tests.anki_collection import bring, collection, complaints
from tests.commands import child, ended

# isort: split
from anki.cards import Card

CARDS = 112
VAULT = Path(__file__).parent.parent / "fixtures" / "vaults" / "rendering"

RAW = {
    "emphasis": r"\*\*|\*\w|\w\*|__|\b_\w|\w_\b",
    "a highlight": r"==",
    "strikethrough": r"~~",
    "a wikilink": r"\[\[|\]\]",
    "an embed or an image": r"!\[",
    "a Markdown link": r"\]\(",
    "a comment": r"%%|<!--|-->",
    "a heading": r"^\s*#{1,6}\s",
    "a list": r"^\s*[-*+]\s|^\s*\d+[.)]\s",
    "a task": r"\[[ x/-]\]",
    "a quote": r"^\s*>",
    "a callout": r"\[!",
    "a table": r"^\s*\||\|\s*$|\|-",
    "a thematic break": r"^\s*(?:-{3,}|\*{3,}|_{3,})\s*$",
    "a block id": r"\s\^[a-zA-Z0-9-]+\s*$",
    "a footnote": r"\[\^|\^\[",
    "code": r"`",
    "maths": r"\$\$|\$[^\s$\d]",
    "an escape": r"\\[^\w\s]",
    "a tag or an entity of HTML": r"</?[a-z]|&\w+;",
    "a cloze": r"\{\{|\}\}|;;",
    "a mark of ours": "[\ufdd0-\ufdef]",
}
"""What nobody should see of Markdown outside of code and maths, by lines of text."""

WRITTEN = {
    "Escapes": {"emphasis", "a wikilink", "strikethrough", "a highlight", "a heading", "a quote"},
    "Colons and braces": {"a cloze"},
    "Which address": {"emphasis"},
    "1. A numbered": {"a list"},  # a lone number may be a year
    "Text and a heading": {"a block id"},  # as Obsidian shows a link to one
}
"""What is meant to be seen, by the beginning of the question."""

ASKED: dict[str, tuple[str, ...]] = {
    # The beginning of a cloze's text: what each card asks for.
    "The law is": (r"\(E = mc^2\)", "Einstein"),
    "The fraction": (r"\(\frac{a}{b^{c} }\)", "numerator", "den"),
    r"\[\begin{aligned} a": (r"\frac{1}{b^{c} }", "y"),
    "Name Formula": ("area", r"\pi r^{2}"),
    "In code": ("x", "1"),
    "The capital is": ("Oslo", "the south"),
    "Colons": ("std::vector", "a}} b", "f({})"),
    "A link": ("the text", "part", "x"),
    "An item": ("one", "two"),
    "What is": ("this", "that"),
    "Numbered": ("first again", "second"),
    "Overlapping": ("one three", "two", "one three"),
    "Bold around": ("inside", "across the"),
    "An image": ("", ""),
    "Amounts": ("$5", "$6", "שלום", "😀"),
    "A task": ("to do", "HTML"),
    "הבירה": ("ירושלים",),
}


HIDDEN = {"style", "script", "code", "pre"}
INLINE = {
    *("a", "b", "strong", "em", "i", "u", "mark", "del", "s", "sub", "sup", "span", "kbd", "font"),
    *("code", "small", "audio", "img", "input"),
}
SOUND = re.compile(r"\[(?:anki:play:[qa]:\d+|sound:[^]]+)\]")
MATHS = re.compile(r"\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Shown:
    """A card as Anki renders it: HTML of both sides, and the text of its note's first field."""

    begins: str
    ordinal: int
    question: str
    answer: str


def tree(html: str) -> Element:
    """The document that a browser makes of a card; one that it has to mend is a failure."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    parsed: Element = parser.parseFragment(html)
    for comment in parsed.iter():
        if not isinstance(comment.tag, str):
            comment.text = ""
    return parsed


def text(element: Element) -> str:
    """What a reader sees, code aside, each block in lines of its own."""
    if element.tag in HIDDEN:
        return element.tail or ""
    inner = (element.text or "") + "".join(text(child) for child in element)
    apart = "" if element.tag in INLINE or not isinstance(element.tag, str) else "\n"
    return f"{apart}{inner}{apart}{element.tail or ''}"


def words(html: str) -> str:
    """The text of HTML, in one line."""
    return " ".join(text(tree(html)).split())


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shown, ...]:
    """Every card of the vault, exported, imported and rendered by Anki."""
    folder = tmp_path_factory.mktemp("rendered")
    shutil.copytree(VAULT, folder / "rendering")
    done = ended(child(["export", "rendering", "-o", "deck.apkg"], folder))
    assert done.code == 0, done.err
    with collection(folder) as col:
        bring(col, folder / "deck.apkg")
        assert complaints(col) == ()
        assert len(list(Path(col.media.dir()).iterdir())) == 2
        found = [col.get_card(number) for number in col.find_cards("")]
        return tuple(shown(card) for card in found)


def shown(card: Card) -> Shown:
    output = card.render_output()
    first = re.sub(r"\{\{c[0-9,]+::|::[^{}]*\}\}|\}\}", "", card.note().fields[0])
    return Shown(words(first), card.ord, output.question_text, output.answer_text)


def test_no_template_fails_and_every_card_is_html_without_an_error(
    cards: tuple[Shown, ...],
) -> None:
    assert len(cards) == CARDS
    for card in cards:
        for side in (card.question, card.answer):
            assert "Error" not in side
            assert "template" not in side.lower().replace('class="', "")
            tags = {element.tag for element in tree(side).iter()}
            assert not tags & {"iframe", "object", "form", "svg", "math"}
            assert words(side)


def test_nothing_of_markdown_is_left_outside_of_code_and_maths(cards: tuple[Shown, ...]) -> None:
    for card in cards:
        allowed = next((v for k, v in WRITTEN.items() if card.begins.startswith(k)), set())
        for side in (card.question, card.answer):
            seen = MATHS.sub("maths", text(tree(side)))
            for what, pattern in RAW.items():
                left = re.search(pattern, seen, re.MULTILINE)
                assert left is None or what in allowed, f"{what} in {card.begins}: {seen}"


def test_each_cloze_asks_and_answers_what_its_author_wrote(cards: tuple[Shown, ...]) -> None:
    for begins, answers in ASKED.items():
        clozes = [card for card in cards if card.begins.startswith(begins)]
        assert [card.ordinal for card in clozes] == list(range(len(answers))), begins
        for card, answer in zip(clozes, answers, strict=True):
            told = [text_of(element) for element in clozes_of(card.answer)]
            asked = [text_of(element) for element in clozes_of(card.question)]
            assert all(re.fullmatch(r"\[.+\]", word) for word in asked)
            if asked:
                assert " ".join(told) == answer
                given = (element.get("data-cloze", "") for element in clozes_of(card.question))
                assert " ".join(text_of(tree(html)) for html in given) == answer
            else:  # Anki takes the tags out of maths
                question, answered = text_of(tree(card.question)), text_of(tree(card.answer))
                before, after = re.split(r"(?<!\\)\[[^]]+\]", question)
                assert f"{before}{answer}{after}".replace(" ", "") in answered.replace(" ", "")


def clozes_of(html: str) -> list[Element]:
    """What a card asks for, or answers."""
    return [element for element in tree(html).iter() if element.get("class") == "cloze"]


def text_of(element: Element) -> str:
    """All text in an element, in one line, without what Anki plays."""
    return " ".join(SOUND.sub("", "".join(element.itertext())).split())
