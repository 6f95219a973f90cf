"""What people do to a vault between two exports, each kind as a function.

    SESSIONS["reword"](vault, Editor(author)) -> (the vault after it,)

A session gives the vault at each export that follows. An editor changes about a tenth of the
flashcards; a draft keeps its number for as long as a person would say that it is the same
flashcard, and a flashcard that took another's place has a number of its own.

What nobody could tell is never asked for. A flashcard that is new has a question that none had,
but for a short one such as `Symptoms?` below a heading that had no such question. One that takes
another's place has not its answer: with it, it would be that flashcard with another question. Who
rewords a question leaves names and numbers alone ("reword at random" does not).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from benchmarks.drafts import (
    ADJECTIVES,
    ANSWERS,
    BASIC,
    CLOZE,
    LONG,
    LONG_REVERSED,
    NOUNS,
    ONE_LINE,
    REVERSED,
    Author,
    Draft,
    Heading,
    Manuscript,
    Part,
    Vault,
    draft,
    drafts,
    marked,
    solved,
)

MOST = 0.4
"""At most so many of a question's words are changed when it is reworded."""

BELOW_HEADINGS = ("Symptoms?", "Treatment?", "Causes?")

Fits = Callable[[Draft], bool]
Change = Callable[[Draft], Draft]


@dataclass(slots=True)
class Editor:
    """The author at work: what share of the flashcards a session changes."""

    author: Author
    share: float = 0.1
    asked: set[tuple[str, str]] = field(default_factory=set)
    """Each heading with a question that stood below it."""

    def some(self, vault: Vault, fits: Fits = lambda one: True) -> frozenset[int]:
        """The numbers of the flashcards to change: a share of those that fit, at least one."""
        numbers = [one.number for one in drafts(vault) if fits(one)]
        count = min(len(numbers), max(1, round(len(numbers) * self.share)))
        return frozenset(self.author.random.sample(numbers, k=count))

    def documents(self, vault: Vault) -> frozenset[int]:
        """The numbers of the documents to change: a share of all, at least one."""
        numbers = [manuscript.number for manuscript in vault]
        count = max(1, round(len(numbers) * self.share))
        return frozenset(self.author.random.sample(numbers, k=count))

    def draft(self, manuscript: Manuscript, place: int) -> Draft:
        """A new flashcard that fits into a place of a document."""
        subject = manuscript.tag.rpartition("/")[2]
        above = _heading(manuscript.parts[:place])
        for _ in range(1000):
            known = {question for question, _ in self.author.written}
            one = draft(self.author, subject)
            if one.question in BELOW_HEADINGS:
                known = {question for heading, question in self.asked if heading == above}
            if one.question not in known:
                self.asked.add((above, one.question))
                return one
        raise AssertionError(f"{subject} has nothing new to ask")

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.author.random.random() < share


def _heading(parts: Sequence[Part]) -> str:
    """The last heading."""
    return next((part.text for part in reversed(parts) if isinstance(part, Heading)), "")


Edit = Callable[[Vault, Editor], Vault]
Session = Callable[[Vault, Editor], tuple[Vault, ...]]


def _each(vault: Vault, chosen: Iterable[int], change: Change) -> Vault:
    """The vault with the chosen flashcards changed."""
    wanted = frozenset(chosen)
    return tuple(
        replace(
            manuscript,
            parts=tuple(
                change(part) if isinstance(part, Draft) and part.number in wanted else part
                for part in manuscript.parts
            ),
        )
        for manuscript in vault
    )


def _without(vault: Vault, chosen: Iterable[int]) -> Vault:
    """The vault without the chosen flashcards."""
    left = frozenset(chosen)
    return tuple(
        replace(
            manuscript,
            parts=tuple(
                part
                for part in manuscript.parts
                if not (isinstance(part, Draft) and part.number in left)
            ),
        )
        for manuscript in vault
    )


# ---------------------------------------------------------------- words

TOKEN = re.compile(r"==[^=]+==\S*|`[^`]+`\S*|\S+")

ALIKE = {
    "what": "which",
    "which": "what",
    "when": "at what time",
    "did": "has",
    "year": "calendar year",
    "capital": "seat of government",
    "largest": "biggest",
    "city": "town",
    "define": "definition of",
    "explain": "say",
    "why": "for what reason",
    "symptoms?": "signs?",
    "treatment?": "therapy?",
    "causes?": "reasons?",
    "origin": "proximal attachment",
    "insertion": "distal attachment",
    "regulate?": "govern?",
    "requirements": "preconditions",
    "member": "part",
    "show": "write",
    "the": "this",
    "is": "would be",
    "a": "some",
    "every": "each",
    "how": "about how",
    "regulates": "controls",
    "limits": "bounds",
    "joins": "connects",
}
FILLERS = ("exactly", "usually", "again", "(roughly)", "in short", "today", "first", "mostly")


def _reworded(text: str, author: Author, most: float = MOST, careful: bool = True) -> str:
    """A question with up to `most` of its words changed, the marks of a cloze left alone.

    The last line stands for a question of several lines. Who is careful changes no name and no
    number. A question too short for that gets a word more.
    """
    *above, line = text.split("\n")
    words = TOKEN.findall(line)
    budget = int(len(words) * most)
    for _ in range(author.random.randint(1, budget) if budget else 0):
        words = _one_word_changed(words, author, careful)
    result = "\n".join((*above, " ".join(words)))
    return result if result != text else f"{text} {author.one(FILLERS)}"


def _one_word_changed(words: list[str], author: Author, careful: bool) -> list[str]:
    """A word replaced, inserted, deleted or put elsewhere."""
    free = [place for place, word in enumerate(words) if not word.startswith("==")]
    kind = author.random.choice(("replace", "replace", "insert", "delete", "shift"))
    if kind != "shift" and careful:
        free = [place for place in free if not _is_name(words[place], place)]
    if kind == "insert" or len(free) < 2:
        place = author.random.randrange(1, len(words) + 1)
        return [*words[:place], author.one(FILLERS), *words[place:]]
    place = author.random.choice(free)
    word, rest = words[place], [*words[:place], *words[place + 1 :]]
    if kind == "delete" and len(words) > 3:
        return rest
    if kind == "shift":
        rest.insert(author.random.randrange(len(rest) + 1), word)
        return rest
    other = ALIKE.get(word.lower(), author.one((*NOUNS, *ADJECTIVES)))
    return [*words[:place], other if word.islower() else other.capitalize(), *words[place + 1 :]]


def _is_name(word: str, place: int) -> bool:
    """Whether a word is a name, a number or a piece of code."""
    return bool(re.search(r"[\d`]", word)) or (place > 0 and word[0].isupper())


def _mistyped(text: str, author: Author) -> str:
    """A text with two letters swapped, or one doubled, dropped or taken for its neighbour."""
    places = [
        match.start() + offset
        for match in re.finditer(r"[^\W\d_]{3,}", text)
        for offset in range(1, len(match[0]) - 1)
    ]
    if not places:
        return text
    at = author.random.choice(places)
    wrong = author.random.choice(
        (text[at + 1] + text[at], text[at] * 2 + text[at + 1], text[at + 1], "e" + text[at + 1])
    )
    return text[:at] + wrong + text[at + 2 :]


def _same_case_or_marks(text: str, author: Author) -> str:
    """A text with other punctuation or other capitals."""
    changes: tuple[Callable[[str], str], ...] = (
        lambda t: t.rstrip("?.") if t.rstrip("?.") not in ("", t) else f"{t}.",
        lambda t: f"{t.rstrip('?.')} —",
        lambda t: t[0].swapcase() + t[1:],
        lambda t: t.upper() if len(t) < 40 and "==" not in t else f"{t} !",
        lambda t: t.replace(" ", ", ", 1),
        lambda t: f"**{t}**" if "\n" not in t and "==" not in t else f"{t} ...",
        lambda t: t.replace(" the ", " *the* ", 1),
    )
    changed = author.random.choice(changes)(text)
    return changed if changed != text else f"{text}!"


def _answer_touched(text: str, author: Author) -> str:
    """An answer a little different: a word more, a word fewer, a slip of the pen."""
    if "```" in text:
        return text.replace("mean", "average") if "mean" in text else text.replace("[1, 2", "[4, 2")
    first, *rest = text.split("\n")
    words = first.split(" ")
    kind = author.random.choice(("more", "fewer", "slip"))
    if kind == "fewer" and len(words) > 4:
        del words[author.random.randrange(1, len(words))]
    elif kind == "slip" and (wrong := _mistyped(first, author)) != first:
        words = [wrong]
    else:
        words.append(author.one(FILLERS))
    return "\n".join((" ".join(words), *rest))


# ---------------------------------------------------------------- texts


def reword(vault: Vault, editor: Editor) -> Vault:
    """Change up to 40 % of the words of questions."""
    author = editor.author
    return _each(
        vault,
        editor.some(vault),
        lambda one: replace(one, question=_reworded(one.question, author)),
    )


def reword_at_random(vault: Vault, editor: Editor) -> Vault:
    """Change up to 40 % of the words of questions, whatever words they are."""
    author = editor.author
    return _each(
        vault,
        editor.some(vault),
        lambda one: replace(one, question=_reworded(one.question, author, careful=False)),
    )


def ask_anew(vault: Vault, editor: Editor) -> Vault:
    """Ask for the same answer in wholly other words; it is no answer to just anything."""
    author = editor.author
    chosen = editor.some(vault, lambda one: one.type is not CLOZE and len(one.answer) > 4)
    return _each(vault, chosen, lambda one: replace(one, question=f"{author.sentence()}?"))


def learn_anew(vault: Vault, editor: Editor) -> Vault:
    """Reword questions, and delete the reviews below them."""
    author = editor.author
    return _each(
        vault,
        editor.some(vault, lambda one: one.type is not CLOZE),
        lambda one: replace(one, question=_reworded(one.question, author), reviews=()),
    )


def rewrite_answer(vault: Vault, editor: Editor) -> Vault:
    """Write other answers to the same questions; now and then one that others have too."""
    author = editor.author

    def change(one: Draft) -> Draft:
        answer = author.sentence() + "."
        if one.type in ONE_LINE and editor.chance(0.3):
            answer = author.random.choice((*ANSWERS, author.term(), author.name()))
        return replace(one, answer=answer)

    return _each(vault, editor.some(vault, lambda one: one.type is not CLOZE), change)


def touch_both(vault: Vault, editor: Editor) -> Vault:
    """Change question and answer a little."""
    author = editor.author

    def change(one: Draft) -> Draft:
        return replace(
            one,
            question=_reworded(one.question, author, 0.2),
            answer=_answer_touched(one.answer, author),
        )

    return _each(vault, editor.some(vault, lambda one: one.type is not CLOZE), change)


def slips(vault: Vault, editor: Editor) -> Vault:
    """Mistype something in the question, the answer, or both."""
    author = editor.author

    def change(one: Draft) -> Draft:
        if one.type is CLOZE:
            return replace(one, question=_mistyped(one.question, author))
        where = author.one(("question", "question", "answer", "both"))
        if where != "answer":
            one = replace(one, question=_mistyped(one.question, author))
        if where != "question":
            one = replace(one, answer=_mistyped(one.answer, author))
        return one

    return _each(vault, editor.some(vault), change)


def punctuate(vault: Vault, editor: Editor) -> Vault:
    """Change punctuation, emphasis and capitals."""
    author = editor.author

    def change(one: Draft) -> Draft:
        if one.type is CLOZE or editor.chance(0.7):
            return replace(one, question=_same_case_or_marks(one.question, author))
        if "```" in one.answer:
            return one
        return replace(one, answer=_same_case_or_marks(one.answer, author))

    return _each(vault, editor.some(vault), change)


def replace_everywhere(vault: Vault, editor: Editor) -> Vault:
    """Search and replace a phrase in every question of the vault."""
    old, new = editor.author.random.choice(
        (("What is", "What's"), ("the", "our"), ("Symptoms", "Signs"), ("of", "for"), ("BGB", "CC"))
    )
    everyone = [one.number for one in drafts(vault)]
    pattern = re.compile(rf"\b{old}\b")
    return _each(vault, everyone, lambda one: replace(one, question=pattern.sub(new, one.question)))


def swap_answers(vault: Vault, editor: Editor) -> Vault:
    """Put right two answers of a document that stood at each other's questions."""
    random = editor.author.random
    other: dict[int, str] = {}
    for manuscript in vault:
        basic = [one for one in manuscript.drafts if one.type is BASIC]
        for _ in range(round(len(basic) * editor.share / 2)):
            first, second = random.sample(basic, k=2)
            if first.question != second.question and not {first.number, second.number} & set(other):
                other[first.number], other[second.number] = second.answer, first.answer
    return _each(vault, other, lambda one: replace(one, answer=other[one.number]))


# ---------------------------------------------------------------- places


def reorder(vault: Vault, editor: Editor) -> Vault:
    """Put flashcards elsewhere in their document."""
    chosen = editor.some(vault)
    random = editor.author.random

    def shuffled(manuscript: Manuscript) -> Manuscript:
        moving = [one for one in manuscript.drafts if one.number in chosen]
        parts = [p for p in manuscript.parts if p not in moving]
        for one in moving:
            parts.insert(random.randrange(1, len(parts) + 1), one)
        return replace(manuscript, parts=tuple(parts))

    return tuple(shuffled(manuscript) for manuscript in vault)


def turn_around(vault: Vault, editor: Editor) -> Vault:
    """Sort whole documents anew: the last flashcard first."""
    chosen = editor.documents(vault)
    return tuple(
        replace(m, parts=(m.parts[0], *reversed(m.parts[1:]))) if m.number in chosen else m
        for m in vault
    )


def move(vault: Vault, editor: Editor) -> Vault:
    """Move flashcards to other documents."""
    chosen = editor.some(vault)
    moving = [one for one in drafts(vault) if one.number in chosen]
    documents = list(_without(vault, chosen))
    for one in moving:
        _insert_anywhere(documents, one, editor)
    return tuple(documents)


def _insert_anywhere(documents: list[Manuscript], one: Draft, editor: Editor) -> None:
    random = editor.author.random
    index = random.randrange(len(documents))
    parts = documents[index].parts
    place = random.randrange(1, len(parts) + 1) if parts else 0
    documents[index] = replace(documents[index], parts=(*parts[:place], one, *parts[place:]))


def rename(vault: Vault, editor: Editor) -> Vault:
    """Rename documents, half of them into another folder."""
    chosen = editor.documents(vault)

    def change(manuscript: Manuscript) -> Manuscript:
        folder, _, name = manuscript.path.rpartition("/")
        if editor.chance(0.5):
            folder = f"{editor.author.name()} {manuscript.number}"
        if not folder or editor.chance(0.6):
            name = f"{editor.author.name()} {manuscript.number}.md"
        return replace(manuscript, path=f"{folder}/{name}".lstrip("/"))

    return tuple(change(m) if m.number in chosen else m for m in vault)


def rename_folders(vault: Vault, editor: Editor) -> Vault:
    """Put half of the vault into a new folder."""
    new = editor.author.name()
    return tuple(replace(m, path=f"{new}/{m.path}") if editor.chance(0.5) else m for m in vault)


def rename_and_reword(vault: Vault, editor: Editor) -> Vault:
    """Rename documents, and reword a few questions in these very documents."""
    renamed = rename(vault, editor)
    before = {manuscript.path for manuscript in vault}
    inside = {one.number for m in renamed if m.path not in before for one in m.drafts}
    chosen = [number for number in sorted(inside) if editor.chance(0.2)]
    author = editor.author
    return _each(
        renamed, chosen, lambda one: replace(one, question=_reworded(one.question, author))
    )


def swap_names(vault: Vault, editor: Editor) -> Vault:
    """Let two documents change names."""
    documents = list(vault)
    for _ in range(max(1, round(len(documents) * editor.share / 2))):
        a, b = editor.author.random.sample(range(len(documents)), k=2)
        first, second = documents[a], documents[b]
        documents[a] = replace(first, path=second.path)
        documents[b] = replace(second, path=first.path)
    return tuple(documents)


def split(vault: Vault, editor: Editor) -> Vault:
    """Cut documents in two; the new one sorts before or behind."""
    chosen = editor.documents(vault)
    result: list[Manuscript] = []
    for manuscript in vault:
        parts = manuscript.parts
        if manuscript.number not in chosen or len(parts) < 4:
            result.append(manuscript)
            continue
        cut = editor.author.random.randrange(2, len(parts) - 1)
        stem = manuscript.path.removesuffix(".md")
        number = editor.author.number()
        path = editor.author.one(
            (f"{stem} continued {number}.md", f"{editor.author.name()} {number}.md")
        )
        result.append(replace(manuscript, parts=parts[:cut]))
        result.append(
            Manuscript(number, path, (Heading(1, "Continued"), *parts[cut:]), manuscript.tag)
        )
    return tuple(result)


def merge(vault: Vault, editor: Editor) -> Vault:
    """Append documents to others, and delete them."""
    chosen = editor.documents(vault)
    staying = [manuscript for manuscript in vault if manuscript.number not in chosen]
    for manuscript in vault:
        if manuscript.number in chosen:
            index = editor.author.random.randrange(len(staying))
            both = (*staying[index].parts, *manuscript.parts)
            staying[index] = replace(staying[index], parts=both)
    return tuple(staying)


def rename_headings(vault: Vault, editor: Editor) -> Vault:
    """Rename headings, or change their level."""

    def change(part: Part) -> Part:
        if not isinstance(part, Heading) or part.level == 1 or not editor.chance(editor.share * 2):
            return part
        text = editor.author.term().capitalize() if editor.chance(0.7) else part.text
        return Heading(5 - part.level, text)

    return tuple(replace(m, parts=tuple(map(change, m.parts))) for m in vault)


# ---------------------------------------------------------------- forms


def change_type(vault: Vault, editor: Editor) -> Vault:
    """One line to several and back, one direction to both and back."""
    random = editor.author.random

    def change(one: Draft) -> Draft:
        to = [BASIC, REVERSED, LONG, LONG_REVERSED]
        if "\n" in one.answer or "\n" in one.question:
            to = [LONG, LONG_REVERSED]
        to.remove(one.type)
        return replace(one, type=random.choice(to), bullet=False, tight=False, same_line=False)

    return _each(vault, editor.some(vault, lambda one: one.type is not CLOZE), change)


def make_item(vault: Vault, editor: Editor) -> Vault:
    """Make list items of lines, and lines of list items."""
    chosen = editor.some(vault, lambda one: one.type in ONE_LINE)
    return _each(vault, chosen, lambda one: replace(one, bullet=not one.bullet))


def add_tag(vault: Vault, editor: Editor) -> Vault:
    """Add a tag in front, or take it away."""
    return _each(
        vault,
        editor.some(vault),
        lambda one: replace(one, tag="" if one.tag else f"flashcards/{editor.author.one(NOUNS)}"),
    )


def add_block_id(vault: Vault, editor: Editor) -> Vault:
    """Add a block id, or take it away."""
    return _each(
        vault,
        editor.some(vault),
        lambda one: replace(
            one,
            block_id="" if one.block_id else f"{editor.author.random.randrange(16**6):06x}",
        ),
    )


def reword_with_block_id(vault: Vault, editor: Editor) -> Vault:
    """Rewrite both sides wholly of flashcards that have a block id."""
    author = editor.author

    def change(one: Draft) -> Draft:
        return replace(one, question=f"{author.sentence()}?", answer=author.sentence())

    has = editor.some(vault, lambda one: bool(one.block_id) and one.type in ONE_LINE)
    return _each(vault, has, change)


def add_cloze(vault: Vault, editor: Editor) -> Vault:
    """Mark another word of a cloze."""
    random = editor.author.random

    def change(one: Draft) -> Draft:
        words = TOKEN.findall(one.question)
        free = [place for place, word in enumerate(words) if not word.startswith("==")]
        if not free:
            return one
        place = random.choice(free)
        numbers = [int(n) for n in re.findall(r"==(\d+);;", one.question)]
        words[place] = f"=={f'{max(numbers) + 1};;' if numbers else ''}{words[place]}=="
        return replace(one, question=" ".join(words))

    return _each(vault, editor.some(vault, lambda one: one.type is CLOZE), change)


def remove_cloze(vault: Vault, editor: Editor) -> Vault:
    """Take the marks off one of several marked words."""
    random = editor.author.random

    def change(one: Draft) -> Draft:
        words = TOKEN.findall(one.question)
        place = random.choice([p for p, word in enumerate(words) if word.startswith("==")])
        words[place] = solved(words[place])
        return replace(one, question=" ".join(words))

    several = editor.some(vault, lambda one: one.type is CLOZE and len(marked(one.question)) > 1)
    return _each(vault, several, change)


def basic_to_cloze(vault: Vault, editor: Editor) -> Vault:
    """Make a cloze of a question and its answer: another notetype, so another flashcard."""

    def change(one: Draft) -> Draft:
        text = f"{one.question.rstrip('?')} =={one.answer}=="
        return Draft(editor.author.number(), CLOZE, text, "", one.reviews, one.tag, one.block_id)

    def fits(one: Draft) -> bool:
        return one.type is BASIC and "=" not in one.answer and "`" not in one.question

    return _each(vault, editor.some(vault, fits), change)


def review_all(vault: Vault, editor: Editor) -> Vault:
    """Learn for a month: every review is another, and half of the new flashcards have one."""
    return _each(
        vault,
        [one.number for one in drafts(vault)],
        lambda one: editor.author.reviewed(one) if one.reviews or editor.chance(0.5) else one,
    )


def review_and_reword(vault: Vault, editor: Editor) -> Vault:
    """Learn for a month, and reword a few questions."""
    return reword(review_all(vault, editor), editor)


# ---------------------------------------------------------------- more and fewer


def _copied(one: Draft, editor: Editor) -> Draft:
    """A copy, with its review or without."""
    reviews = one.reviews if editor.chance(0.3) else ()
    return replace(one, number=editor.author.number(), reviews=reviews)


def copy_above(vault: Vault, editor: Editor) -> Vault:
    """Insert an exact copy directly above its original."""
    chosen = editor.some(vault)
    return tuple(
        replace(
            manuscript,
            parts=tuple(
                made
                for part in manuscript.parts
                for made in (
                    (_copied(part, editor), part)
                    if isinstance(part, Draft) and part.number in chosen
                    else (part,)
                )
            ),
        )
        for manuscript in vault
    )


def copy_further_above(vault: Vault, editor: Editor) -> Vault:
    """Insert an exact copy somewhere above its original in the document."""
    random = editor.author.random
    chosen = editor.some(vault)

    def change(manuscript: Manuscript) -> Manuscript:
        parts = list(manuscript.parts)
        for one in manuscript.drafts:
            if one.number in chosen:
                # Only what stands above a flashcard in between is further above.
                limit = next(
                    (i for i in range(parts.index(one) - 1, 0, -1) if isinstance(parts[i], Draft)),
                    None,
                )
                if limit is not None:
                    parts.insert(random.randint(1, limit), _copied(one, editor))
        return replace(manuscript, parts=tuple(parts))

    return tuple(change(manuscript) for manuscript in vault)


def copy_to_earlier_document(vault: Vault, editor: Editor) -> Vault:
    """Insert exact copies in a document that sorts before all others."""
    chosen = editor.some(vault)
    copies = [_copied(one, editor) for one in drafts(vault) if one.number in chosen]
    parts: tuple[Part, ...] = (Heading(1, "Favourites"), *copies)
    return (*vault, Manuscript(editor.author.number(), "00 Favourites.md", parts, "flashcards"))


def _renumbered(part: Part, editor: Editor) -> Part:
    return replace(part, number=editor.author.number()) if isinstance(part, Draft) else part


def copy_documents(vault: Vault, editor: Editor) -> Vault:
    """Copy whole documents: the copy sorts before or behind its original."""
    chosen = editor.documents(vault)
    copies = [
        _copy(manuscript, f"{editor.author.one(('00 ', 'zz '))}{name}", editor)
        for manuscript in vault
        if manuscript.number in chosen
        for name in (manuscript.path.replace("/", " "),)
    ]
    return (*vault, *copies)


def _copy(manuscript: Manuscript, path: str, editor: Editor) -> Manuscript:
    """The same document under another name; its flashcards are others."""
    parts = tuple(_renumbered(part, editor) for part in manuscript.parts)
    return Manuscript(editor.author.number(), path, parts, manuscript.tag)


def _instead(one: Draft, manuscript: Manuscript, editor: Editor) -> Draft:
    """A different flashcard of the same subject, which often looks alike."""
    place = manuscript.parts.index(one)
    while True:
        other = editor.draft(manuscript, place)
        if other.sides[1] != one.sides[1]:
            return other


def _replaced(vault: Vault, editor: Editor, change: Callable[[Draft, Draft], Draft]) -> Vault:
    """The vault with some flashcards replaced by what `change` makes of old and new."""
    chosen = editor.some(vault)
    return tuple(
        replace(
            manuscript,
            parts=tuple(
                change(part, _instead(part, manuscript, editor))
                if isinstance(part, Draft) and part.number in chosen
                else part
                for part in manuscript.parts
            ),
        )
        for manuscript in vault
    )


def replace_some(vault: Vault, editor: Editor) -> Vault:
    """Put different flashcards in the place of others, reviewed or not."""
    return _replaced(vault, editor, lambda old, new: replace(new, reviews=()))


def replace_below_review(vault: Vault, editor: Editor) -> Vault:
    """Write different flashcards over others, and leave the review of the old one standing."""

    def change(old: Draft, new: Draft) -> Draft:
        return replace(new, reviews=old.reviews, tag=old.tag, block_id="")

    return _replaced(vault, editor, change)


def delete(vault: Vault, editor: Editor) -> Vault:
    """Delete flashcards."""
    return _without(vault, editor.some(vault))


def add(vault: Vault, editor: Editor) -> Vault:
    """Write new flashcards, which often look like old ones."""
    documents = list(vault)
    count = round(sum(1 for _ in drafts(vault)) * editor.share)
    for _ in range(count):
        index = editor.author.random.randrange(len(documents))
        m = documents[index]
        place = editor.author.random.randrange(1, len(m.parts) + 1) if m.parts else 0
        one = replace(editor.draft(m, place), reviews=())
        documents[index] = replace(m, parts=(*m.parts[:place], one, *m.parts[place:]))
    return tuple(documents)


def delete_and_add(vault: Vault, editor: Editor) -> Vault:
    """Delete flashcards, and write new ones elsewhere."""
    return add(delete(vault, editor), editor)


def delete_and_reword(vault: Vault, editor: Editor) -> Vault:
    """Delete flashcards, and reword others."""
    return reword(delete(vault, editor), editor)


# ---------------------------------------------------------------- sessions of several exports


def cut_and_paste(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Cut flashcards, export, and paste them back where they were."""
    return _without(vault, editor.some(vault)), vault


def cut_and_paste_elsewhere(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Cut flashcards, export, and paste them into other documents."""
    chosen = editor.some(vault)
    gone = _without(vault, chosen)
    documents = list(gone)
    for one in drafts(vault):
        if one.number in chosen:
            _insert_anywhere(documents, one, editor)
    return gone, tuple(documents)


def delete_then_add(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Delete flashcards, export, and write new ones, which often look like them."""
    fewer = delete(vault, editor)
    return fewer, add(fewer, editor)


def _after_a_cut(edit: Edit) -> Session:
    """Export without the flashcards that an edit changes, and then with them as it leaves them."""

    def session(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
        after = edit(vault, editor)
        return _without(vault, _edited(vault, after)), after

    return session


def _while_away(edit: Edit) -> Session:
    """Export without the documents in which an edit changes something, and then with them."""

    def session(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
        after = edit(vault, editor)
        changed = _edited(vault, after)
        rest = (m for m in vault if not any(one.number in changed for one in m.drafts))
        return tuple(rest), after

    return session


def _with_conflict(edit: Edit, arrives: bool) -> Session:
    """Export with a copy of each document that was edited, as another computer has it.

    The edits are in the document itself, or, if they have just arrived, in the copy. Then they
    are in the document, and the copy is no more.
    """

    def session(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
        after = edit(vault, editor)
        changed = _edited(vault, after)
        here, there = (vault, after) if arrives else (after, vault)
        copies = (
            _copy(manuscript, _as_conflict(manuscript.path, editor), editor)
            for manuscript in there
            if any(one.number in changed for one in manuscript.drafts)
        )
        return (*here, *copies), after

    return session


def _as_conflict(path: str, editor: Editor) -> str:
    """What Syncthing calls such a copy, or Dropbox, which sorts before the document."""
    name = path.removesuffix(".md")
    marks = (".sync-conflict-20240412-101112-ABCDEFG", " (laptop's conflicted copy 2024-04-12)")
    return f"{name}{editor.author.one(marks)}.md"


def _edited(before: Vault, after: Vault) -> frozenset[int]:
    """The flashcards that are not as they were, or not there any more."""
    left = {one.number: one for one in drafts(after)}
    return frozenset(one.number for one in drafts(before) if left.get(one.number) != one)


def another_branch(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Export without some documents and with other texts, then as before."""
    chosen = editor.documents(vault)
    fewer = tuple(m for m in vault if m.number not in chosen)
    return reword(add(fewer, editor), editor), vault


def reword_and_undo(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Reword questions, export, and undo it."""
    return reword(vault, editor), vault


def reword_again(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Reword questions in each of three sessions."""
    first = reword(vault, editor)
    second = reword(first, editor)
    return first, second, reword(second, editor)


def rename_pictures(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Ask for what is seen in pictures, and let a program rename every file."""
    author, count = editor.author, round(sum(1 for _ in drafts(vault)) * editor.share)
    album: tuple[Part, ...] = (Heading(1, "Pictures"), *(_picture(author) for _ in range(count)))
    pictured = (*vault, Manuscript(author.number(), "Pictures.md", album, "flashcards"))
    numbers = [one.number for one in drafts(pictured)]
    return pictured, _each(pictured, numbers, _file_renamed)


def rename_pictures_and_more(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Delete some of the pictures as well, and ask something else about others."""
    pictured, renamed = rename_pictures(vault, editor)
    author, album = editor.author, renamed[-1]
    chosen = author.random.sample(album.drafts, k=len(album.drafts) // 10)
    left = {_without_picture(one) for one in chosen}
    parts = [part for part in album.parts if part not in chosen]
    others = (_picture(author) for _ in chosen)
    for one in (other for other in others if _without_picture(other) not in left):
        parts.insert(author.random.randrange(1, len(parts) + 1), one)
    return pictured, (*renamed[:-1], replace(album, parts=tuple(parts)))


def _without_picture(one: Draft) -> tuple[str, str]:
    return one.question.partition("![[")[0], one.answer


def _picture(author: Author) -> Draft:
    """A question about a picture, whose answer is short."""
    question = author.one(("", "What is this? ", "Is this malignant? ", "Which year is this? "))
    picture = f"![[Pasted image {author.random.randrange(10**9):09}.png]]"
    answer = author.random.choice((*ANSWERS, author.name(), author.name(), author.term()))
    return Draft(author.number(), BASIC, question + picture, answer)


def _file_renamed(one: Draft) -> Draft:
    def other(match: re.Match[str]) -> str:
        return hashlib.md5(match[0].encode(), usedforsecurity=False).hexdigest()

    return replace(one, question=re.sub(r"Pasted image \d+", other, one.question))


def _and_reworded(edit: Edit) -> Session:
    """Put flashcards into other documents, and reword a few of them before the next export."""

    def session(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
        before = {
            one.number: manuscript.number for manuscript in vault for one in manuscript.drafts
        }
        after = edit(vault, editor)
        elsewhere = {
            one.number
            for manuscript in after
            for one in manuscript.drafts
            if before[one.number] != manuscript.number
        }
        few = editor.author.random.sample(sorted(elsewhere), k=-(-len(elsewhere) // 3))
        author = editor.author
        return (
            _each(after, few, lambda one: replace(one, question=_reworded(one.question, author))),
        )

    return session


def five_at_once(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Five random kinds of edits before the next export."""
    for edit in editor.author.random.sample(tuple(EDITS.values()), k=5):
        vault = edit(vault, editor)
    return (vault,)


def five_in_turn(vault: Vault, editor: Editor) -> tuple[Vault, ...]:
    """Five random kinds of edits with an export after each."""
    states: list[Vault] = []
    for edit in editor.author.random.sample(tuple(EDITS.values()), k=5):
        vault = edit(vault, editor)
        states.append(vault)
    return tuple(states)


# ---------------------------------------------------------------- all of them

EDITS: dict[str, Edit] = {
    "reword": reword,
    "reword at random": reword_at_random,
    "rewrite the answer": rewrite_answer,
    "both a little": touch_both,
    "typing slips": slips,
    "punctuation and case": punctuate,
    "search and replace": replace_everywhere,
    "swap two answers": swap_answers,
    "reorder": reorder,
    "turn documents around": turn_around,
    "move": move,
    "rename documents": rename,
    "rename folders": rename_folders,
    "rename and reword": rename_and_reword,
    "swap names": swap_names,
    "split documents": split,
    "merge documents": merge,
    "rename headings": rename_headings,
    "change type": change_type,
    "list item": make_item,
    "tag": add_tag,
    "block id": add_block_id,
    "rewrite with block id": reword_with_block_id,
    "add a cloze": add_cloze,
    "remove a cloze": remove_cloze,
    "basic to cloze": basic_to_cloze,
    "review": review_all,
    "review and reword": review_and_reword,
    "copy directly above": copy_above,
    "copy further above": copy_further_above,
    "copy to earlier document": copy_to_earlier_document,
    "copy documents": copy_documents,
    "replace": replace_some,
    "replace, keep review": replace_below_review,
    "delete": delete,
    "add": add,
    "delete and add": delete_and_add,
    "delete and reword": delete_and_reword,
}
"""What happens between one export and the next."""


def _as_session(edit: Edit) -> Session:
    return lambda vault, editor: (edit(vault, editor),)


SESSIONS: dict[str, Session] = {
    **{kind: _as_session(edit) for kind, edit in EDITS.items()},
    "ask anew": _as_session(ask_anew),
    "learn anew": _as_session(learn_anew),
    "cut and paste back": cut_and_paste,
    "cut and paste elsewhere": cut_and_paste_elsewhere,
    "another branch and back": another_branch,
    "cut, reword and paste": _after_a_cut(reword),
    "cut, touch both and paste": _after_a_cut(touch_both),
    "cut, ask anew and paste": _after_a_cut(ask_anew),
    "cut, rewrite with block id": _after_a_cut(reword_with_block_id),
    "cut, and write others": _after_a_cut(replace_some),
    "delete, then add": delete_then_add,
    "away and back, reworded": _while_away(reword),
    "away and back, renamed": _while_away(rename_and_reword),
    "conflict, reworded here": _with_conflict(reword, arrives=False),
    "conflict, reworded there": _with_conflict(reword, arrives=True),
    "conflict, touched both here": _with_conflict(touch_both, arrives=False),
    "conflict, touched both there": _with_conflict(touch_both, arrives=True),
    "reword and undo": reword_and_undo,
    "reword three times": reword_again,
    "rename pictures": rename_pictures,
    "rename pictures and more": rename_pictures_and_more,
    "move and reword": _and_reworded(move),
    "split and reword": _and_reworded(split),
    "merge and reword": _and_reworded(merge),
    "five in turn": five_in_turn,
    "five at once": five_at_once,
}
"""Every kind, as the vaults at the exports that follow."""


def after(kind: str, vault: Vault, author: Author, share: float = 0.1) -> Sequence[Vault]:
    """The vault at each export that follows a session of this kind."""
    asked = {
        (_heading(manuscript.parts[:place]), part.question)
        for manuscript in vault
        for place, part in enumerate(manuscript.parts)
        if isinstance(part, Draft)
    }
    return SESSIONS[kind](vault, Editor(author, share, asked))
