import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from obs2anki import settings
from obs2anki.data import FlashcardType, Source, VaultPath
from obs2anki.diagnostics import Obs2ankiError
from obs2anki.settings import (
    DeckRule,
    Grammar,
    Settings,
    SettingsError,
    describe,
    from_app,
    from_options,
    from_plugin,
    from_toml,
    merge,
    proved_separators,
)

VECTORS = Path(__file__).parent.parent / "fixtures" / "vectors" / "plugin-1.15.4.jsonl"
HIGHLIGHT = "==[123;;]answer[;;hint]=="
BOLD = "**[123;;]answer[;;hint]**"
CURLY = "{{[123;;]answer[;;hint]}}"
BASIC, REVERSED = FlashcardType.SINGLE_LINE_BASIC, FlashcardType.SINGLE_LINE_REVERSED


def plugin(content: object) -> Settings:
    return merge(settings.WITH_PLUGIN, from_plugin(json.dumps(content), "data.json"))


def ours(content: str) -> Settings:
    return merge(settings.WITH_PLUGIN, from_toml(content, "obs2anki.toml"))


def complaint(content: str) -> str:
    with pytest.raises(SettingsError) as caught:
        from_toml(content, "obs2anki.toml")
    return str(caught.value)


def document(text: str, path: str = "a.md") -> Source:
    return Source(VaultPath(path), text)


# ---------------------------------------------------------------- the plugin's data.json


@pytest.mark.parametrize("content", [None, {}, {"settings": None}, {"buryList": []}])
def test_without_settings_the_plugins_own_defaults_are_in_force(content: object) -> None:
    assert plugin(content) == Settings()
    assert Settings().grammar == Grammar(
        single_line="::",
        single_line_reversed=":::",
        multi_line="?",
        multi_line_reversed="??",
        end_marker="",
        cloze_patterns=(HIGHLIGHT,),
        flashcard_tags=("#flashcards",),
        folders_to_ignore=("**/*.excalidraw.md",),
    )


def test_every_key_of_the_plugin_that_matters_is_read() -> None:
    read = plugin(
        {
            "settings": {
                "flashcardTags": ["#cards", "#anki/x"],
                "flashcardTagsToIgnore": ["#no"],
                "convertFoldersToDecks": True,
                "noteFoldersToIgnore": ["Temp", "**/x/**"],
                "singleLineCardSeparator": ";;",
                "singleLineReversedCardSeparator": ";;;",
                "multilineCardSeparator": "&",
                "multilineReversedCardSeparator": "&&",
                "multilineCardEndMarker": "---",
                "clozePatterns": [CURLY],
                "maximumInterval": 365,
                "algorithm": "FSRS",
                "showContextInCards": False,
                "baseEase": "anything: not ours",
            }
        }
    )
    assert read.grammar == Grammar(
        single_line=";;",
        single_line_reversed=";;;",
        multi_line="&",
        multi_line_reversed="&&",
        end_marker="---",
        cloze_patterns=(CURLY,),
        flashcard_tags=("#cards", "#anki/x"),
        tags_to_ignore=("#no",),
        folders_to_ignore=("Temp", "**/x/**"),
        folders_as_decks=True,
    )
    assert (read.maximum_interval, read.algorithm, read.cards.context) == (365, "FSRS", False)


@pytest.mark.parametrize(
    ("toggles", "patterns"),
    [
        ({}, ()),
        ({"clozePatterns": None}, ()),
        ({"convertHighlightsToClozes": True}, (HIGHLIGHT,)),
        ({"convertBoldTextToClozes": True, "convertHighlightsToClozes": False}, (BOLD,)),
        (
            {
                "convertCurlyBracketsToClozes": True,
                "convertBoldTextToClozes": True,
                "convertHighlightsToClozes": True,
                "clozePatterns": None,
            },
            (HIGHLIGHT, BOLD, CURLY),
        ),
        ({"convertBoldTextToClozes": True, "clozePatterns": []}, ()),
        ({"convertBoldTextToClozes": True, "clozePatterns": [HIGHLIGHT]}, (HIGHLIGHT,)),
    ],
)
def test_toggles_make_cloze_patterns_only_where_there_are_none(
    toggles: dict[str, object], patterns: tuple[str, ...]
) -> None:
    assert plugin({"settings": toggles}).grammar.cloze_patterns == patterns


@pytest.mark.parametrize(
    ("written", "separators"),
    [
        ({"singlelineCardSeparator": ">>"}, (">>", ":::")),
        ({"singlelineReversedCardSeparator": ">>>"}, ("::", ">>>")),
        ({"singlelineCardSeparator": ">>", "singleLineCardSeparator": ";;"}, (";;", ":::")),
        ({"singlelineCardSeparator": ">>", "singleLineCardSeparator": None}, (">>", ":::")),
        ({"singlelineCardSeparator": ">>", "singleLineCardSeparator": ""}, ("", ":::")),
    ],
)
def test_older_spellings_count_where_todays_are_missing(
    written: dict[str, object], separators: tuple[str, str]
) -> None:
    grammar = plugin({"settings": written}).grammar
    assert (grammar.single_line, grammar.single_line_reversed) == separators


def test_the_one_tag_of_the_first_versions_counts_where_todays_are_missing() -> None:
    assert plugin({"settings": {"flashcardsTag": "#old"}}).grammar.flashcard_tags == ("#old",)
    both = {"settings": {"flashcardsTag": "#old", "flashcardTags": ["#new"]}}
    assert plugin(both).grammar.flashcard_tags == ("#new",)


def test_null_counts_as_missing() -> None:
    assert plugin({"settings": {"flashcardTags": None, "clozePatterns": [HIGHLIGHT]}}).grammar == (
        Grammar()
    )


def test_a_byte_order_mark_before_settings_is_dropped() -> None:
    assert from_plugin('\ufeff{"settings": {"algorithm": "FSRS"}}', "data.json")[0].value == "FSRS"
    assert ours("\ufeffnamespace = 'x'").namespace == "x"


def test_ill_typed_values_of_the_plugin_are_all_told_with_their_lines() -> None:
    content = """{
  "settings": {
    "flashcardTags": "#flashcards",
    "convertFoldersToDecks": "yes",
    "multilineCardSeparator": 7,
    "clozePatterns": ["x", 1]
  }
}"""
    with pytest.raises(SettingsError) as caught:
        from_plugin(content, "data.json")
    assert str(caught.value).splitlines() == [
        "data.json:5: multilineCardSeparator needs text in quotes, not 7. "
        "Set it again in the plugin's settings in Obsidian.",
        'data.json:6: clozePatterns needs a list of texts in quotes, not ["x", 1]. '
        "Set it again in the plugin's settings in Obsidian.",
        'data.json:3: flashcardTags needs a list of texts in quotes, not "#flashcards". '
        "Set it again in the plugin's settings in Obsidian.",
        'data.json:4: convertFoldersToDecks needs true or false, not "yes". '
        "Set it again in the plugin's settings in Obsidian.",
    ]


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ('{\n  "settings": {\n    "flashcardTags": [,]\n}}', 3, "no valid JSON"),
        ("", 1, "no valid JSON"),
        ("[]", 1, "no JSON object"),
        ('"text"', 1, "no JSON object"),
        ("[" * 200_000, 1, "more brackets"),
        ('{"settings": ' + "9" * 5_000 + "}", 1, "digits"),
    ],
)
def test_a_corrupt_data_json_is_an_error_with_line_and_remedy(
    content: str, line: int, reason: str
) -> None:
    with pytest.raises(Obs2ankiError) as caught:
        from_plugin(content, "data.json")
    assert str(caught.value).startswith(f"data.json:{line}: This file cannot be used")
    assert reason in str(caught.value)
    assert "open the vault in Obsidian" in str(caught.value)


@pytest.mark.parametrize("value", ["text", 5, [1]])
def test_settings_that_are_no_object_are_an_error(value: object) -> None:
    with pytest.raises(SettingsError, match="settings needs an object"):
        plugin({"settings": value})


def test_half_a_character_is_no_text() -> None:
    with pytest.raises(SettingsError, match="singleLineCardSeparator needs text"):
        from_plugin('{"settings": {"singleLineCardSeparator": "\\ud83d"}}', "data.json")


def test_every_data_json_of_the_vectors_is_read() -> None:
    cases = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    assert len(cases) == 229
    for case in cases:
        grammar = plugin(case["data_json"]).grammar
        written = case["data_json"]["settings"]
        assert list(grammar.flashcard_tags) == written["flashcardTags"]
        assert grammar.single_line == written.get("singleLineCardSeparator", "::")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
SPELLINGS = sorted({spelling for key in settings.KEYS for spelling in key.plugin})


@given(st.dictionaries(st.sampled_from(SPELLINGS), JSON))
def test_any_data_json_is_read_or_refused_with_its_lines(written: dict[str, object]) -> None:
    try:
        plugin({"settings": written})
    except SettingsError as error:
        assert all(one.line == 1 and one.origin == "data.json" for one in error.problems)
        assert len(error.problems) == len(str(error).splitlines())


# ---------------------------------------------------------------- Obsidian's app.json


@pytest.mark.parametrize(
    ("written", "folder"),
    [
        ("/", "/"),
        ("", "/"),
        ("./", "./"),
        (".", "./"),
        ("./img", "./img"),
        (".\\img\\", "./img"),
        ("assets\\img", "assets/img"),
        ("/assets/", "assets"),
    ],
)
def test_the_attachment_folder_is_normalised(written: str, folder: str) -> None:
    layer = from_app(json.dumps({"attachmentFolderPath": written}), "app.json")
    assert merge(Settings(), layer).obsidian.attachment_folder == folder


def test_app_json_says_how_documents_look() -> None:
    layer = from_app('{"strictLineBreaks": true, "rightToLeft": true, "vimMode": 1}', "app.json")
    obsidian = merge(Settings(), layer).obsidian
    assert (obsidian.strict_line_breaks, obsidian.right_to_left) == (True, True)


def test_an_ill_typed_value_in_app_json_is_passed_over() -> None:
    assert from_app('{"strictLineBreaks": "yes", "attachmentFolderPath": 3}', "app.json") == ()


# ---------------------------------------------------------------- obs2anki.toml


def test_every_key_of_ours_is_read() -> None:
    read = ours(
        """
        output = "decks/mine.apkg"
        ledger = ".obs2anki/other.jsonl"
        namespace = "school"
        [grammar]
        single_line = ";;"
        single_line_reversed = ";;;"
        multi_line = "&"
        multi_line_reversed = "&&"
        end_marker = "---"
        cloze_patterns = ["{{[123;;]answer[;;hint]}}"]
        flashcard_tags = ["#a", "b"]
        tags_to_ignore = ["c"]
        folders_to_ignore = ["Temp"]
        folders_as_decks = true
        mend = ["html-comments"]
        [select]
        reviewed = true
        ignore = ["x/**"]
        [decks]
        keys = ["pile"]
        root = "All"
        strip = ["flashcards"]
        depth = 3
        [[decks.rules]]
        tag = "#ml"
        deck = "Machine Learning"
        [[decks.rules]]
        folder = "drafts/"
        skip = true
        [cards]
        context = false
        source = false
        vault = ""
        [scheduling]
        enabled = false
        revlog = true
        rollover = 0
        timezone = "Pacific/Kiritimati"
        [media]
        max_size = 5
        download = true
        [check]
        ignore = ["O605"]
        [check.ignore_in]
        "drafts/**" = ["O301", "O401"]
        [sync]
        user = "anna"
        server = "http://home.example:8080"
        """
    )
    assert read.output == "decks/mine.apkg"
    assert read.ledger == ".obs2anki/other.jsonl"
    assert read.namespace == "school"
    assert read.grammar == Grammar(
        single_line=";;",
        single_line_reversed=";;;",
        multi_line="&",
        multi_line_reversed="&&",
        end_marker="---",
        cloze_patterns=(CURLY,),
        flashcard_tags=("#a", "#b"),
        tags_to_ignore=("#c",),
        folders_to_ignore=("Temp",),
        folders_as_decks=True,
        mend=frozenset({"html-comments"}),
    )
    assert read.select == settings.Select(reviewed=True, ignore=("x/**",))
    assert read.decks == settings.Decks(
        keys=("pile",),
        rules=(
            DeckRule(tag="ml", deck="Machine Learning"),
            DeckRule(folder="drafts", skip=True),
        ),
        root="All",
        strip=("flashcards",),
        depth=3,
    )
    assert read.cards == settings.Cards(context=False, source=False, vault="")
    assert read.scheduling == settings.Schedule(
        enabled=False, revlog=True, rollover=0, timezone="Pacific/Kiritimati"
    )
    assert read.media == settings.MediaSettings(max_size=5, download=True)
    assert read.check == settings.Check(
        ignore=("O605",), ignore_in=(settings.IgnoreIn("drafts/**", ("O301", "O401")),)
    )
    assert read.sync == settings.Sync(user="anna", server="http://home.example:8080/")


@pytest.mark.parametrize(
    ("content", "folder"),
    [
        ('{"folder": "Meta/Templates/"}', "Meta/Templates"),
        ('{"templates_folder": "T", "user_scripts_folder": "S"}', "T"),
        ('{"folder": ""}', None),
        ('{"folder": "/"}', None),
        ('{"folder": 5}', None),
        ("{}", None),
        ("null", None),
    ],
)
def test_the_folder_of_templates_is_read(content: str, folder: str | None) -> None:
    assert settings.template_folder(content, "templates.json") == folder


@pytest.mark.parametrize(
    ("written", "means"),
    [("/Drafts/", "Drafts/"), ("./Drafts/**", "Drafts/**"), ("//a", "a"), ("../a", "../a")],
)
def test_a_path_may_begin_at_the_root(written: str, means: str) -> None:
    quoted = json.dumps(written)
    read = ours(
        f"[select]\nignore = [{quoted}]\n[grammar]\nfolders_to_ignore = [{quoted}]\n"
        f'[check.ignore_in]\n{quoted} = ["O301"]\n'
        f"[[decks.rules]]\nfolder = {quoted}\nskip = true\n"
    )
    assert read.select.ignore == read.grammar.folders_to_ignore == (means,)
    assert [one.paths for one in read.check.ignore_in] == [means]
    assert [one.folder for one in read.decks.rules] == [means.strip("/")]


@pytest.mark.parametrize("written", ["/", "./"])
def test_the_root_alone_leaves_out_nothing(written: str) -> None:
    assert ours(f'[select]\nignore = ["{written}"]').select.ignore == (written,)


def test_a_setting_that_no_file_may_set_is_unknown_in_ours() -> None:
    assert "There is no setting maximum_interval" in complaint("maximum_interval = 5")


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("maximum_interval = 5", "maximum_interval"),
        ("plugin = true", "plugin"),
        ("[obsidian]\nright_to_left = true", "obsidian"),
        ("[grammar]\nmore_inline = ['::']", "[grammar] more_inline"),
    ],
)
def test_what_config_shows_and_other_files_decide_is_not_said_to_be_unknown(
    content: str, shown: str
) -> None:
    said = complaint(content)
    assert f"There is no setting {shown} in this file. Leave it out" in said
    assert "Known here" not in said and "Did you mean" not in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('[grammar]\nsingle_lin = "::"', "2: There is no setting [grammar] single_lin."),
        ('[grammer]\nsingle_line = "::"', "1: There is no setting grammer."),
        ('x = 1\ny = "2"\n\nouput = "a"', "4: There is no setting ouput."),
        ("[scheduling]\n# hour\n'rolover' = 3", "3: There is no setting [scheduling] rolover."),
        ("decks.rot = 'x'", "1: There is no setting [decks] rot."),
        ("timezone = 'UTC'", "1: There is no setting timezone."),
        ('[grammar]\nflashcardTags = ["#a"]', "2: There is no setting [grammar] flashcardTags."),
        ("\nmedia = 5", "2: [media] is a table, but is written as a single value."),
    ],
)
def test_an_unknown_key_is_told_with_its_line(content: str, sentence: str) -> None:
    assert f"obs2anki.toml:{sentence}" in complaint(content)


@pytest.mark.parametrize(
    ("content", "remedy"),
    [
        ('[grammar]\nsingle_lin = "::"', "Did you mean [grammar] single_line?"),
        ("[grammer]\nsingle_line = '::'", "Did you mean [grammar]?"),
        ("ouput = 'a'", "Did you mean output?"),
        ("timezone = 'UTC'", "Did you mean [scheduling] timezone?"),
        ("[decks]\nrollover = 3", "Did you mean [scheduling] rollover?"),
        ('[grammar]\nflashcardTags = ["#a"]', "Did you mean [grammar] flashcard_tags?"),
        ("[media]\nzzz = 1", "Known here are: max_size, download."),
        ("[select]\nqqqq = 1", "Known here are: reviewed, ignore."),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest_valid_one(content: str, remedy: str) -> None:
    assert complaint(content).endswith(remedy)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[scheduling]\nrollover = 24", "2: [scheduling] rollover needs a whole number from 0"),
        ("[scheduling]\nrollover = true", "2: [scheduling] rollover needs a whole number from 0"),
        ("[scheduling]\nrollover = '4'", 'from 0 to 23, not "4".'),
        (
            "[scheduling]\ntimezone = 'Europe/Pariss'",
            "2: [scheduling] timezone needs the name of a",
        ),
        ("[scheduling]\ntimezone = 'Europe/Pariss'", 'such as "Europe/Paris"'),
        ("[scheduling]\ntimezone = 'Europe'", "[scheduling] timezone needs the name of a time"),
        ("[scheduling]\ntimezone = '../../etc/passwd'", "timezone needs the name of a time zone"),
        ("[sync]\nserver = 'anki.example.org'", "server needs the address of a sync server"),
        ("[sync]\nserver = 'ftp://anki.example.org'", "server needs the address of a sync server"),
        ("[sync]\nserver = 'https://a:b@example.org'", "server needs the address of a sync"),
        ("[sync]\nserver = 'https://example.org:x'", "server needs the address of a sync server"),
        ("[sync]\nserver = 'https://[example.org'", "server needs the address of a sync server"),
        ("[sync]\npassword = 'geheim'", "There is no setting [sync] password."),
        ("[scheduling]\nenabled = 'no'", '2: [scheduling] enabled needs true or false, not "no".'),
        ("[decks]\ndepth = 12", "2: [decks] depth needs a whole number from 0 to 11, not 12."),
        ("[media]\nmax_size = 0", "2: [media] max_size needs a whole number of 1 or more, not 0."),
        ("[grammar]\nsingle_line = 1", "2: [grammar] single_line needs text in quotes"),
        ('[grammar]\nsingle_line = "a\\nb"', "2: [grammar] single_line needs text in quotes, on"),
        ("[grammar]\nflashcard_tags = '#a'", "2: [grammar] flashcard_tags needs a list of texts"),
        ("[grammar]\nmend = ['all']", '2: [grammar] mend needs a list of "callouts" and "html-'),
        ("[select]\nignore = ['']", "2: [select] ignore needs a list of texts in quotes, none"),
        ("[check]\nignore = 'O301'", "2: [check] ignore needs a list of codes of findings, not"),
        ("[check]\nignore = ['o301']", '2: [check] ignore needs codes of findings, and "o301" is'),
        ("[check]\nignore = ['o301']", "is none; O301 is nearest"),
        ("[check]\nignore = ['spelling']", 'and "spelling" is none, such as O401'),
        ("[check]\nignore_in = 5", '2: [check] ignore_in needs a table of "path" = ["code", ...]'),
        (
            "[check.ignore_in]\n'a' = ['O301']\n'b/**' = ['o605']",
            '3: [check] ignore_in b/** needs codes of findings, and "o605" is none; O605 is',
        ),
        ("[check]\nignor = ['O301']", "2: There is no setting [check] ignor."),
        ("namespace = ''", "1: namespace needs text in quotes that is not empty"),
        ("ledger = '/etc/x'", "1: ledger needs a relative path of a file, without .."),
        ("ledger = '../x'", "1: ledger needs a relative path"),
        ("ledger = 'a\\..\\..\\x'", "1: ledger needs a relative path"),
        ("ledger = 'C:x'", "1: ledger needs a relative path"),
        ("ledger = 'folder/'", "1: ledger needs a relative path"),
        ("output = '~/x.apkg'", "1: output needs a relative path"),
        ("output = ''", "1: output needs a relative path"),
        ("[decks]\nrules = 'x'", "2: [decks] rules needs tables, each headed [[decks.rules]]"),
        (
            "[[decks.rules]]\ntag='a'\ndeck='b'\n[[decks.rules]]\nfodler = 'x'",
            '5: [decks] rules fodler needs one of the keys tag, folder, deck, skip; "folder" is',
        ),
        (
            "[[decks.rules]]\ntag='a'\ndeck='b'\n[[decks.rules]]\ntag = 7",
            "5: [decks] rules tag needs text in quotes that is not empty",
        ),
        (
            "[[decks.rules]]\ntag='a'\ndeck='b'\n[[decks.rules]]\ndeck = 'x'",
            "4: [decks] rules needs either a tag or a folder in each rule",
        ),
        ("[[decks.rules]]\ntag='a'", "1: [decks] rules needs either a deck or skip = true"),
        (
            "[[decks.rules]]\ntag='a'\ndeck='b'\nskip=true",
            "1: [decks] rules needs either a deck or skip = true",
        ),
    ],
)
def test_a_value_that_a_key_cannot_have_is_told_with_its_line(content: str, sentence: str) -> None:
    assert sentence in complaint(content)
    assert complaint(content).startswith("obs2anki.toml:")


def test_all_problems_of_a_file_are_told_at_once() -> None:
    told = complaint("ouput = 'a'\n[decks]\ndepth = 99\n[grammar]\nfoo = 1\nbar = 2")
    assert [line.split(" ")[0] for line in told.splitlines()] == [
        "obs2anki.toml:1:",
        "obs2anki.toml:3:",
        "obs2anki.toml:5:",
        "obs2anki.toml:6:",
    ]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("a = 1\nb = = 2", 2),
        ("a = 1\na = 2", 2),
        ("[grammar]\nsingle_line = ::", 2),
        ('a = 1\nb = "open', 2),
        ("x = [1,\n2,\n", 3),
    ],
)
def test_broken_toml_is_an_error_with_its_line(content: str, line: int) -> None:
    assert complaint(content).startswith(f"obs2anki.toml:{line}: This file is no valid TOML")


@pytest.mark.parametrize(
    ("content", "table", "key"),
    [
        ("[select] reviewed = true", "[select]", "reviewed = true"),
        ('\r\n[grammar] single_line = "@@"\r\n', "[grammar]", 'single_line = "@@"'),
        ('[[decks.rules]] tag = "a" # mine', "[[decks.rules]]", 'tag = "a" # mine'),
    ],
)
def test_a_key_beside_its_tables_name_is_shown_below_it(content: str, table: str, key: str) -> None:
    assert complaint(content).endswith(
        f" Write the table's name on a line of its own:\n    {table}\n    {key}"
    )


def test_a_table_that_stands_twice_is_shown_as_one() -> None:
    said = complaint("[select]\nreviewed = true\n\n[select]\nignore = []")
    assert said.startswith("obs2anki.toml:4: ")
    assert said.endswith(" Write these keys below the first [select], and leave out this one.")


def test_an_option_that_cannot_be_names_the_command_to_ask() -> None:
    with pytest.raises(SettingsError, match="See the command's --help for --rollover"):
        from_options([("scheduling.rollover", 24, "--rollover")])


@given(st.text(alphabet="[]=\"'\n.#{},a1 \\\t"))
def test_any_text_is_read_as_toml_or_refused(content: str) -> None:
    try:
        layer = from_toml(content, "obs2anki.toml")
    except SettingsError as error:
        assert all(str(one).startswith("obs2anki.toml") for one in error.problems)
    else:
        assert layer == ()


def test_toml_of_a_hundred_thousand_brackets_is_an_error() -> None:
    assert "no valid TOML" in complaint("x = " + "[" * 100_000)


# ---------------------------------------------------------------- what is in force


def test_the_later_layer_wins_and_says_so() -> None:
    merged = merge(
        settings.WITH_PLUGIN,
        from_plugin('{"settings": {"singleLineCardSeparator": "a", "algorithm": "FSRS"}}', "P"),
        from_toml("grammar.single_line = 'b'\nscheduling.rollover = 3", "T"),
        from_options([("scheduling.rollover", 5, "--rollover")]),
    )
    assert (merged.grammar.single_line, merged.scheduling.rollover) == ("b", 5)
    assert dict(merged.origin) == {
        "grammar.single_line": "T",
        "grammar.cloze_patterns": "P",
        "scheduling.rollover": "--rollover",
        "algorithm": "P",
    }
    assert merged.decided("scheduling.rollover")
    assert not merged.decided("scheduling.timezone")


def test_an_option_that_cannot_be_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError) as caught:
        from_options([("scheduling.rollover", 25, "--rollover")])
    assert str(caught.value).startswith("--rollover: 25 is not a whole number from 0 to 23.")


def test_describe_tells_every_setting_and_where_it_comes_from() -> None:
    merged = merge(
        settings.WITH_PLUGIN,
        from_toml('[[decks.rules]]\ntag = "a"\ndeck = "B"\n[grammar]\nmend=["callouts"]', "T"),
    )
    described = {key: (value, origin) for key, value, origin in describe(merged)}
    assert described["decks.rules"] == ('[{ tag = "a", deck = "B" }]', "T")
    assert described["grammar.mend"] == ('["callouts"]', "T")
    assert described["grammar.single_line"] == ('"::"', "default")
    assert described["output"] == ("(none)", "default")
    assert described["scheduling.enabled"] == ("true", "default")
    assert len(described) == len(settings.KEYS) == len(describe(merged))


def test_every_value_that_a_dataclass_holds_has_a_row() -> None:
    rows = {key.name for key in settings.KEYS}
    for attribute in Settings.__slots__:
        inner = getattr(getattr(Settings(), attribute), "__slots__", None)
        names = {f"{attribute}.{name}" for name in inner} if inner else {attribute}
        assert names - {"origin"} <= rows


def test_the_plugin_tries_the_longest_separator_first_and_basic_on_ties() -> None:
    assert Grammar().inline == ((":::", REVERSED), ("::", BASIC))
    assert Grammar(single_line="::", single_line_reversed=";;").inline == (
        ("::", BASIC),
        (";;", REVERSED),
    )
    assert Grammar(single_line="", single_line_reversed="<>").inline == (("<>", REVERSED),)
    # Two of JavaScript's characters are longer than one.
    assert Grammar(single_line="é", single_line_reversed="😀").inline[0] == ("😀", REVERSED)


# ---------------------------------------------------------------- separators proved by reviews


def proved(*texts: str, base: Settings = settings.WITHOUT_PLUGIN) -> Settings:
    return proved_separators(base, [document(text) for text in texts])[0]


@pytest.mark.parametrize(
    ("text", "separators"),
    [
        ("Q::A\n<!--SR:!2024-01-01,1,250-->", (("::", BASIC),)),
        ("Q::A\r\n<!--SR:!2024-01-01,1,250-->\r\n", (("::", BASIC),)),
        ("Q::A <!--SR:!2024-01-01,1,250-->", (("::", BASIC),)),
        ("Q:::A\n<!--SR:!2024-01-01,1,250!2024-01-02,1,250-->", ((":::", REVERSED),)),
        ("Q::A\n> [!sr|card-metadata]\n> <!--SR:!2024-01-01,1,250-->", (("::", BASIC),)),
        ("Q>>A\n<!--SR:!2024-01-01,1,250-->", ((">>", BASIC),)),
        ("Q：：A\n<!--SR:!2024-01-01,1,250-->", (("：：", BASIC),)),
        ("Q::A\n\n<!--SR:!2024-01-01,1,250-->", ()),
        ("Q::A\n <!--SR:!2024-01-01,1,250-->", ()),
        ("Q::A", ()),
        (">>>>>>> other <!--SR:!2024-01-01,1,250-->", ()),  # left by git
        ("> >> quoted\n<!--SR:!2024-01-01,1,250-->", ()),
        ("::A\n<!--SR:!2024-01-01,1,250-->", ()),
        ("> Q>>A\n<!--SR:!2024-01-01,1,250-->", ((">>", BASIC),)),
        ("Q;;A::B\n<!--SR:!2024-01-01,1,250-->", ()),
        ("`Q::A`\n<!--SR:!2024-01-01,1,250-->", ()),
        ("Q\n?\nstd::vector\n<!--SR:!2024-01-01,1,250-->", ()),
        ("Q\n?\nA\n\nQ::A\n<!--SR:!2024-01-01,1,250-->", (("::", BASIC),)),
        ("<!-- a::b -->\n<!--SR:!2024-01-01,1,250-->", ()),
        ("<!--SR:!2024-01-01,1,250-->\nQ::A", ()),
    ],
)
def test_a_separator_directly_followed_by_a_review_is_proved(
    text: str, separators: tuple[tuple[str, FlashcardType], ...]
) -> None:
    assert proved(text).grammar.more_inline == separators


def test_proved_separators_are_in_force_besides_the_default_ones() -> None:
    grammar = proved("Q::A\n<!--SR:!2024-01-01,1,250-->").grammar
    assert grammar.inline == ((";;;", REVERSED), (";;", BASIC), ("::", BASIC))


def test_the_run_says_once_which_separator_was_proved_and_where_first() -> None:
    review = "<!--SR:!2024-01-01,1,250-->"
    sources = [
        document("nothing::here", "a.md"),
        document(f"x\n\nQ::A\n{review}\nR::B\n{review}", "b.md"),
        document(f"Q::A\n{review}", "c.md"),
    ]
    changed, said = proved_separators(settings.WITHOUT_PLUGIN, sources)
    assert [(one.code, one.path, one.line) for one in said] == [("O103", "b.md", 3)]
    assert '\n[grammar]\nsingle_line = "::"' in said[0].hint
    assert dict(changed.origin)["grammar.more_inline"] == "proved by reviews"


def test_nothing_is_proved_against_the_plugins_settings_or_ours() -> None:
    text = "Q::A\n<!--SR:!2024-01-01,1,250-->"
    with_plugin = plugin({"settings": {"singleLineCardSeparator": ";;"}})
    assert proved(text, base=with_plugin) is with_plugin
    decided = merge(settings.WITHOUT_PLUGIN, from_toml("grammar.single_line = ';;'", "T"))
    assert proved(text, base=decided) is decided
