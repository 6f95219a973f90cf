"""A vault as its author has it in mind: every flashcard carries a number that no text shows.

    Draft(7, SINGLE_LINE_BASIC, "What is the capital of Norway?", "Oslo")

`vault` makes one up, `render` writes its documents as Markdown, `extracted` reads them with
obs2anki and hands each flashcard back beside its draft. So whoever edits a vault knows which
flashcard is which afterwards, and obs2anki cannot.

Much of what people write to learn it looks alike: questions of one template that differ by a
word, the same short question below each heading, an answer that many flashcards share.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import lru_cache
from random import Random

from obs2anki import decks, extract, markdown
from obs2anki.data import Flashcard, FlashcardType, Source, VaultPath
from obs2anki.settings import Grammar, Settings
from obs2anki.vault import order

PLUGIN = Settings()
"""The plugin's own defaults: `::`, `:::`, numbered clozes, documents tagged #flashcards."""

PLAIN = Settings(
    plugin=False,
    grammar=Grammar(single_line=";;", single_line_reversed=";;;", flashcard_tags=()),
)
"""No plugin: `;;`, `;;;`, highlights are clozes, tags are not needed."""

BASIC = FlashcardType.SINGLE_LINE_BASIC
REVERSED = FlashcardType.SINGLE_LINE_REVERSED
LONG = FlashcardType.MULTI_LINE_BASIC
LONG_REVERSED = FlashcardType.MULTI_LINE_REVERSED
CLOZE = FlashcardType.CLOZE
ONE_LINE = (BASIC, REVERSED)


# ---------------------------------------------------------------- what is in the author's mind


@dataclass(frozen=True, slots=True)
class Draft:
    """A flashcard. A cloze is all question, with `==marks==`, and has no answer."""

    number: int
    """Which flashcard it is, whatever its text becomes."""
    type: FlashcardType
    question: str
    answer: str
    reviews: tuple[str, ...] = ()
    """A segment of the SR comment for each card; empty = never reviewed."""
    tag: str = ""
    """A tag that opens it, without `#`."""
    block_id: str = ""
    bullet: bool = False
    """Whether it is an item of a list; only on one line."""
    tight: bool = False
    """Whether it stands directly below the flashcard before it."""
    same_line: bool = False
    """Whether its review stands on its own line."""

    @property
    def sides(self) -> tuple[str, str]:
        """What is asked and what is answered; of a cloze its solved text and its answers."""
        if self.type is not CLOZE:
            return " ".join(self.question.split()), " ".join(self.answer.split())
        return solved(self.question), " / ".join(marked(self.question))


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading between flashcards."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Prose:
    """A paragraph between flashcards."""

    text: str


Part = Draft | Heading | Prose


@dataclass(frozen=True, slots=True)
class Manuscript:
    """A document. `number` stays when it is renamed."""

    number: int
    path: str
    parts: tuple[Part, ...]
    tag: str

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """Its flashcards, from the top down."""
        return tuple(part for part in self.parts if isinstance(part, Draft))


Vault = tuple[Manuscript, ...]


def drafts(vault: Vault) -> Iterator[Draft]:
    """Every flashcard."""
    for manuscript in vault:
        yield from manuscript.drafts


MARK = re.compile(r"==(?:\d+;;)?([^=]+?)(?:;;[^=]+)?==")


def solved(text: str) -> str:
    """A cloze with its answers in place and no marks."""
    return " ".join(MARK.sub(r"\1", text).split())


def marked(text: str) -> list[str]:
    """The answers of a cloze."""
    return MARK.findall(text)


# ---------------------------------------------------------------- words

COUNTRIES = """France Paris|Spain Madrid|Norway Oslo|Sweden Stockholm|Italy Rome|Austria Vienna|
Hungary Budapest|Chile Santiago|Peru Lima|Kenya Nairobi|Egypt Cairo|Japan Tokyo|Cuba Havana|
Iran Tehran|Iraq Baghdad|Niger Niamey|Nigeria Abuja|Mali Bamako|Malawi Lilongwe|Malta Valletta|
Latvia Riga|Lithuania Vilnius|Slovakia Bratislava|Slovenia Ljubljana|Guinea Conakry|
Guinea-Bissau Bissau|Gambia Banjul|Zambia Lusaka|India Delhi|Indonesia Jakarta"""
ABBREVIATIONS = """DNA deoxyribonucleic acid|RNA ribonucleic acid|mRNA messenger RNA|
tRNA transfer RNA|ATP adenosine triphosphate|ADP adenosine diphosphate|TCP transmission control
protocol|UDP user datagram protocol|IP internet protocol|HTTP hypertext transfer protocol|
HTTPS HTTP over TLS|CPU central processing unit|GPU graphics processing unit|GDP gross domestic
product|GNP gross national product|EU European Union|UN United Nations|MRI magnetic resonance
imaging|CT computed tomography|ECG electrocardiogram|EEG electroencephalogram|BP blood pressure"""
EVENTS = """World War II end|the Bretton Woods system collapse|the Berlin Wall fall|
the United Nations come into being|the French Revolution begin|the Russian Revolution begin|
Napoleon die|Darwin publish his Origin|the Titanic sink|the Suez Canal open"""
CODE = """```python
def {}(values):
    return sum(values) / len(values)

print({}([1, 2, 3]))
```"""


def _apart(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ADJECTIVES = _apart(
    """
    early late anterior posterior sparse dense positive negative passive active local global
    linear convex stable primary secondary chronic acute lateral medial neural public private
    internal external marginal relative absolute dynamic static genetic thermal cellular
    """
)
NOUNS = _apart(
    """
    membrane cortex gradient market contract enzyme muscle kernel matrix theorem protein
    receptor tissue lemma tariff lattice pathway vector synapse artery clause statute nerve
    integral attention memory process theory network reaction signal tax budget operator basis
    feedback layer regression hypothesis variance bond cartilage stimulus reflex axiom module
    """
)
VERBS = _apart(
    """
    regulates transports stores limits describes inhibits activates measures binds divides
    supports precedes follows replaces contains produces predicts filters joins reduces
    """
)
FOREIGN = _apart(
    """
    hus tre vann bok sol dag natt barn vei fjell elv hav skog by gate dør bord stol
    犬 猫 山 川 水 火 木 日本 мир дом книга вода
    """
)
ENGLISH = _apart(
    """
    house tree water book sun day night child road mountain river sea forest town street door
    table chair dog cat hill stream lake fire wood Japan peace home novel tea
    """
)
ANSWERS = ("Yes", "No", "1945", "True", "False", "2", "O(n)")
SYMPTOMS = _apart("fever cough fatigue nausea headache rash dizziness pain swelling thirst")
CARE = ("rest", "fluids", "antibiotics", "surgery", "physiotherapy", "steroids", "insulin")


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    halves = (entry.split(None, 1) for entry in " ".join(text.split()).split("|"))
    return tuple((half[0].strip(), half[1].strip()) for half in halves)


CAPITALS = _pairs(COUNTRIES)
SHORT = _pairs(ABBREVIATIONS)
HAPPENED = tuple(event.strip() for event in " ".join(EVENTS.split()).split("|"))


@dataclass(slots=True)
class Author:
    """Whoever writes the vault, and goes on with it; never the same question and answer twice."""

    random: Random
    last: int = 0
    """The highest number given so far, of flashcards and of documents."""
    written: set[tuple[str, str]] = field(default_factory=set)
    numbered: bool = False
    """Whether clozes may have numbers, which the plain settings' `;;` does not allow."""

    def number(self) -> int:
        """A number that nothing has."""
        self.last += 1
        return self.last

    def one(self, choices: Sequence[str]) -> str:
        """One of several words."""
        return self.random.choice(choices)

    def name(self) -> str:
        """A made-up proper name."""
        count = self.random.choice((2, 2, 3))
        syllables = ("ta", "ro", "vel", "mir", "ka", "len", "os", "bri", "du", "nia", "sen", "go")
        return "".join(self.random.choices(syllables, k=count)).capitalize()

    def term(self) -> str:
        """A term of some trade."""
        words = [self.one(ADJECTIVES), self.one(NOUNS)]
        return " ".join([self.one(ADJECTIVES), *words] if self.random.random() < 0.3 else words)

    def sentence(self) -> str:
        """A sentence of 6 to 14 words, without its full stop."""
        text = f"the {self.term()} {self.one(VERBS)} the {self.term()}"
        if self.random.random() < 0.5:
            text += f" {self.one(('when', 'because', 'unless'))} it {self.one(VERBS)} {self.term()}"
        return text[0].upper() + text[1:]

    def several(self, words: Sequence[str], low: int, high: int) -> str:
        """Some of the words, in any order."""
        return ", ".join(self.random.sample(words, k=self.random.randint(low, high)))

    def segment(self) -> str:
        """A review of one card, as the plugin writes it."""
        due = date(2024, 1, 1) + timedelta(days=self.random.randrange(700))
        interval = self.random.choice((1, 3, 4, 9, 14, 30, 62, 150))
        return f"!{due},{interval},{self.random.randrange(130, 320, 10)}"

    def reviewed(self, draft: Draft) -> Draft:
        """The draft with a new review of each card."""
        return replace(draft, reviews=tuple(self.segment() for _ in range(cards(draft))))


def cards(draft: Draft) -> int:
    """How many cards the plugin makes of it."""
    if draft.type is CLOZE:
        numbers = re.findall(r"==(\d+);;", draft.question)
        return max(map(int, numbers)) if numbers else len(marked(draft.question))
    return 2 if draft.type.reversed else 1


# ---------------------------------------------------------------- flashcards by subject

Text = tuple[FlashcardType, str, str]


def _geography(author: Author) -> Text:
    country, capital = author.random.choice(CAPITALS)
    if author.random.random() < 0.7:
        country, capital = author.name(), author.name()
    return author.random.choice(
        (
            (BASIC, f"What is the capital of {country}?", capital),
            (BASIC, f"What is the capital of {country}?", capital),
            (BASIC, f"What is the largest city of {country}?", capital),
            (BASIC, f"On which continent is {country}?", author.one(("Africa", "Asia", "Europe"))),
            (BASIC, f"Is {country} a member of the UN?", author.one(("Yes", "No"))),
            (REVERSED, country, capital),
            (CLOZE, f"=={capital}== is the capital of =={country}==", ""),
        )
    )


def _history(author: Author) -> Text:
    year = str(author.random.choice((1945, 1945, 1944, author.random.randrange(1500, 2000))))
    what = author.one((*HAPPENED, f"the war of {author.name()} end", f"King {author.name()} die"))
    return author.random.choice(
        (
            (BASIC, f"When did {what}?", year),
            (BASIC, f"In which year did {what}?", year),
            (LONG, f"Why did {what}?", f"- {author.sentence()}\n- {author.sentence()}"),
            (BASIC, f"{author.name()} ({year})?", f"{author.sentence()}."),
            (CLOZE, f"In =={year}== {author.name()} was ruled by =={author.name()}==.", ""),
        )
    )


def _medicine(author: Author) -> Text:
    symptoms = author.several(SYMPTOMS, 2, 3)
    return author.random.choice(
        (
            (BASIC, "Symptoms?", symptoms.capitalize()),
            (BASIC, "Treatment?", author.several(CARE, 1, 2).capitalize()),
            (LONG, "Causes?", f"- {author.term()}\n- {author.term()}"),
            (BASIC, f"Nerve of the {author.term()} muscle?", f"N. {author.name().lower()}is"),
            (BASIC, f"Origin of m. {author.name().lower()}us?", f"{author.term()}"),
            (BASIC, f"Insertion of m. {author.name().lower()}us?", f"{author.term()}"),
            (CLOZE, f"{author.name()}'s disease shows as =={symptoms}== for weeks.", ""),
        )
    )


def _law(author: Author) -> Text:
    paragraph = author.random.randrange(1, 2000)
    return author.random.choice(
        (
            (BASIC, f"§ {paragraph}?", author.term().capitalize()),
            (BASIC, f"What does § {paragraph} BGB regulate?", author.term().capitalize()),
            (BASIC, f"Does § {paragraph} BGB apply to a {author.term()}?", author.one(ANSWERS[:2])),
            (LONG, f"What are the requirements of § {paragraph} BGB?", _list(author)),
        )
    )


def _words(author: Author) -> Text:
    foreign, english = author.one(FOREIGN), author.one(ENGLISH)
    if author.random.random() < 0.6:
        foreign = author.name().lower()
    return author.random.choice(
        (
            (REVERSED, foreign, english),
            (REVERSED, f"å {foreign}", f"to {english}"),
            (BASIC, foreign, f"{english} ({author.one(('n', 'f', 'm'))})"),
            (LONG_REVERSED, f"*{foreign}*\n{author.name()} {foreign}", english),
        )
    )


def _concepts(author: Author) -> Text:
    term, sentence = author.term(), author.sentence()
    return author.random.choice(
        (
            (BASIC, f"What is the {term}?", f"{sentence}."),
            (BASIC, f"Define {term}", f"{sentence}."),
            (BASIC, f"Is every {term} a {author.term()}?", author.one(("Yes", "No", "True"))),
            (LONG, f"Explain why {sentence.lower()}", _list(author)),
            (LONG, f"Show the {term} in code", CODE.format(*[author.one(NOUNS)] * 2)),
            (
                LONG,
                f"What does {author.name()}'s law say?",
                f"{sentence}.\n\n$e = {_digit(author)}$",
            ),
            (LONG_REVERSED, f"{sentence}?", f"{author.sentence()}.\nSee [[{author.name()}]]."),
            (BASIC, f"How fast is `{author.one(NOUNS)}()`?", author.one(("O(n)", "O(1)"))),
            (BASIC, author.one(NOUNS).capitalize(), f"{sentence}."),
        )
    )


def _abbreviations(author: Author) -> Text:
    short, long = author.random.choice(SHORT)
    if author.random.random() < 0.5:
        short = "".join(author.random.choices("ABCDEFGHILMNOPRST", k=3))
        long = author.term()
    return (author.random.choice((BASIC, BASIC, REVERSED)), f"{short}?", long)


def _clozes(author: Author) -> Text:
    parts = author.sentence().split()
    # What lies between two marks must not be taken for a marked word.
    for place in sorted(author.random.sample(range(1, len(parts)), k=author.random.randint(1, 3))):
        parts[place] = f"=={parts[place]}=="
    if author.numbered and author.random.random() < 0.3:
        text = " ".join(parts)
        return CLOZE, _numbered(text), ""
    return CLOZE, " ".join(parts), ""


def _numbered(text: str) -> str:
    numbers = iter(range(1, 20))
    return MARK.sub(lambda mark: f"=={next(numbers)};;{mark[1]}==", text)


def _list(author: Author) -> str:
    return "\n".join(f"- {author.sentence()}" for _ in range(author.random.randint(2, 4)))


def _digit(author: Author) -> int:
    return author.random.randrange(10)


Subject = Callable[[Author], Text]

SUBJECTS: dict[str, Subject] = {
    "Geography": _geography,
    "History": _history,
    "Medicine": _medicine,
    "Law": _law,
    "Words": _words,
    "Concepts": _concepts,
    "Abbreviations": _abbreviations,
    "Clozes": _clozes,
}
GENERAL = tuple(SUBJECTS)


def draft(author: Author, subject: str) -> Draft:
    """A flashcard that is not in the vault yet; about anything if the subject is not known."""
    for _ in range(1000):
        write = SUBJECTS.get(subject) or SUBJECTS[author.one(GENERAL)]
        type_, question, answer = write(author)
        if "\n\n" in answer and not answer.startswith("```"):
            answer = answer.replace("\n\n", "\n")  # a blank line would end it
        if (question, answer) not in author.written:
            break
    author.written.add((question, answer))
    chance = author.random.random
    one = Draft(author.number(), type_, question, answer)
    one = replace(
        one,
        tag="flashcards/extra" if chance() < 0.05 else "",
        block_id=f"{author.random.randrange(16**6):06x}" if chance() < 0.08 else "",
        bullet=type_ in ONE_LINE and chance() < 0.1,
        tight=type_ in ONE_LINE and chance() < 0.4,
        same_line=type_ in ONE_LINE and chance() < 0.2,
    )
    return author.reviewed(one) if chance() < 0.6 else one


# ---------------------------------------------------------------- vaults


def vault(
    seed: int, flashcards: int = 2000, documents: int = 80, settings: Settings = PLUGIN
) -> tuple[Vault, Author]:
    """A vault of so many flashcards, and its author, who can go on with it.

    A few more are exact copies of one in another document.
    """
    author = Author(Random(f"vault {seed}"), numbered=settings is PLUGIN)
    manuscripts = [
        _manuscript(author, index, flashcards // documents + (index < flashcards % documents))
        for index in range(documents)
    ]
    for _ in range(flashcards // 200):
        source, target = author.random.sample(range(documents), k=2)
        copy = author.random.choice(manuscripts[source].drafts)
        parts = list(manuscripts[target].parts)
        place = author.random.randrange(1, len(parts) + 1)
        parts.insert(place, replace(copy, number=author.number(), reviews=(), block_id=""))
        manuscripts[target] = replace(manuscripts[target], parts=tuple(parts))
    return tuple(manuscripts), author


def _manuscript(author: Author, index: int, flashcards: int) -> Manuscript:
    subject = (*GENERAL, "Mixed")[index % (len(GENERAL) + 1)]
    title = f"{subject} {index // (len(GENERAL) + 1) + 1}"
    folder = author.one(("", f"{subject}/", f"{subject}/", f"Semester {index % 3 + 1}/{subject}/"))
    parts: list[Part] = [Heading(1, title)]
    for place in range(flashcards):
        if place % 4 == 0:
            parts.append(Heading(author.random.choice((2, 2, 3)), author.term().capitalize()))
        if author.random.random() < 0.15:
            parts.append(Prose(f"{author.sentence()}. {author.sentence()}."))
        parts.append(_again(author, parts) or draft(author, subject))
    return Manuscript(author.number(), f"{folder}{title}.md", tuple(parts), f"flashcards/{subject}")


def _again(author: Author, parts: list[Part]) -> Draft | None:
    """Now and then: an earlier question of the document with an answer that is nearly the same."""
    earlier = [part for part in parts if isinstance(part, Draft) and part.type is BASIC]
    if not earlier or author.random.random() > 0.03:
        return None
    like = author.random.choice(earlier)
    answer = f"{like.answer} {author.one(('too', 'as a rule', '(see above)', 'again'))}"
    return Draft(author.number(), BASIC, like.question, answer)


# ---------------------------------------------------------------- Markdown


def _lines(one: Draft, grammar: Grammar) -> list[str]:
    """A flashcard as it is written down."""
    tag = f"#{one.tag} " if one.tag else ""
    block_id = f" ^{one.block_id}" if one.block_id else ""
    comment = f"<!--SR:{''.join(one.reviews)}-->" if one.reviews else ""
    if one.type in ONE_LINE:
        separator = grammar.single_line if one.type is BASIC else grammar.single_line_reversed
        line = f"{'- ' * one.bullet}{tag}{one.question}{separator} {one.answer}"
        if comment and one.same_line:
            return [f"{line} {comment}{block_id}"]
        return [line + block_id, *([comment] if comment else [])]
    if one.type is CLOZE:
        return [f"{tag}{one.question}{block_id}", *([comment] if comment else [])]
    separator = grammar.multi_line if one.type is LONG else grammar.multi_line_reversed
    answer = one.answer if one.answer.endswith("```") else one.answer + block_id
    return [
        *f"{tag}{one.question}".split("\n"),
        separator,
        *answer.split("\n"),
        *([comment] if comment else []),
    ]


def written(one: Draft, settings: Settings) -> str:
    """A flashcard's own text."""
    return "\n".join(_lines(one, settings.grammar))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document as Markdown, and in which line each of its flashcards begins (1-based)."""

    source: Source
    lines: tuple[int, ...]


def render(manuscript: Manuscript, settings: Settings) -> Rendered:
    """Write a document down."""
    lines = ["---", "tags:", f"  - {manuscript.tag}", "---"]
    starts: list[int] = []
    above: Part | None = None
    for part in manuscript.parts:
        if not _joined(above, part):
            lines.append("")
        match part:
            case Heading(level, text):
                lines.append(f"{'#' * level} {text}")
            case Prose(text):
                lines.append(text)
            case Draft():
                starts.append(len(lines) + 1)
                lines += _lines(part, settings.grammar)
        above = part
    return Rendered(Source(VaultPath(manuscript.path), "\n".join(lines) + "\n"), tuple(starts))


def _joined(above: Part | None, part: Part) -> bool:
    """Whether two flashcards stand in one paragraph, as items of a list do."""
    return (
        isinstance(above, Draft)
        and isinstance(part, Draft)
        and above.type in ONE_LINE
        and part.type in ONE_LINE
        and part.tight
    )


@dataclass(frozen=True, slots=True)
class Pair:
    """A flashcard as obs2anki found it, and the draft that it is."""

    flashcard: Flashcard
    draft: Draft
    manuscript: int
    """The number of its document."""


@lru_cache(maxsize=20_000)
def _read(source: Source, settings: Settings) -> tuple[decks.Placed, ...]:
    """The flashcards of a document; most of a vault stays as it is from export to export."""
    document = markdown.parse(source)[0]
    found = extract.flashcards(document, settings.grammar).flashcards
    return tuple(decks.place(document, found, settings, "vault")[0])


def extracted(vault: Vault, settings: Settings) -> list[Pair]:
    """Every flashcard in vault order; it is an error if any was found that was not written."""
    if len({manuscript.path for manuscript in vault}) < len(vault):
        raise AssertionError("two documents have one path")
    pairs: list[Pair] = []
    for manuscript in sorted(vault, key=lambda m: (order(m.path), m.path)):
        rendered = render(manuscript, settings)
        placed = _read(rendered.source, settings)
        by_line = {p.flashcard.own_line: p.flashcard for p in placed if not p.left_out}
        if tuple(by_line) != rendered.lines or len(by_line) != len(placed):
            raise AssertionError(f"{manuscript.path} was not read as it was written")
        for line, one in zip(rendered.lines, manuscript.drafts, strict=True):
            if by_line[line].type is not one.type:
                raise AssertionError(f"{manuscript.path}:{line} is no {one.type}")
            pairs.append(Pair(by_line[line], one, manuscript.number))
    return pairs
