"""The example with personal access tokens, as the server of its tests runs it."""

from examples.token_settings import create_app

app = create_app()
