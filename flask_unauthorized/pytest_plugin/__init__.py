"""The pytest plugin ``unauthorized``: lint each response of a test suite, and the fixture `unauthorized`.

The plugin is off by default, because an installed package must not change a test suite. Until it is switched on, it
imports nothing but pytest. It is switched on

- for a run, by ``--unauthorized-lint=fail`` or ``--unauthorized-lint=warn``,
- for a project, by ``unauthorized_lint = fail`` in the ini file,
- for a test, by ``@pytest.mark.unauthorized_lint("fail")``, which overrides both. Its ``ignore={"W4"}`` leaves out
  findings.

For each test the plugin takes these steps:

1. Before the fixtures are set up, it listens to the test clients that are loaded (`clients`).
2. When the test has passed, an error among the findings fails it in the mode ``fail``. A test that fails by itself
   keeps its own failure, and the findings stand in a section of its report.
3. Findings that don't fail the test are warnings of pytest. Notes aren't reported.
4. After the fixtures are torn down, the clients are as they were.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

if TYPE_CHECKING:  # Nothing of the package is imported before the plugin is used.
    from .clients import Recorder
    from .fixture import Unauthorized

_MODES: Final = ("off", "warn", "fail")
_MARKER: Final = "unauthorized_lint"
_recorder_key: "pytest.StashKey[Recorder]" = pytest.StashKey()


class _Choice(NamedTuple):
    """What holds for one test."""

    mode: str
    ignore: frozenset[str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option and the ini value."""
    text = "lint the responses of the tests: off (default), warn, or fail for errors"
    group = parser.getgroup("flask_unauthorized")
    group.addoption("--unauthorized-lint", choices=_MODES, default=None, help=text)
    parser.addini(_MARKER, text, default="off")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse an unknown mode."""
    config.addinivalue_line(
        "markers",
        f"{_MARKER}(mode, ignore=()): how the responses of this test are linted (off, warn or fail), and the findings "
        "to ignore",
    )
    _validated_mode(config.getini(_MARKER), f"the ini value {_MARKER}")


def _validated_mode(mode: object, where: str) -> str:
    if mode not in _MODES:
        raise pytest.UsageError(f"{where} is {mode!r}: write off, warn or fail")
    return str(mode)


def _choice(item: pytest.Item) -> _Choice:
    mode = item.config.getoption("--unauthorized-lint") or item.config.getini(_MARKER)
    ignore: set[str] = set()
    chosen = None
    for marker in item.iter_markers(_MARKER):  # the nearest first
        given = marker.args[0] if marker.args else marker.kwargs.get("mode")
        chosen = given if chosen is None else chosen
        ignored = marker.kwargs.get("ignore", ())
        ignore.update([ignored] if isinstance(ignored, str) else ignored)
    if chosen is not None:
        mode = _validated_mode(chosen, f"the mode of the marker {_MARKER}")
    return _Choice(mode, frozenset(ignore))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Begin to record responses before the fixtures are set up."""
    try:
        choice = _choice(item)
        if choice.mode != "off":
            _check_ignored(choice.ignore)
    except pytest.UsageError as error:
        yield  # What pytest takes down after this test must be set up.
        pytest.fail(str(error), pytrace=False)
    if choice.mode != "off":
        from .clients import Recorder

        recorder = item.stash[_recorder_key] = Recorder(choice.ignore)
        recorder.start()
    return (yield)


def _check_ignored(ignored: frozenset[str]) -> None:
    from ..lint.catalog import RULES

    unknown = sorted(map(repr, ignored - {*RULES}))
    if unknown:
        raise pytest.UsageError(
            f"ignore of the marker {_MARKER} has {', '.join(unknown)}, which the linter does not know: write some of "
            + ", ".join(RULES)
        )


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Report the findings of the fixtures and of the test."""
    recorder = item.stash.get(_recorder_key, None)
    if recorder is None:
        return (yield)
    recorder.start()  # A fixture may have imported a client.
    try:
        result: Any = yield
    except BaseException:  # The outcome "skipped" is one.
        found = recorder.take()
        if found:
            item.add_report_section("call", "unauthorized lint", "\n".join(map(str, found)))
        raise
    _report(item, recorder)
    return result  # type: ignore[no-any-return]  # pytest's, passed on


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Put the methods of the clients back, and report the findings of the end of the fixtures."""
    recorder = item.stash.get(_recorder_key, None)
    if recorder is None:
        return (yield)
    try:
        result: Any = yield
    finally:
        recorder.stop()
    _report(item, recorder)
    return result  # type: ignore[no-any-return]  # pytest's, passed on


def _report(item: pytest.Item, recorder: "Recorder") -> None:
    found = recorder.take()
    errors = [finding for finding in found if finding.level == "error"]
    if errors and _choice(item).mode == "fail":
        serious = [finding for finding in found if finding.level != "note"]
        serious.sort(key=lambda finding: finding.level != "error")
        pytest.fail("unauthorized lint: " + "\n".join(map(str, serious)), pytrace=False)
    from .clients import UnauthorizedLintWarning

    for finding in found:
        if finding.level != "note":
            item.warn(UnauthorizedLintWarning(str(finding)))


@pytest.fixture
def unauthorized(request: pytest.FixtureRequest) -> "Iterator[Unauthorized]":
    """Give callers, outages, a clock and the refusals of this test. See `Unauthorized`."""
    from .fixture import Unauthorized

    helper = Unauthorized(request.node.stash.get(_recorder_key, None))
    with helper.recording():
        yield helper
