"""The logger ``flask_unauthorized``, and the one way in which the package writes lines to it.

A request must not fail because a log handler, a filter or a factory of records of the app fails. So modules of the
package write lines by `log`, never by `LOGGER` itself:

1. A line whose level isn't enabled costs one look at the level.
2. If logging raises an exception, the line is lost. One ERROR names the line, with the traceback of the failure.
3. If that fails as well, the ERROR goes to the standard error stream.
4. Many lines are about an exception of the app, whose text may hold a secret. A handler that fails prints its traceback
   with the exceptions "during handling of" which it failed. So a line is written while an `Apart` is being handled.

The records of security events have fields, so `events.log_event` makes them. It reports a lost record in the same way.
"""

import logging
from typing import Final

LOGGER: Final = logging.getLogger("flask_unauthorized")
"""For its level. Its methods raise what handlers and filters raise."""
ROOT_LOGGER: Final = logging.getLogger()
"""The parent of `LOGGER`. Comparing both levels costs an accepted request less than `logging.Logger.isEnabledFor`."""


class Log:
    """Writes lines. The methods take what those of `logging.Logger` take, and never raise an exception."""

    def debug(self, message: str, *args: object) -> None:
        """Write a line at DEBUG."""
        _write(logging.DEBUG, message, args)

    def info(self, message: str, *args: object) -> None:
        """Write a line at INFO."""
        _write(logging.INFO, message, args)

    def warning(self, message: str, *args: object) -> None:
        """Write a line at WARNING."""
        _write(logging.WARNING, message, args)

    def error(self, message: str, *args: object) -> None:
        """Write a line at ERROR."""
        _write(logging.ERROR, message, args)

    def exception(self, message: str, *args: object) -> None:
        """Write a line at ERROR, with the traceback of the exception that is being handled."""
        _write(logging.ERROR, message, args, with_traceback=True)


log: Final = Log()


class Apart(Exception):
    """The exception that is being handled while a line or a record is written.

    It hides the one that was being handled before, whose text may hold a secret.
    """


def _write(level: int, message: str, args: tuple[object, ...], *, with_traceback: bool = False) -> None:
    if not LOGGER.isEnabledFor(level):
        return
    apart = None
    try:
        if with_traceback:
            LOGGER.log(level, message, *args, exc_info=True, stacklevel=3)
            return
        apart = Apart()
        try:
            raise apart
        except Apart:
            apart.__context__ = apart.__traceback__ = None  # its traceback holds this frame: a cycle
            LOGGER.log(level, message, *args, stacklevel=3)
    except Exception as failure:  # The request goes on without the line.
        report_loss(failure, apart, f'the line "{message}"', *args)


def report_loss(failure: Exception, hidden: BaseException | None, what: str, *args: object) -> None:
    """Log that a line or a record was lost; on the standard error stream if the handlers of the logger fail again.

    Args:
        failure: What logging raised.
        hidden: The exception that was being handled before. The traceback doesn't show it.
        what: What was lost, with placeholders for ``args``.
        *args: The values of the placeholders.
    """
    _cut_context(failure, hidden)
    text = f"{what} was not logged, because a log handler or a filter failed"
    try:
        LOGGER.error(text, *args, exc_info=failure)
    except Exception:  # The same handlers or filters fail again.
        if logging.lastResort is not None:
            # Not by makeRecord, because the app's LogRecord factory may be what fails.
            exc_info = (type(failure), failure, failure.__traceback__)
            logging.lastResort.handle(logging.LogRecord(LOGGER.name, logging.ERROR, __file__, 0, text, args, exc_info))


def _cut_context(failure: BaseException, hidden: BaseException | None) -> None:
    """Take an exception out of those "during handling of" which another one occurred."""
    while failure.__context__ is not None:
        if failure.__context__ is hidden:
            failure.__context__ = None
            return
        failure = failure.__context__
