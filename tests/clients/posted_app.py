"""The program of the docs for a provider that posts its answer, with the provider that the test names."""

import os

from ..test_readme import program_of

scope = {"__name__": "posted"}
exec(program_of("An identity provider that posts its answer", "docs/guides/cross-site.md"), scope)
scope["PROVIDER"] = os.environ["PROVIDER"]
app = scope["app"]
