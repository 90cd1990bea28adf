"""Find wrong refusals in the responses of any server. Standard library only: this package imports no Flask.

Servers refuse requests in ways that leave a client without a next step: a 401 without a challenge, a challenge that no
parser accepts, a 403 for a caller who should log in. Each module does one step:

- `exchange`: one request with its response, as plain values.
- `catalog`: every finding with its level, its source and its fix.
- `rules`: what a single exchange shows. `lint` calls them.
- `comparisons`: what only several exchanges show.
- `middleware`: `Linter` (WSGI) and `ASGILinter`, which lint the responses of an app.
- `probes` and ``__main__``: ``python -m flask_unauthorized.lint URL``, which asks a server.

Invariants: nothing here changes a response. A finding holds no credential, no cookie and no nonce. An error is reported
only if a standard forbids the response; advice is a warning or a note.
"""

from .catalog import Finding
from .middleware import ASGILinter, Linter, LintError
from .rules import lint

__all__ = ["ASGILinter", "Finding", "LintError", "Linter", "lint"]
