"""The page of errors is fresh, and has an anchor for each address that problem details can have."""

import re

import pytest

from flask_unauthorized import AuthError, errors, events

from . import errors as page
from .pages import ROOT


def test_the_page_is_fresh():
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), f"run {page.COMMAND}"


def test_the_page_has_all_public_errors():
    public = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AuthError)}
    assert {kind for kind in public if not kind.__name__.startswith("_")} - {AuthError} == set(page.CASES)


@pytest.mark.parametrize("kind", page.CASES, ids=lambda kind: kind.__name__)
def test_the_response_is_that_of_the_class(kind):
    response = page.response(kind, "application/problem+json")
    assert response.status_code == kind.code
    assert response.json["type"].startswith(page.BASE)
    assert response.json.get("error") == kind.error
    assert ("WWW-Authenticate" in response.headers) == (kind.code == 401 or kind.error is not None)


@pytest.mark.parametrize("kind", page.CASES, ids=lambda kind: kind.__name__)
def test_the_page_has_the_anchor_of_each_error(kind):
    """GitHub and MyST make it of the heading. `test_site` looks at the built page."""
    assert f"\n## {page.anchor(kind)}\n" in page.PAGE.read_text(encoding="utf-8")


def test_the_reason_codes_are_those_of_the_log():
    documented = set(re.findall(r"^ *\| `(\w+)` ", events.__doc__.partition("| reason_code |")[2], re.MULTILINE))
    shown = {kind.reason_code for kind in page.CASES} | {code for case in page.CASES.values() for code in case.codes}
    # The code of a mistake in the set-up, which is no refusal.
    assert shown == documented - {"misconfigured"}


def test_other_pages_name_the_page():
    assert "errors.md" in (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
