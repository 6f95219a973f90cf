"""Every finding that obs2anki can report: its code, how bad it is, and what to do about it.

One code, one row in RULES. A stage makes a finding with `diagnostics.at(...)`:

    diagnostics.at("O401", path, line, "2024-04-22")

Codes keep their meaning for ever: O1 settings and vault, O2 documents, O3 flashcards,
O4 reviews, O5 clozes, O6 links and media, O7 decks and tags, O8 identity, O9 Anki.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass

from obs2anki.data import Diagnostic, Severity, VaultPath

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The numbers by which a system says that a disk takes no more."""


class Obs2ankiError(Exception):
    """The world refused: a file, a disk, a lock, Anki. The text is a sentence and a remedy."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of finding. `sentence` and `hint` are templates for `str.format`, by position.

    What is to be pasted stands in the hint's further lines.
    """

    severity: Severity
    title: str
    sentence: str
    hint: str


E_, W_, I_ = Severity.ERROR, Severity.WARNING, Severity.INFO

RULES: dict[str, Rule] = {
    # -- O1 settings and vault
    "O101": Rule(
        W_,
        "settings elsewhere",
        "This folder has no spaced-repetition settings, but {0} has.",
        "Did you mean {0}?",
    ),
    "O102": Rule(
        W_,
        "fork's settings",
        "The settings are those of the fork obsidian-spaced-repetition-recall; its own schedule file is not read.",
        "Cards that were reviewed with the fork's schedule file are exported as new.",
    ),
    "O103": Rule(
        I_,
        "separator proved by reviews",
        "The separator {0} stands in lines that carry reviews, so it is in force too.",
        "To decide it yourself, write in obs2anki.toml:\n[grammar]\n{1} = {2}",
    ),
    "O104": Rule(
        E_,
        "unusable cloze pattern",
        "The cloze pattern {0} cannot be used: {1}.",
        "Mend it where it is set; the other patterns stay in force.",
    ),
    "O105": Rule(
        W_,
        "folder cannot be read",
        "The folder {0} cannot be read: {1}.",
        "Give yourself the right to read it, or list it under [select] ignore.",
    ),
    "O106": Rule(
        W_,
        "link leaves the vault",
        "{0} is a symbolic link that leads out of the vault; it was not followed.",
        "Copy the file into the vault if its flashcards should be exported.",
    ),
    "O107": Rule(
        W_,
        "unusable app.json",
        "{0} So Obsidian's own settings do not count.",
        "Until they are mended, line breaks and attachments are as in a new vault.",
    ),
    "O108": Rule(
        W_,
        "name is not Unicode",
        "The name {0} is not Unicode, so Obsidian cannot show it; it was passed over.",
        "Rename it.",
    ),
    "O109": Rule(
        W_,
        "no document",
        "The vault holds no Markdown document.",
        "Name the folder that you open in Obsidian.",
    ),
    "O110": Rule(
        W_,
        "second ledger",
        "A sync service left this ledger beside {0}; what only this one remembers does not count.",
        "Put its lines below those of {0} with any editor, and delete it. Order and repetitions do not matter.",
    ),
    # -- O2 documents
    "O201": Rule(
        E_,
        "document is not UTF-8",
        "The document is not UTF-8 (byte {0}), so none of its flashcards could be read.",
        "Save it as UTF-8; every other document is exported.",
    ),
    "O202": Rule(
        E_,
        "document cannot be read",
        "The document cannot be read: {0}.",
        "Mend that, or remove it; every other document is exported.",
    ),
    "O203": Rule(
        W_,
        "broken frontmatter",
        "The frontmatter is not valid YAML: {0}.",
        "Mend that line: text with a : or # in it, or a bracket, stands in quotes. Until then its tags and deck do not count, in Obsidian or here.",
    ),
    "O204": Rule(
        W_,
        "comment swallows a line",
        "This HTML comment makes the plugin skip the next line as well.",
        'Put a blank line after the comment, or write in obs2anki.toml:\n[grammar]\nmend = ["html-comments"]',
    ),
    "O205": Rule(
        W_,
        "comment swallows the rest",
        "This HTML comment does not close on its line, so the plugin skips the rest of the document ({0} lines).",
        'Close it with --> on the same line, or write in obs2anki.toml:\n[grammar]\nmend = ["html-comments"]',
    ),
    "O206": Rule(
        W_,
        "NUL characters",
        "The document holds NUL characters; they were dropped.",
        "Save the document again as text.",
    ),
    "O207": Rule(
        W_,
        "unclosed code block",
        "This code block is never closed, so nothing below it is a flashcard of its own.",
        "Close it with {0} at the very beginning of a line of its own. If this line was to close one, look further up for a fence that is missing or indented.",
    ),
    "O208": Rule(
        W_,
        "comment joins two blocks",
        "This HTML comment makes the plugin skip the blank line below it as well, so it takes what stands above and below for one flashcard.",
        'Put a blank line above the comment, too, or write in obs2anki.toml:\n[grammar]\nmend = ["html-comments"]',
    ),
    "O209": Rule(
        W_,
        "frontmatter hides text",
        "White space behind these dashes makes the plugin take everything down to line {0} for the frontmatter.",
        "Remove the white space behind the dashes.",
    ),
    "O210": Rule(
        W_,
        "code for the plugin alone",
        "For the plugin a code block begins in this line and ends in line {0}, so nothing between them is a flashcard of its own.",
        "Mend the fence above it: the plugin sees a fence at the very beginning of a line only, and ends a block at the first line that begins with as many marks, whatever follows them.",
    ),
    "O211": Rule(
        W_,
        "unresolved merge",
        "Git could not merge two versions of this text: from here to line {0} it left both, with its marks.",
        "Keep what is right, the newer review of each flashcard included, and remove the lines with the marks.",
    ),
    "O212": Rule(
        W_,
        "copy of a conflict",
        "A sync service left this copy of {0}, which was edited on two computers; {1} of its flashcards would be exported beside those of the other.",
        "Put into {0} what only the copy has, and delete the copy. Your progress in Anki is with the flashcards of {0}, so do not delete that one.",
    ),
    # -- O3 flashcards
    "O301": Rule(
        W_,
        "empty side",
        "The {0} of this flashcard is empty; Anki shows (empty) there.",
        "Write the missing side, or remove the separator.",
    ),
    "O302": Rule(
        W_,
        "card discarded by a separator",
        "The separator {0} in this line makes a flashcard of this line alone; the flashcard around it, which begins in line {1}, is lost.",
        "Put the separator into `code` or write it otherwise, as in the plugin. If the line is a flashcard, put a blank line above it.",
    ),
    "O303": Rule(
        W_,
        "flashcard without a deck",
        "The plugin finds no deck for this flashcard and drops it.",
        "Write the document's tags as a YAML list, or put a flashcard tag above it.",
    ),
    "O304": Rule(
        W_,
        "callout swallows the rest",
        "This [!sr|card-metadata] callout holds no SR comment, so {0} becomes part of the flashcard.",
        'Remove the callout, or write in obs2anki.toml:\n[grammar]\nmend = ["callouts"]',
    ),
    "O305": Rule(
        W_,
        "block id twice",
        "The block id ^{0} is that of the flashcard in line {1} too, so a link with it leads there.",
        "Give one of the two another block id.",
    ),
    "O306": Rule(
        W_,
        "template exported",
        "{0} is a folder of templates, and {1} of its flashcards would be exported, this one first.",
        "Write in obs2anki.toml:\n[select]\nignore = [{2}]",
    ),
    # -- O4 reviews
    "O401": Rule(
        W_,
        "orphan review",
        "This review belongs to no flashcard ({0}).",
        "Put the comment directly below its flashcard, or delete it.",
    ),
    "O402": Rule(
        W_,
        "unreadable review",
        "The review {0} cannot be read ({1}); the card is exported as new.",
        "A review reads !2024-04-12,14,232: due date, interval in days, ease in percent.",
    ),
    "O403": Rule(
        W_,
        "more reviews than cards",
        "The comment holds more reviews ({0}) than the flashcard has cards ({1}); what is too many ({2}) was dropped.",
        "Remove the reviews that belong to no card; the plugin will do the same.",
    ),
    "O404": Rule(
        W_,
        "second comment ignored",
        "This flashcard has more than one SR comment; only the first counts.",
        "Remove the comment that is out of date. If two flashcards became one here, part them instead: by an empty line, or by the end marker of the settings.",
    ),
    "O405": Rule(
        I_,
        "review clamped",
        "Anki cannot hold {0}.",
        "Nothing is to be done, unless the value is a slip.",
    ),
    "O407": Rule(
        W_,
        "review mended",
        "The review {0} is not complete: {1}.",
        "A review reads !2024-04-12,14,232: due date, interval in days, ease in percent.",
    ),
    "O406": Rule(I_, "review not exported", "Reviews that were not exported: {0} ({1}).", "{2}"),
    "O408": Rule(
        W_,
        "review above its flashcard",
        "This review stands above the flashcard that takes it; the plugin writes reviews below.",
        "Put the comment directly below the flashcard that it belongs to.",
    ),
    # -- O5 clozes
    "O501": Rule(
        W_,
        "cloze asks nothing",
        "Anki does not get {0} of this cloze, for nothing would be asked.",
        "Number the clozes without gaps, and put none where nothing is shown, such as into the address of a link.",
    ),
    "O502": Rule(
        W_,
        "cloze number too high",
        "Anki knows cloze numbers up to 500: {0} of this flashcard cannot be asked.",
        "Use lower numbers, or split the flashcard.",
    ),
    "O503": Rule(
        W_,
        "cloze without a card",
        "This cloze makes no card: none of its numbers asks anything.",
        "Number its clozes from 1.",
    ),
    # -- O6 links and media
    "O601": Rule(
        W_,
        "missing media",
        "{0} is not in the vault.",
        "Mend the link, or put the file back; the card shows a placeholder.",
    ),
    "O602": Rule(
        W_,
        "media outside the vault",
        "{0} lies outside the vault and is never packed.",
        "Copy the file into the vault.",
    ),
    "O603": Rule(
        W_,
        "media too large",
        "{0} has {1} MB, more than the limit of {2} MB.",
        "Make it smaller, or raise [media] max_size in obs2anki.toml.",
    ),
    "O604": Rule(
        W_,
        "medium is no file",
        "An image or sound is named by a {0} address, and Anki can show files only.",
        "Save it as a file in the vault and embed that; the card shows a placeholder.",
    ),
    "O605": Rule(
        I_,
        "dead link",
        "The link leads to {0}, which is not in the vault.",
        "Mend the link, unless you mean to write that document.",
    ),
    "O606": Rule(
        W_,
        "nothing to embed",
        "{0} cannot be embedded: {1}.",
        "Mend the link or the document; the card shows a link.",
    ),
    "O607": Rule(
        W_,
        "embed within itself",
        "{0} embeds itself, here or by way of another document.",
        "Embed a heading or a block in which the embed does not stand; the card shows a link.",
    ),
    "O608": Rule(
        W_,
        "embed too deep",
        "{0} would stand in more than {1} embeds, one within another.",
        "Embed it in a document further up; the card shows a link.",
    ),
    "O609": Rule(
        W_,
        "too much embedded",
        "With {0} one side of a flashcard would embed more than {1} characters.",
        "Embed a heading or a block of it; the card shows a link.",
    ),
    "O610": Rule(
        W_,
        "medium not downloaded",
        "{0} was not downloaded: {1}.",
        "Mend the address, or try again later; until then the card shows it only while there is a connection.",
    ),
    "O611": Rule(
        W_,
        "media cannot be read",
        "{0} cannot be read.",
        "Give yourself the right to read it; the card shows a placeholder.",
    ),
    "O612": Rule(
        W_,
        "drawing not shown",
        "A drawing in <svg> tags is not shown on a card.",
        "Save it in the vault as an .svg file and embed that; the card shows a placeholder.",
    ),
    # -- O7 decks and tags
    "O701": Rule(
        W_,
        "deck too deep",
        "The deck has {0} levels, Anki can hold 11; it becomes {1}.",
        "Set [decks] depth in obs2anki.toml.",
    ),
    "O702": Rule(
        I_,
        "no tag selects it",
        "No flashcard tag selects this document, but flashcards could be made of its text ({0}), the first here.",
        "To export it, give it a flashcard tag: {1}.",
    ),
    "O703": Rule(
        W_,
        "unreadable tag",
        "{0} is not read as the flashcard tag {1} ({3}), so the plugin passes over the whole document.",
        "Write {1} into the text, or into the frontmatter as a list: tags: [{2}]",
    ),
    # -- O8 identity
    "O801": Rule(
        I_,
        "same question twice",
        "The same question stands at {0}.",
        "Nothing is to be done if you mean it; else delete one of the two, or word it otherwise.",
    ),
    "O802": Rule(
        W_,
        "cannot tell flashcards apart",
        "This flashcard may be one of two that were exported before: {0}. It gets a new note, and the old ones stay as they are.",
        "To decide it, give the flashcard a block id (such as ^norway) before you reword it.",
    ),
    "O803": Rule(
        I_,
        "another notetype",
        "This flashcard became a cloze, or ceased to be one. Anki cannot merge the two, so it is a new note.",
        "The old note stays in Anki until you delete it.",
    ),
    # -- O9 Anki
    "O901": Rule(
        W_,
        "edited on both sides",
        "{0} of this flashcard was edited here and in Anki; Anki's text stays.",
        "Let both say the same, or decide: --prefer vault or --prefer anki.",
    ),
    "O902": Rule(
        W_,
        "note of another notetype",
        "Anki has the note of this flashcard under another notetype or namespace; it was left alone.",
        "If you changed namespace in obs2anki.toml, write the earlier one there. Else undo the change "
        "of the notetype in Anki, and sync again.",
    ),
}


def at(code: str, path: VaultPath, line: int, *details: object, column: int = 1) -> Diagnostic:
    """The finding `code` at a place; `details` fill the rule's sentence and hint by position."""
    rule = RULES[code]
    shown = [str(detail) for detail in details]
    in_hint = (one.replace("\n", "\\n") for one in shown)  # only a rule begins lines
    return Diagnostic(
        path,
        line,
        column,
        code,
        rule.severity,
        rule.sentence.format(*shown),
        rule.hint.format(*in_hint),
    )
