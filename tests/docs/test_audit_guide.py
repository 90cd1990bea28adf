"""The guide about the audit."""

import re

from flask_unauthorized.audit.findings import RULES

from .pages import ROOT, blocks, check_console

PAGE = "docs/guides/audit.md"


def test_the_commands_print_what_the_page_shows(tmp_path):
    (program,) = blocks(PAGE, "python")
    check_console(PAGE, program, tmp_path)


def test_the_table_of_findings_is_that_of_the_command():
    rows = re.findall(r"^\| (A\d+) \| (\w+) \|", (ROOT / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    assert dict(rows) == {rule.id: rule.level for rule in RULES.values()}
