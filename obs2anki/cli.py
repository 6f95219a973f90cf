"""The door: options in, words and an exit code out.

    obs2anki export ~/vault -o deck.apkg --timezone Europe/Lisbon

Exit codes: 0 done; 1 findings, out of date, or nothing to export; 2 could not be done as asked;
3 a bug; 130 and 143 stopped by Ctrl-C and SIGTERM; 141 nobody reads the output any more.
Whatever is heavy is imported by the command that needs it, so that `--help` answers at once.
"""

from __future__ import annotations

import gc
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from inspect import Parameter, Signature, signature
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TextIO

import typer

from obs2anki import __version__, settings
from obs2anki.diagnostics import FULL, Obs2ankiError
from obs2anki.stopping import STOPPED, Stopped
from obs2anki.terminal import Waiting, columns, harmless, wants_colour

if TYPE_CHECKING:
    from obs2anki import build, watch
    from obs2anki.data import Diagnostic
    from obs2anki.deeds import Changes
    from obs2anki.report import Report
    from obs2anki.rest import Said
    from obs2anki.syncing import Session, Synced
    from obs2anki.wording import Wording

DONE, FINDINGS, IMPOSSIBLE, BUG = 0, 1, 2, 3
PIPE_CLOSED = STOPPED + 13

app = typer.Typer(
    help="Obsidian flashcards into Anki, with their review history.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """What the output looks like."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class ListFormat(StrEnum):
    """What a list looks like."""

    TEXT = "text"
    JSON = "json"


Vault = Annotated[
    Path, typer.Argument(metavar="VAULT", help="The folder of the vault.", readable=False)
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="DECK",
        readable=False,
        help="The deck to write; default: output in obs2anki.toml, else <vault's folder>.apkg.",
    ),
]
Stateless = Annotated[
    bool, typer.Option("--stateless", help="Neither read nor write the ledger; no note is updated.")
]
Timezone = Annotated[
    str | None,
    typer.Option(
        "--timezone",
        metavar="TZ",
        help="Your time zone, such as Europe/Lisbon; default: this machine's.",
    ),
]
Profile = Annotated[
    str | None,
    typer.Option("--profile", metavar="NAME", help="The Anki profile, where you have several."),
]
AnkisFile = Annotated[
    Path | None,
    typer.Option(
        "--collection",
        metavar="PATH",
        readable=False,
        help="Anki's collection.anki2; default: that of your Anki profile.",
    ),
]
SyncServer = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="[URL]",
        help="AnkiWeb, or the sync server at URL; no Anki is needed here.",
    ),
]
RunningAnki = Annotated[
    str | None,
    typer.Option(
        "--connect",
        metavar="[URL]",
        help="The Anki that runs, through its add-on AnkiConnect, here or at URL.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing; show what would be done.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@dataclass(frozen=True, slots=True)
class Where:
    """Which Anki the options name."""

    collection: Path | None
    profile: str | None
    server: str | None
    connect: str | None
    often: bool = False
    """Whether it is written again and again, so that Anki decides when a backup is due."""
    schedules: bool = False
    """Whether it has to tell how its cards are scheduled."""
    deck_options: bool = False
    """Whether it has to tell the options of its decks."""

    @property
    def names_one(self) -> bool:
        """Whether any option names an Anki; if none does, it is that of the only profile."""
        named = (self.collection, self.profile, self.server, self.connect)
        return any(one is not None for one in named)


UNNAMED = Where(None, None, None, None)
"""The Anki of the only profile."""


def _named(
    collection: AnkisFile = None,
    profile: Profile = None,
    server: SyncServer = None,
    connect: RunningAnki = None,
) -> Where:
    """The Anki that the options name; a usage error where they name more than one."""
    here = collection is not None or profile is not None
    if collection is not None and profile is not None:
        raise Unfit("--collection names the file itself; leave --profile out.")
    if here + (server is not None) + (connect is not None) > 1:
        raise Unfit(
            "A collection, a sync server (--server) and a running Anki (--connect) are three "
            "ways; name one of them."
        )
    return Where(collection, profile, server, connect)


def _naming_an_anki(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of `_named`; it is handed what they name as `where`."""
    naming = signature(_named, eval_str=True).parameters
    own = signature(command, eval_str=True).parameters

    def handed(**given: object) -> None:
        named: dict[str, Any] = {name: given.pop(name) for name in naming}
        command(**given, where=_named(**named))

    told = [
        one.replace(kind=Parameter.KEYWORD_ONLY)
        for name, taken in own.items()
        for one in (naming.values() if name == "where" else (taken,))
    ]
    handed.__signature__ = Signature(told)  # type: ignore[attr-defined]  # a function may have one
    handed.__annotations__ = {one.name: one.annotation for one in told}
    handed.__name__, handed.__doc__ = command.__name__, command.__doc__
    return handed


class PreferOption(StrEnum):
    """Whose text stays where both sides were edited."""

    VAULT = "vault"
    ANKI = "anki"


Preference = Annotated[
    PreferOption | None,
    typer.Option("--prefer", help="Whose text stays where a flashcard was edited in both."),
]


class Unfit(typer.BadParameter):
    """Options that do not go together; no value of them is wrong."""

    def format_message(self) -> str:
        """The sentence as it is."""
        return self.message


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if version:
        _say([f"obs2anki {__version__}\n"], sys.stdout)
        raise typer.Exit(DONE)


# ---------------------------------------------------------------- commands


@app.command()
def export(
    context: typer.Context,
    vault: Vault,
    output: Output = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the deck is out of date.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say what would be written.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Write nothing and exit 1 on any warning or error.")
    ] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 if the deck or the ledger was written.")
    ] = False,
    stateless: Stateless = False,
    no_scheduling: Annotated[
        bool, typer.Option("--no-scheduling", help="Export every card as new.")
    ] = False,
    revlog: Annotated[
        bool, typer.Option("--revlog", help="Write one review log entry for each reviewed card.")
    ] = False,
    rollover: Annotated[
        int | None,
        typer.Option(
            "--rollover",
            metavar="H",
            help='The hour of "Next day starts at" in your Anki; default: 4.',
        ),
    ] = None,
    timezone: Timezone = None,
    format_: Annotated[Format, typer.Option("--format", help="How to say it.")] = Format.TEXT,
) -> None:
    """Write the vault's flashcards to an Anki deck (.apkg)."""
    from obs2anki.request import Request
    from obs2anki.rest import Rest

    asked = (
        ("scheduling.rollover", rollover, "--rollover"),
        ("scheduling.timezone", timezone, "--timezone"),
        ("scheduling.enabled", False if no_scheduling else None, "--no-scheduling"),
        ("scheduling.revlog", True if revlog else None, "--revlog"),
    )
    layer = _layer(asked)
    request = Request(vault, output, layer, stateless, _cache())
    how = (format_.value, wants_colour(sys.stderr), sys.stderr.isatty(), _prefix(vault))
    rest = None
    if not (check or dry_run or strict):
        with _settings_seen_from_here(vault):
            rest = Rest.of(request, how)
    known = rest.said() if rest is not None else None
    if known is not None:
        _say_both(known)
        raise typer.Exit(DONE)
    from obs2anki import build, report

    memory = build.Memory(seen=rest.seen if rest is not None else None)
    deed: build.Deed = build.compare if check else build.preview if dry_run else build.export
    if strict:
        deed = build.strictly(deed)

    def done(round_: build.Round) -> tuple[build.Outcome, list[str]]:
        outcome = deed(round_)
        return outcome, rest.left(outcome) if rest is not None else []

    with _settings_seen_from_here(vault), Waiting(sys.stderr) as waiting:
        outcome, left = build.run(request, done, waiting.watch, memory=memory)
    _kept(context, outcome)

    show, told, wording = _SHOW[format_], report.of(outcome), _wording(vault)
    _say_both(show(told, wording))
    if rest is not None:
        rest.keep(outcome, left, lambda settled: show(report.again(told, settled), wording))
    bad = (build.Verdict.OUT_OF_DATE, build.Verdict.EMPTY, build.Verdict.REFUSED)
    raise typer.Exit(FINDINGS if outcome.verdict in bad or (exit_code and outcome.wrote) else DONE)


@app.command("watch")
@_naming_an_anki
def watch_(
    vault: Vault,
    output: Output = None,
    poll: Annotated[
        bool,
        typer.Option("--poll", help="Look at the files from time to time: for network drives."),
    ] = False,
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval",
            metavar="SECONDS",
            min=0.1,
            max=86400,
            help="How often --poll looks; default: every 2 seconds.",
        ),
    ] = None,
    sync: Annotated[
        bool,
        typer.Option("--sync", help="Have Anki itself follow; with -o, write the deck as well."),
    ] = False,
    where: Where = UNNAMED,
    yes: Yes = False,
    prefer: Preference = None,
) -> None:
    """Export, or sync, after every change in the vault, until Ctrl-C."""
    from obs2anki import build, watch

    if interval is not None and not poll:
        raise Unfit("--interval says how often --poll looks; give both.")
    where = replace(where, often=True)
    if not sync and (yes or prefer is not None or where.names_one):
        raise Unfit("These options say how --sync is to be done; give it, too.")
    request = build.Request(vault, output, cache=_cache())
    memory = build.Memory()

    def once(deed: Callable[[build.Round], watch.Done]) -> watch.Done:
        with Waiting(sys.stderr) as waiting:
            return build.run(request, deed, waiting.watch, watch.PATIENCE, memory)

    loop = watch.Watch(
        vault,
        once,
        _Voice(vault),
        watch.Poll(interval or watch.POLL) if poll else watch.Events(),
        exports=not sync or output is not None,
        follow=_following(vault, where, yes, prefer) if sync else None,
        vigil=watch.Vigil(pace=watch.Pace() if where.server is None else watch.POLITE),
    )
    with _settings_seen_from_here(vault):
        loop.run()


def _following(
    vault: Path, where: Where, yes: bool, prefer: PreferOption | None
) -> Callable[[build.Round], Synced]:
    """What has the Anki that the options name follow one round after the other."""
    from obs2anki import syncing
    from obs2anki.deeds import Prefer
    from obs2anki.reconcile import Wishes

    wishes = Wishes(Prefer(prefer) if prefer is not None else None)
    terms = syncing.Terms(lambda _: yes, wishes)
    nobody = Questions(None, lambda _: yes, lambda _: None)

    def follow(round_: build.Round) -> Synced:
        return syncing.follow(round_, _session(vault, where, nobody), terms)

    return follow


class _Voice:
    """Says what a watch does: a line for each deck and sync on stdout, all else on stderr.

    What a full disk does not take, where the words go to a file, is lost, and the watch goes on.
    """

    def __init__(self, vault: Path) -> None:
        self._vault = vault

    def say(self, sentence: str) -> None:
        _say_if_there_is_room([f"{_time()} {harmless(sentence)}\n"], sys.stderr)

    def done(self, news: watch.News) -> None:
        from obs2anki import findings, prose

        found = _findings(findings.worth_a_line(news.findings), _wording(self._vault))
        _say_if_there_is_room(found, sys.stderr)
        what, how = news.done, (news.changed, news.seconds, news.first)
        told = [prose.line(what.exported, *how)] if what.exported is not None else []
        words: list[str] = []
        if what.synced is not None and not news.repeated:
            from obs2anki import syncing

            told.append(syncing.line(what.synced, *how))
            words.append(syncing.forgotten(what.synced, str(self._vault)))
        lines = (f"{_time()} {line}\n" for line in told if line is not None)
        _say_if_there_is_room(lines, sys.stdout)
        if what.exported is not None:
            unsaid = news.first or news.forgets
            words.append(prose.on_the_ledger(what.exported, str(self._vault), unsaid))
        _say_if_there_is_room((f"{_time()} {word}\n" for word in words if word), sys.stderr)

    def failed(self, error: Exception) -> None:
        try:
            with _settings_seen_from_here(self._vault):
                raise error
        except Exception as seen_from_here:
            _, lines = _words_of(seen_from_here)
        first, *rest = map(harmless, lines)
        words = [f"{_time()} {first}\n", *(f"{line}\n" for line in rest)]
        _say_if_there_is_room(words, sys.stderr)


def _time() -> str:
    """What the clock on the wall says."""
    import time

    return time.strftime("%H:%M:%S")


@app.command("list")
def list_(
    context: typer.Context,
    vault: Vault,
    gone: Annotated[
        bool,
        typer.Option(
            "--gone", help="List what has left since it was exported, and how to find it in Anki."
        ),
    ] = False,
    stateless: Annotated[bool, typer.Option("--stateless", help="Do not read the ledger.")] = False,
    timezone: Timezone = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="How to say it.")] = (
        ListFormat.TEXT
    ),
) -> None:
    """List what would be exported, or what is gone; nothing is written."""
    from obs2anki import build, findings, listing

    if gone and stateless:
        raise Unfit("The ledger knows what is gone; --stateless does not read it.")
    layer = _layer([("scheduling.timezone", timezone, "--timezone")])
    with _settings_seen_from_here(vault), Waiting(sys.stderr) as waiting:
        request = build.Request(vault, None, layer, stateless, _cache())
        round_ = build.prepare(request, waiting.watch)
    _kept(context, round_)
    if format_ is ListFormat.JSON:
        _say(listing.gone_as_json(round_) if gone else listing.as_json(round_), sys.stdout)
        return
    wording = _wording(vault)
    _say_findings(findings.worth_a_line(round_.plan.diagnostics), wording)
    shown = listing.gone(round_, wording) if gone else listing.table(round_, wording)
    _say(_lines(shown), sys.stdout)


@app.command()
def check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATHS...",
            readable=False,
            help="Documents and folders; the settings are those of the vault that each lies in.",
        ),
    ],
    format_: Annotated[Format, typer.Option("--format", help="How to say it.")] = Format.TEXT,
) -> None:
    """Tell every finding about documents, and write nothing."""
    from obs2anki import checking, findings

    checked = []
    try:
        for folder, named in checking.by_vault(paths).items():
            root = Path(_prefix(folder))  # so that errors name files as findings do
            with _settings_seen_from_here(root), Waiting(sys.stderr):
                checked.append(checking.check_vault(root, named))
    except settings.SettingsError as error:
        if format_ is Format.GITHUB:
            _say(_lines(findings.commands_of(error.problems)), sys.stdout)
        raise
    if format_ is Format.JSON:
        _say([checking.as_json(checked, lambda root: _prefix(root) or "."), "\n"], sys.stdout)
    else:
        for one in checked:
            wording = _wording(one.root)
            if format_ is Format.GITHUB:
                _say(_lines(findings.commands(one.diagnostics, wording)), sys.stdout)
            else:
                _say_findings(one.diagnostics, wording)
        _say(_lines(checking.summary(checked)), sys.stdout)
    raise typer.Exit(DONE if checking.only_infos(checked) else FINDINGS)


@app.command()
def adopt(
    vault: Vault,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="SOURCE",
            readable=False,
            help="An earlier package (.apkg), or Anki's collection (collection.anki2).",
        ),
    ],
    format_: Annotated[ListFormat, typer.Option("--format", help="How to say it.")] = (
        ListFormat.TEXT
    ),
) -> None:
    """Rebuild a lost ledger from a package, or from Anki."""
    from obs2anki import adoption, build

    with _settings_seen_from_here(vault), Waiting(sys.stderr) as waiting:
        adopted = adoption.adopt(build.Request(vault), source, waiting.watch)
    if format_ is ListFormat.JSON:
        _say(adoption.as_json(adopted, source), sys.stdout)
        return
    wording = _wording(vault)
    _say_findings(adopted.diagnostics, wording)
    _say(_lines(adoption.text(adopted, source, wording)), sys.stdout)


@app.command()
@_naming_an_anki
def sync(
    vault: Vault,
    where: Where,
    dry_run: DryRun = False,
    yes: Yes = False,
    prefer: Preference = None,
    reschedule: Annotated[
        bool,
        typer.Option(
            "--reschedule",
            help="Schedule anew, as the vault says, what was never answered in Anki.",
        ),
    ] = False,
    deck_options: Annotated[
        bool,
        typer.Option(
            "--deck-options", help="Give Anki's decks the plugin's maximum interval as well."
        ),
    ] = False,
    timezone: Timezone = None,
    format_: Annotated[ListFormat, typer.Option("--format", help="How to say it.")] = (
        ListFormat.TEXT
    ),
) -> None:
    """Have Anki follow the vault: add, update, move, suspend."""
    from obs2anki import findings, syncing
    from obs2anki.deeds import Prefer
    from obs2anki.reconcile import Wishes
    from obs2anki.request import Request
    from obs2anki.rest import Rest, Said

    layer = _layer([("scheduling.timezone", timezone, "--timezone")])
    wishes = Wishes(Prefer(prefer) if prefer is not None else None, reschedule)
    wording = _wording(vault)

    def shown(changes: Changes) -> Iterable[str]:
        return columns([syncing.HEAD, *syncing.table(changes, wording)])

    def saying(synced: syncing.Synced) -> Said:
        if format_ is ListFormat.JSON:
            return Said("".join(syncing.as_json(synced)), "")
        found = _findings(findings.worth_a_line(synced.diagnostics), wording)
        return Said("".join(_lines(syncing.text(synced, wording))), "".join(found))

    request = Request(vault, None, layer, cache=_cache())
    how = (format_.value, wants_colour(sys.stderr), sys.stderr.isatty(), _prefix(vault))
    with _settings_seen_from_here(vault), Waiting(sys.stderr) as waiting:
        where = replace(where, schedules=reschedule, deck_options=deck_options)
        session = _session(vault, where, _questions(yes, waiting))
        # A server has to be asked all the same, and a running Anki is read meanwhile.
        asks = where.server is not None or where.connect is not None
        look = not (asks or dry_run or reschedule or deck_options)
        rest = Rest.of(request, how) if look else None
        still = syncing.Still(rest, session) if rest is not None else None
        known = still.said() if still is not None else None
        if known is None:
            terms = syncing.Terms(_asking(shown, yes, waiting), wishes, dry_run, deck_options)
            synced = syncing.sync(request, session, terms, waiting.watch)
    if known is not None:
        _say_both(known)
        raise typer.Exit(DONE)
    _say_both(saying(synced))
    if still is not None:
        still.keep(synced, saying)
    if synced.applied.refused:
        raise typer.Exit(IMPOSSIBLE)
    bad = (syncing.Ending.EMPTY, syncing.Ending.DECLINED)
    raise typer.Exit(FINDINGS if synced.ending in bad else DONE)


@app.command()
@_naming_an_anki
def prune(
    vault: Vault,
    where: Where,
    dry_run: DryRun = False,
    yes: Yes = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Delete even more than 200 notes, or a tenth of all."),
    ] = False,
    format_: Annotated[ListFormat, typer.Option("--format", help="How to say it.")] = (
        ListFormat.TEXT
    ),
) -> None:
    """Delete from Anki what has left the vault, with its reviews there."""
    from obs2anki import build, syncing

    wording = _wording(vault)

    def shown(changes: Changes) -> Iterable[str]:
        return syncing.removals(changes.removed, wording)

    with _settings_seen_from_here(vault), Waiting(sys.stderr) as waiting:
        session = _session(vault, where, _questions(yes, waiting))
        terms = syncing.Terms(_asking(shown, yes, waiting), dry_run=dry_run)
        request = build.Request(vault, cache=_cache())
        pruned = syncing.prune(request, session, terms, force=force)
    if format_ is ListFormat.JSON:
        _say(syncing.pruned_as_json(pruned), sys.stdout)
    else:
        _say(_lines(syncing.pruned_as_text(pruned, wording)), sys.stdout)
    raise typer.Exit(FINDINGS if pruned.ending is syncing.Ending.DECLINED else DONE)


def _session(vault: Path, where: Where, questions: Questions) -> Session:
    """The Anki that the options name."""
    from obs2anki.destinations import profiles
    from obs2anki.destinations.collection import Collection

    if where.server is not None:
        return _server(vault, where, questions)
    if where.connect is not None:
        return _running(vault, where.connect, where)
    path = where.collection or profiles.find(where.profile)
    return Collection(path, each_time=not where.often).session


def _running(vault: Path, url: str, where: Where) -> Session:
    """The Anki that runs at `url`, here if that is empty; it is read from now on."""
    from obs2anki.destinations.ankiconnect import AnkiConnect
    from obs2anki.destinations.ankiconnect_calls import DEFAULT, KEY_VARIABLE
    from obs2anki.vault import find_settings

    in_force, _ = find_settings(vault)
    place = AnkiConnect(
        url or DEFAULT,
        os.environ.get(KEY_VARIABLE, ""),
        in_force.scheduling.rollover,
        where.schedules,
        where.deck_options,
    )
    return place.ahead(in_force.namespace)


def _server(vault: Path, where: Where, questions: Questions) -> Session:
    """The sync server that is named; if none is, the one of the settings, else AnkiWeb."""
    from obs2anki.credentials import Account, Sources
    from obs2anki.destinations.server import Server
    from obs2anki.vault import find_settings

    url = where.server
    in_force, _ = find_settings(vault, _layer([("sync.server", url or None, "--server")]))
    known = in_force.sync
    if known.user is None:
        raise Obs2ankiError(
            "Nobody is named who syncs. Write in obs2anki.toml:\n    [sync]\n"
            '    user = "the e-mail address of your AnkiWeb account, or your user on the server"'
        )
    sources = Sources(os.environ, bool(url) or known.server is None, questions.password)
    account = Account(known.user, known.server)
    ask, tell, often = questions.consent, questions.tell, where.often
    return Server(account, sources, ask, tell, each_time=not often).session


@dataclass(frozen=True, slots=True)
class Questions:
    """What a sync server may make necessary to ask."""

    password: Callable[[str], str] | None
    """None = there is nobody to ask."""
    consent: Callable[[str], bool]
    tell: Callable[[str], None]
    """Told what takes its time."""


def _questions(yes: bool, waiting: Waiting) -> Questions:
    """How to ask, or with `yes` not to ask, on this terminal."""
    import getpass

    def password(prompt: str) -> str:
        waiting.end()
        return getpass.getpass(harmless(prompt))

    def consent(question: str) -> bool:
        waiting.end()
        return typer.confirm(harmless(question), err=True)

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return Questions(None, lambda _: yes, waiting.do)
    return Questions(password, (lambda _: True) if yes else consent, waiting.do)


def _asking(
    shown: Callable[[Changes], Iterable[str]], yes: bool, waiting: Waiting
) -> Callable[[Changes], bool]:
    """What shows a large change and asks for it; with `yes` it is as good as asked."""

    def ask(changes: Changes) -> bool:
        if yes:
            return True
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise Obs2ankiError(
                "You have to be asked before this is done in Anki, and nobody is here to answer. "
                "Look at it with --dry-run; to have it done without being asked, give --yes."
            )
        waiting.end()
        _say(_lines(shown(changes)), sys.stderr)
        return typer.confirm("Do this in Anki?", err=True)

    return ask


@app.command()
def config(
    vault: Vault,
    format_: Annotated[ListFormat, typer.Option("--format", help="How to say it.")] = (
        ListFormat.TEXT
    ),
) -> None:
    """Show the settings that are in force, and where each one came from."""
    import json

    from obs2anki import build

    with _settings_seen_from_here(vault):
        in_force, found = build.settings_of(build.Request(vault))
    described = settings.describe(in_force)
    if format_ is ListFormat.JSON:
        rows = {key: {"value": value, "origin": origin} for key, value, origin in described}
        text = json.dumps({"version": 1, "settings": rows}, ensure_ascii=False, indent=2)
        _say([text, "\n"], sys.stdout)
        return
    _say_findings(found, _wording(vault))
    cells = [tuple(map(harmless, row)) for row in described]
    _say(_lines(columns([("Setting", "Value", "From"), *cells])), sys.stdout)


def _kept(context: typer.Context, made: object) -> None:
    """Let what a command has made last as long as the process, if that ends with the command."""
    keep: Callable[[object], None] | None = context.obj
    if keep is not None:
        keep(made)


def _cache() -> Path | None:
    """Where caches lie: as the variable says, else in the user's folder for them; None = none."""
    from obs2anki import cache

    named = os.environ.get("OBS2ANKI_CACHE")
    if named is None:
        return cache.folder()
    return Path(named) if named else None


def _layer(asked: Iterable[tuple[str, str | int | None, str]]) -> settings.Layer:
    """The settings that were given as options."""
    return settings.from_options(one for one in asked if one[1] is not None)


# ---------------------------------------------------------------- words


def _wording(vault: Path) -> Wording:
    """How paths of the vault are told: from the working folder."""
    from obs2anki.wording import Wording

    return Wording(_prefix(vault), str(vault))


def _prefix(vault: Path) -> str:
    """What leads from the working folder into the vault."""
    try:
        prefix = Path(os.path.relpath(vault)).as_posix()
    except ValueError:  # on Windows, from one drive to another
        prefix = vault.absolute().as_posix()
    return "" if prefix == "." else f"{prefix.rstrip('/')}/"


@contextmanager
def _settings_seen_from_here(vault: Path) -> Iterator[None]:
    """Name a settings file that cannot be used by its path from the working folder.

    An option is named as it is.
    """
    try:
        yield
    except settings.SettingsError as error:
        prefix = _prefix(vault)
        problems = (
            one if one.origin.startswith("--") else replace(one, origin=prefix + one.origin)
            for one in error.problems
        )
        raise settings.SettingsError(problems) from error


def _show_text(told: Report, wording: Wording) -> Said:
    """Findings on stderr, the report on stdout."""
    from obs2anki import findings, prose
    from obs2anki.rest import Said

    found = _findings(findings.worth_a_line(told.outcome.round.plan.diagnostics), wording)
    return Said(f"{prose.text(told, wording)}\n", "".join(found))


def _show_json(told: Report, _: Wording) -> Said:
    """All of it as JSON on stdout."""
    from obs2anki import report
    from obs2anki.rest import Said

    return Said(f"{report.as_json(told)}\n", "")


def _show_github(told: Report, wording: Wording) -> Said:
    """Findings as annotations, then the report, on stdout."""
    from obs2anki import findings, prose
    from obs2anki.rest import Said

    found = _lines(findings.commands(told.outcome.round.plan.diagnostics, wording))
    return Said("".join((*found, findings.unobeyed(prose.text(told, wording)), "\n")), "")


_SHOW: dict[Format, Callable[[Report, Wording], Said]] = {
    Format.TEXT: _show_text,
    Format.JSON: _show_json,
    Format.GITHUB: _show_github,
}


def _say_both(said: Said) -> None:
    """First what goes to stderr: the report stands last on a screen."""
    _say([said.err], sys.stderr)
    _say([said.out], sys.stdout)


def _say_findings(diagnostics: Iterable[Diagnostic], wording: Wording) -> None:
    """The findings on stderr."""
    _say(_findings(diagnostics, wording), sys.stderr)


def _findings(diagnostics: Iterable[Diagnostic], wording: Wording) -> Iterable[str]:
    """The lines of the findings."""
    from obs2anki import findings

    found = list(findings.lines(diagnostics, wording, wants_colour(sys.stderr)))
    if found and sys.stderr.isatty():
        found.append("")  # the report follows on the same screen
    return _lines(found)


def _lines(lines: Iterable[str]) -> Iterable[str]:
    return (f"{line}\n" for line in lines)


def _say(pieces: Iterable[str], stream: TextIO) -> None:
    """Write to a stream whose reader may have left, or whose disk may be full."""
    try:
        _write(pieces, stream)
    except OSError as error:
        _hush(stream)
        if isinstance(error, BrokenPipeError):
            raise Stopped(PIPE_CLOSED) from None
        raise Obs2ankiError(
            f"The output cannot be written ({error.strerror or error}). "
            "Look at where it is sent to."
        ) from error


def _hush(stream: TextIO) -> None:
    """Send to nowhere what is left in the buffer, and all that follows.

    It would fail once more when Python ends.
    """
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
    stream.flush()


def _say_if_there_is_room(pieces: Iterable[str], stream: TextIO) -> None:
    """As `_say`, but what a full disk does not take is lost, and what follows need not be."""
    try:
        _write(pieces, stream)
    except OSError as error:
        if error.errno not in FULL:
            _say((), stream)  # what is left
            return
        held = os.dup(stream.fileno())
        _hush(stream)
        os.dup2(held, stream.fileno())
        os.close(held)


def _write(pieces: Iterable[str], stream: TextIO) -> None:
    for piece in pieces:
        stream.write(piece)
    stream.flush()


# ---------------------------------------------------------------- the ends of a run


def main() -> NoReturn:
    """Run the command of `sys.argv` and end the process with its exit code."""
    # One run makes millions of small values and hardly a cycle among them: looking for cycles
    # took a sixth of the time of a large export, and freed nothing.
    gc.disable()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, io.TextIOWrapper(io.FileIO(os.devnull, "w")))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            # Vaults hold every script, whatever the locale says.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    # What holds itself and is frozen is never freed: to free a large plan, value by value, took
    # a tenth of the time of an export, and the system takes all of it back at once.
    made: list[object] = []
    made.append(made)
    try:
        code = run(sys.argv[1:], made.append)
    except Stopped as stopped:  # while the last words were said
        code = stopped.code
    gc.freeze()
    sys.exit(code)


def run(arguments: Sequence[str], keep: Callable[[object], None] | None = None) -> int:
    """Run one command; returns its exit code. Only this catches errors.

    `keep` is handed what need not be freed, if the process ends with the command.
    """
    try:
        _refuse_empty(arguments)
        _refuse_half_addresses(arguments)
        app(args=list(_with_values(arguments)), obj=keep)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE
    except Stopped as stopped:
        return _told(stopped.code, () if stopped.code == PIPE_CLOSED else ("Stopped.",))
    except KeyboardInterrupt:
        return _told(STOPPED + signal.SIGINT, ("Stopped.",))
    except Exception as error:
        code, lines = _words_of(error)
        return _told(code, lines, None if isinstance(error, Obs2ankiError) else error)
    return DONE


def _refuse_empty(arguments: Sequence[str]) -> None:
    """Raise an Obs2ankiError for `export "$UNSET"`, which would be the folder that one is in."""
    if "" in arguments:
        raise Obs2ankiError(
            "One of the arguments is empty: perhaps a variable that is not set. For the folder "
            "that you are in, write a full stop."
        )


MAY_BE_BARE = ("--connect", "--server")
"""Options whose value, an address, may be left out."""


def _refuse_half_addresses(arguments: Sequence[str]) -> None:
    """Raise an Obs2ankiError for `--connect localhost:8765`, which would be taken for a vault."""
    for argument, following in pairwise(arguments):
        host, mark, port = following.removesuffix("/").rpartition(":")
        whole = "://" in following
        if argument in MAY_BE_BARE and not whole and mark and host and port.isdecimal():
            raise Obs2ankiError(
                f"{argument} takes a whole address. Write {argument} http://{following} or, if "
                f"that is how it is reached, https://{following}"
            )


def _with_values(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments, an option that stands without its address as one with an empty value."""
    for argument, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        bare = argument in MAY_BE_BARE and ("://" not in following or following.startswith("-"))
        yield f"{argument}=" if bare else argument


def _words_of(error: Exception) -> tuple[int, Iterable[str]]:
    """The exit code of an error, and the lines that say what is wrong."""
    match error:
        case Obs2ankiError():
            return IMPOSSIBLE, str(error).split("\n")
        case OSError():
            return IMPOSSIBLE, (_of_the_system(error),)
        case MemoryError():
            return IMPOSSIBLE, ("There is not enough memory for this vault.",)
        case _:
            return BUG, _of_a_bug(error)


def _told(code: int, lines: Iterable[str], error: BaseException | None = None) -> int:
    """Say the lines on stderr, if it takes them; the traceback too, for those who want it."""
    if error is not None and os.environ.get("OBS2ANKI_DEBUG"):
        import traceback

        traceback.print_exception(error)
    try:
        _write((f"{harmless(line)}\n" for line in lines), sys.stderr)
    except OSError:
        _hush(sys.stderr)
    return code


def _of_the_system(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename is not None else ""
    return f"The system says: {error.strerror or error}{where}. Mend that, and try again."


def _of_a_bug(error: Exception) -> Iterable[str]:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    yield f"This is a bug in obs2anki: {type(error).__name__}: {error}{place}"
    yield f"Please report it{_tracker()}, with what you did and, if you can, the document."
    yield "To see where it happened, run the same again with OBS2ANKI_DEBUG=1."


def _tracker() -> str:
    """Where bugs are reported, as the package's metadata says."""
    from importlib import metadata

    try:
        links = metadata.metadata("obs2anki").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ""
    urls = dict(link.split(", ", 1) for link in links if ", " in link)
    url = urls.get("Issues") or next(iter(urls.values()), None)
    return f" at {url}" if url else ""
