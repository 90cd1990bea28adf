"""The example with passkeys, as the server of its tests runs it."""

from examples.passkey_step_up import create_app

app = create_app()
