"""`Secret`: a credential on its way to the loader."""


class Secret:
    """A credential on its way to the loader.

    Its ``repr`` shows nothing, and it can't be pickled, so that no log and no cache gets the credential by accident.
    """

    __slots__ = ("arguments",)
    arguments: tuple[str, ...]
    """The arguments of the loader. They are set after the object was made: an ``__init__`` would cost a call more."""

    def __repr__(self) -> str:
        return "<Secret>"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not pickled")
