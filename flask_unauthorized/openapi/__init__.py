"""OpenAPI documents that say what the app demands.

Libraries that write such a document don't know the guards of this package. `Auth.openapi` adds what they lack: security
schemes, ``security`` for each operation, and the refusals with their headers. Each module does one step:

- `versions`: which version a document has, and where it keeps its parts.
- `document`: a copy of the document, to which parts are added and in which nothing is changed.
- `matching`: which routes of the app an operation describes.
- `security`: the schemes, and what an operation demands.
- `refusals`: the responses 400, 401, 403, 429 and 503.
- `describe`: puts the steps together.

Invariants: the given document is never changed. What its author wrote stays. No loader, store or view is called, and
the document names none of them, nor a file or a private reason.
"""
