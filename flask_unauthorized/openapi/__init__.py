"""OpenAPI documents that say what the app demands.

Libraries that write such a document don't know the guards of this package. `Auth.openapi` adds what they lack: security
schemes, ``security`` for each operation, and the refusals with their headers. Each module does one step:

- `versions`: which version a document has, and where it keeps its parts.
- `document`: a copy of the document, to which parts are added and in which nothing is changed.
- `matching`: which routes of the app an operation describes.
- `security`: the schemes, and what an operation demands.
- `refusals`: the responses 400, 401, 403, 429 and 503.
- `describe`: puts the steps together.
- `plugin`: `AuthPlugin` does it for apispec. It is loaded, and apispec with it, when the name is first used.

Invariants: the given document is never changed. What its author wrote stays. No loader, store or view is called, and
the document names none of them, nor a file or a private reason.
"""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .plugin import AuthPlugin as AuthPlugin
else:
    __getattr__, __dir__ = lazy_names(__name__, {".plugin": ("AuthPlugin",)})

__all__ = ["AuthPlugin"]
