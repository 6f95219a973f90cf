"""What holds for every test: properties that repeat themselves, and a plain environment."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# "steady" tries the same examples in every run, so that a failure is a change of the
# code and never luck. Before a release, look further:
#   python -m pytest -n auto --hypothesis-profile=search
settings.register_profile(
    "steady",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search",
    max_examples=2000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

# Whoever runs the tests in the background ignores Ctrl-C, and so would each process of theirs.
signal.signal(signal.SIGINT, signal.default_int_handler)

SPEAKING_VARIABLES = (
    "SOURCE_DATE_EPOCH",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "COLUMNS",
    "GITHUB_ACTIONS",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)
"""Variables to which obs2anki or a library of its listens, and a test should not."""


@pytest.fixture(scope="session", autouse=True)
def plain_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No variable and no cache of the machine's decides a test; children inherit the same.

    Nor is anything left in its folder for temporary files: each vault has a lock there.
    """
    caches = str(tmp_path_factory.mktemp("caches"))
    with (
        tempfile.TemporaryDirectory(prefix="obs2anki-tests-") as temporary,
        pytest.MonkeyPatch.context() as patch,
    ):
        Path(temporary).chmod(0o1777)  # some tests go on as someone who may do little
        patch.setattr(tempfile, "tempdir", temporary)
        for name in ("TMPDIR", "TEMP", "TMP"):
            patch.setenv(name, temporary)
        patch.setenv("XDG_CACHE_HOME", caches)
        patch.setenv("LOCALAPPDATA", caches)
        for name in SPEAKING_VARIABLES:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A temporary folder that every user may enter; those of pytest are its user's alone."""
    folder = Path(tempfile.mkdtemp(prefix="open-"))
    folder.chmod(0o755)
    yield folder
    for inner in (folder, *folder.rglob("*")):
        if not inner.is_symlink():
            inner.chmod(0o755)
    shutil.rmtree(folder)
