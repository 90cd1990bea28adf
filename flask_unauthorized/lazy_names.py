"""Packages whose names are imported when they are first used (PEP 562).

An app loads the schemes and loaders that it uses, and no others. Type checkers see plain imports under
``TYPE_CHECKING``, and `lazy_names` stands outside of these, so that a misspelled name is still an error for them.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module


def lazy_names(
    package: str, modules: Mapping[str, Iterable[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return ``__getattr__`` and ``__dir__`` for a package.

    Args:
        package: The package's ``__name__``.
        modules: Names by the module that has them; modules are relative to the package, such as ``".schemes.bearer"``.
    """
    module_of = {name: module for module, names in modules.items() for name in names}
    namespace = vars(sys.modules[package])

    def get(name: str) -> object:
        module = module_of.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(module, package), name)
        namespace[name] = value
        return value

    def list_names() -> list[str]:
        return sorted({*namespace, *module_of})

    return get, list_names
