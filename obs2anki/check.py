"""What is worth telling about documents and flashcards that can be read all the same.

One rule, one function, in a tuple for what it is handed; adding a rule is adding a line.

    <<<<<<< HEAD                      O211, for Git could not merge    of a document
    What makes ATP?::                 O301, for the back is empty      of a document's flashcards
    a::b ^id, and c::d ^id            O305, for a link finds only one  of the same
    Templates/Card.md                 O306, for it is a template       of all documents
    a (conflicted copy).md            O212, for there is a.md as well  of the same
    #Flashcards                       O703, for case matters           of a document left out

`heeded` then takes out what the user does not want to be told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from obs2anki import conflicts, diagnostics, markdown
from obs2anki.data import Diagnostic, Document, Flashcard, FlashcardType, Source, VaultPath
from obs2anki.settings import Check, Grammar, IgnoreIn, Settings

# ---------------------------------------------------------------- of a document


def unresolved_merges(source: Source) -> Iterator[Diagnostic]:
    """Where Git left its conflict marks; those that begin in a code block are an example.

    The marks are seven characters each, as `git merge-file` writes them.
    """
    if _OURS not in source.text:
        return
    lines = markdown.split(source.text)
    visible = {number for number, _ in markdown.outside_code(lines, 0)}
    begun = depth = ended = 0  # a conflict that was committed may stand in another
    parted = False
    for number, line in enumerate(lines, 1):
        if line.startswith(_OURS) and (begun or number in visible):
            if not begun:
                begun, parted = number, False
            depth += 1
        elif line == _BETWEEN:
            parted = True
        elif line.startswith(_THEIRS) and begun and parted:
            depth -= 1
            ended = number
            if not depth:
                yield diagnostics.at("O211", source.path, begun, ended)
                begun = ended = 0
    if ended:
        yield diagnostics.at("O211", source.path, begun, ended)


_OURS, _BETWEEN, _THEIRS = "<<<<<<< ", "=======", ">>>>>>> "


# ---------------------------------------------------------------- of the flashcards of a document


def empty_sides(checked: Iterable[Flashcard]) -> Iterator[Diagnostic]:
    """A question without an answer, or the other way round."""
    for flashcard in checked:
        if flashcard.cloze is None:
            for name, side in zip(_SIDES, flashcard.shown, strict=True):
                if not side[:1].isalnum() and _shows_nothing(side):
                    yield diagnostics.at("O301", flashcard.path, flashcard.line, name)


_SIDES = ("front", "back")

_COMMENT_MARK = re.compile("%%|<!--|-->")
_CLOSING = {"%%": "%%", "<!--": "-->"}


def _shows_nothing(side: str) -> bool:
    """Whether there are but blanks, thematic breaks and comments: a card shows none of them."""
    if markdown.trim(side)[:1] not in ("", "-", "*", "_", "%", "<"):
        return False
    lines = _without_comments(side).split("\n")
    return all(not markdown.trim(line) or markdown.is_break(line) for line in lines)


def _without_comments(text: str) -> str:
    """A text without `%%these%%` and `<!-- these -->`; one that never closes stays."""
    kept: list[str] = []
    start, closing = 0, ""
    for mark in _COMMENT_MARK.finditer(text):
        if not closing and mark[0] in _CLOSING:
            kept.append(text[start : mark.start()])
            start, closing = mark.start(), _CLOSING[mark[0]]
        elif mark[0] == closing:
            start, closing = mark.end(), ""
    return "".join((*kept, text[start:]))


def block_ids_twice(checked: Iterable[Flashcard]) -> Iterator[Diagnostic]:
    """Two flashcards of a document with one block id, whose case Obsidian does not mind."""
    first: dict[str, int] = {}
    for flashcard in checked:
        if flashcard.anchor is not None:
            line = first.setdefault(flashcard.anchor.lower(), flashcard.own_line)
            if line != flashcard.own_line:
                place = (flashcard.path, flashcard.own_line)
                yield diagnostics.at("O305", *place, flashcard.anchor, line)


Rule = Callable[[Sequence[Flashcard]], Iterator[Diagnostic]]
RULES: tuple[Rule, ...] = (empty_sides, block_ids_twice)


def flashcards(checked: Sequence[Flashcard]) -> list[Diagnostic]:
    """What is found in the flashcards of a document, in its order."""
    return [found for rule in RULES for found in rule(checked)]


# ---------------------------------------------------------------- of all documents, in order

_USUAL_NAMES = frozenset({"template", "templates"})

Counted = tuple[VaultPath, int, int]
"""A document, how many flashcards it has, and the line of the first."""


def templates(documents: Iterable[Counted], in_force: Settings) -> Iterator[Diagnostic]:
    """Templates that yield flashcards: one finding for a folder, at the first of them."""
    first: dict[str, tuple[VaultPath, int]] = {}
    count: dict[str, int] = {}
    for path, flashcards, line in documents:
        folder = _template_folder(path, in_force.obsidian.templates)
        if folder:
            first.setdefault(folder, (path, line))
            count[folder] = count.get(folder, 0) + flashcards
    for folder, place in first.items():
        entry = json.dumps(f"{folder}/", ensure_ascii=False)
        yield diagnostics.at("O306", *place, folder, count[folder], entry)


def _template_folder(path: str, known: Sequence[str]) -> str:
    """The folder of templates that a document lies in; empty = it lies in none.

    Where Obsidian's settings name no such folder, its name may.
    """
    if known:
        return next((folder for folder in known if path.startswith(f"{folder}/")), "")
    parts = path.split("/")[:-1]
    for place, part in enumerate(parts):
        if part.strip("_-. 0123456789").casefold() in _USUAL_NAMES:
            return "/".join(parts[: place + 1])
    return ""


def conflict_copies(documents: Iterable[Counted], files: Set[VaultPath]) -> Iterator[Diagnostic]:
    """Copies that a sync service left beside a document, which is one of the vault's `files`."""
    for path, flashcards, line in documents:
        document = conflicts.copied_from(path)
        if document in files:
            yield diagnostics.at("O212", path, line, document, flashcards)


# ---------------------------------------------------------------- what a whole vault says


def same_questions(checked: Iterable[Flashcard]) -> Iterator[Diagnostic]:
    """A question that was asked before: the second card only tells that there is another."""
    first: dict[tuple[bool, str], Flashcard] = {}
    for flashcard in checked:
        question = markdown.normalised(flashcard.shown[0])
        if question:
            before = first.setdefault((flashcard.cloze is None, question), flashcard)
            if before is not flashcard:
                place = f"{before.path}:{before.own_line}"
                yield diagnostics.at("O801", flashcard.path, flashcard.own_line, place)


# ---------------------------------------------------------------- of a document left out


def unreadable_tag(source: Source, document: Document, grammar: Grammar) -> Iterator[Diagnostic]:
    """What is meant for a flashcard tag in a document that has none, as far as is to be seen.

    It has another case, or the frontmatter does not say it: `tags: #flashcards` is a comment.
    """
    wanted = {tag[1:].casefold(): tag for tag in grammar.flashcard_tags if len(tag) > 1}
    inline = ((tag.line, f"#{tag.name}") for tag in document.tags)
    for line, written in (*_frontmatter_words(source.text), *inline):
        name = written.removeprefix("#")
        for folded, tag in wanted.items():
            if f"{name.casefold()}/".startswith(f"{folded}/"):
                meant = tag + name[len(folded) :]
                why = _why_unread(name, meant[1:], written)
                yield diagnostics.at("O703", document.path, line, written, meant, meant[1:], why)
                return


def _why_unread(name: str, meant: str, written: str) -> str:
    """What is wrong with a tag that was meant for another."""
    if name != meant:
        return "upper and lower case differ"
    if written != name:
        return "to YAML, # begins a comment"
    return "a frontmatter begins in line 1 and ends with ---"


_WORD_ENDS = re.compile(r"[\s,;\[\]\"']+")


def _frontmatter_words(text: str) -> Iterator[tuple[int, str]]:
    """Line and words of the keys `tags` and `tag`, in what may be meant for a frontmatter."""
    lines = markdown.split(text)
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if lines[start].strip() != "---":
        return
    of_tags = False
    for number, line in enumerate(lines[start + 1 :], start + 2):
        if line.strip() == "---":
            return
        if line[:1] not in ("", " ", "\t", "-", "#"):
            key, _, line = line.partition(":")
            of_tags = key.strip().lower() in ("tags", "tag")
        if of_tags:
            yield from ((number, word) for word in _WORD_ENDS.split(line) if word not in ("", "-"))


def unselected(
    document: Document, flashcards: Sequence[Flashcard], grammar: Grammar
) -> Iterator[Diagnostic]:
    """Text that would be flashcards if a tag selected its document; highlights are no hint."""
    meant = [one for one in flashcards if one.type is not FlashcardType.CLOZE]
    tag = next((tag for tag in grammar.flashcard_tags if len(tag) > 1), "")
    if meant and tag:
        yield diagnostics.at("O702", document.path, meant[0].own_line, len(meant), tag)


# ---------------------------------------------------------------- what is wanted


def heeded(found: Iterable[Diagnostic], wishes: Check) -> list[Diagnostic]:
    """The findings without those that `[check]` says are not wanted, each once.

    What is embedded twice is found twice.
    """
    nowhere = frozenset(wishes.ignore)
    return [
        one
        for one in dict.fromkeys(found)
        if one.code not in nowhere and not _is_ignored(one, wishes.ignore_in)
    ]


def _is_ignored(found: Diagnostic, entries: Sequence[IgnoreIn]) -> bool:
    paths = [entry.paths for entry in entries if found.code in entry.codes]
    if not paths:
        return False
    from obs2anki import globs

    return globs.ignored_by(found.path, paths)
