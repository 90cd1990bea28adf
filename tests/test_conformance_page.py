"""The page of what is proven is fresh, and its generator refuses what isn't so."""

import ast

import pytest

from . import conformance
from .conformance import Proof, Wrong, audits, check, page, parts

TABLE = (
    "# comment\n\n## RFC 1, one\nA-01 | MUST | §1 | First.\n\n## RFC 2, two (later: two)\nB-01 | fact | §2 | Second.\n"
)
NOTED = TABLE.replace("First.", "First. | out: no need")


def test_the_page_is_fresh():
    assert conformance.PAGE.read_text(encoding="utf-8") == conformance.current(), f"run {conformance.COMMAND}"


def test_a_row_tells_its_tests_or_why_there_are_none():
    told = page(parts(TABLE), [Proof("tests/test_x.py", f"test_{n}", ("A-01",)) for n in range(5)])
    assert "Of 2 rows, 1 are shown by tests, 1 are planned for later, and\n0 are out of scope" in told
    assert "| A-01 | MUST | §1 | First. | [test_0](../../tests/test_x.py)<br>" in told
    assert "<br>and 2 more |" in told
    assert "| B-01 | fact | §2 | Second. | *later: two* |" in told


@pytest.mark.parametrize(
    ("table", "proofs", "words"),
    [
        (TABLE, [], "A-01 has no test and no reason"),
        (TABLE, [Proof("f", "t", ("A-01", "C-09"))], "claims C-09, which rows.txt doesn't have"),
        (TABLE + "B-02 | MUST | §2 | Third.\nB-03 | MUST | §2 | Fourth.\n",
         [Proof("f", "t", ("A-01", "B-01", "B-02", "B-03"))], "claims 4 rows"),
        (NOTED, [Proof("f", "t", ("A-01",))], "A-01 has a test, and a note"),
        (TABLE + "A-01 | MUST | §2 | Again.\n", [], "an ID twice"),
    ],
)  # fmt: skip
def test_what_does_not_agree_is_refused(table, proofs, words):
    with pytest.raises(Wrong, match=words):
        check(parts(table), proofs)


@pytest.mark.parametrize("line", ["A-02 | MUST | §1", "A-02 | MUST | §1 | Says. | because"])
def test_a_broken_row_is_refused(line):
    with pytest.raises(Wrong, match=r"rows.txt:8: a row is"):
        parts(TABLE + line)


def test_marks_are_found_wherever_pytest_finds_them():
    source = """
import pytest
@pytest.mark.rfc("A-01", "A-02")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.rfc("A-03"))])
def test_one(x): pass
class TestTwo:
    @pytest.mark.rfc("A-04")
    def test_two(self): pass
Made = pytest.mark.rfc("A-05")(object)
def test_three(): pass
"""
    assert list(conformance._marks(ast.parse(source))) == [
        ("test_one", ("A-01", "A-02", "A-03")),
        ("test_two", ("A-04",)),
        ("Made", ("A-05",)),
    ]


AUDITED = "# comment\n## Sessions\nV1.1 | L1 | {} | First. | {}\n"
SHOWS = [Proof("tests/test_x.py", "test_x", ("V1.1",))]


def test_the_page_for_auditors_is_fresh():
    assert audits.PAGE.read_text(encoding="utf-8") == audits.current(), f"run {conformance.COMMAND}"


def test_a_row_for_auditors_shows_state_setting_and_tests():
    told = audits.page(audits.parts(AUDITED.format("configured", "`store=`")), SHOWS)
    assert "| ASVS L1 | 1 | 0 | 1 | 0 | 0 | 0 |" in told
    assert "Not met in this library's part: 0 of ASVS L1; 0 of ASVS L2; 0 of ASVS L3; 0 of FAPI, NIST." in told
    assert "| V1.1 | L1 | First. | met when configured | `store=` | [test_x](../../tests/test_x.py) |" in told


def test_rows_that_are_not_met_are_counted_at_the_head():
    told = audits.page(audits.parts(AUDITED.format("no", "later")), [])
    assert "Not met in this library's part: 1 of ASVS L1; 0 of ASVS L2" in told


@pytest.mark.parametrize(
    ("state", "how", "proven", "words"),
    [
        ("default", "-", [], "V1.1 says that it is met: mark a test"),
        ("configured", "`store=`", [], "V1.1 says that it is met: mark a test"),
        ("configured", "-", SHOWS, "must say how"),
        ("no", "-", [], "must say how"),
        ("documented", "[a](no-such-page.md)", [], "link to a page that exists"),
        ("no", "later", SHOWS, "V1.1 isn't met, and has a test"),
        ("tried", "-", [], "audits.txt:3: a row is"),
        ("app", "-", [Proof("f", "t", ("V9.9",))], "claims V9.9"),
        ("maybe", "-", [], "audits.txt:3: a row is"),
    ],
)
def test_a_row_for_auditors_claims_no_more_than_is_shown(state, how, proven, words):
    with pytest.raises(Wrong, match=words):
        audits.check(audits.parts(AUDITED.format(state, how)), proven)
