"""The page of reasons, from the table that the tests check: ``python -m tests.docs.reasons`` writes it."""

from pathlib import Path

from tests.reasons import Row
from tests.reasons.test_reasons import AREAS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reasons.md"
COMMAND = "python -m tests.docs.reasons"
TITLES = {
    "basic": "Basic and passwords",
    "certificates": "Client certificates",
    "digest": "Digest",
    "dpop": "DPoP",
    "introspection": "Introspection",
    "jwt": "JWT",
    "logout": "Logout by an identity provider",
    "outages": "Outages that a test makes",
    "pairs": "Access and refresh tokens",
    "remote_user": "Users of the web server",
    "selection": "Which scheme decides, and what a view demands",
    "sessions": "Sessions and remembered logins",
    "stored_tokens": "Stored tokens",
    "stores": "Stores",
    "throttle": "Throttles",
    "tokens": "Other tokens and API keys",
}
_INTRODUCTION = f"""\
# Reasons

Each refused request has a private reason. It says what was received, what was expected, and often how to repair it.
You find it in [the log](logging.md), behind the name of the error:

```text
refused notes: InvalidCredentials (the loader of Basic returned False for the name and the password)
```

Search this page for a few words of your line. The values in it, such as names and times, are examples. The texts may
change with any release, so let programs read the [reason code](logging.md#reason-codes). `{COMMAND}` writes this
page from the refusals that the tests provoke.
"""


def page() -> str:
    """Return the page as it should be."""
    parts = [_INTRODUCTION]
    for area in AREAS:
        title = TITLES[area.__name__.rpartition(".")[2]]
        rows = sorted({_row(row) for row in area.ROWS})
        parts.append("\n".join([f"\n## {title}\n", "| status | code | reason |", "|---|---|---|", *rows]) + "\n")
    return "".join(parts)


def _row(row: Row) -> str:
    text = row.reason.replace("|", "\\|")
    fence = "``" if "`" in text else "`"
    return f"| {row.status} | `{row.make().reason_code}` | {fence}{text}{fence} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
