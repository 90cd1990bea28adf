"""Copies of errors that outlive the request."""

from . import AuthError


class ErrorSnapshot:
    """A copy of an error: its class and fields, never the exception, whose traceback would keep frames alive."""

    __slots__ = ("args", "fields", "kind")

    def __init__(self, error: AuthError) -> None:
        self.kind = type(error)
        self.args = error.args
        self.fields = vars(error).copy()

    def restore(self) -> AuthError:
        """Return an equal error."""
        error = self.kind.__new__(self.kind, *self.args)
        error.__dict__.update(self.fields)
        return error
