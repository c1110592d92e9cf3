"""A check that `ingest`, `search`, `workers`, `training` and `ops` are tagstream's own.

These names are common. A folder or a file of such a name beside a script, in the current folder, or of another
distribution comes first on the path, and is then imported in place of tagstream's; without this check the first sign is
an import that fails far from its cause. A folder without `__init__.py` hides nothing, because Python prefers a package
anywhere on the path to it.
"""

import os
import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec

PACKAGES = ("ingest", "search", "workers", "training", "ops")
# The docstring of each of our `__init__.py` has this word; another distribution may have put its own in that file.
_SIGN = b"tagstream"


class ShadowedPackage(ImportError):
    """Another package or module would be imported in place of one of tagstream's."""


def refuse_shadowed_packages(installed_in: str) -> None:
    """Looks for each of the packages as an import would; imports none of them.

    `installed_in` is the folder (or zip archive) that holds the package `tagstream`, and so the others.

    Raises:
        ShadowedPackage: one of them would come from somewhere else; the message names the file.
    """
    for name in PACKAGES:
        if name in sys.modules and not _is_loaded_from(name, installed_in):
            raise ShadowedPackage(_message_of_loaded(name), name=name)
        spec = _found(name)
        if spec is not None and not _is_ours(name, spec, installed_in):
            raise ShadowedPackage(_message(name, spec.origin or "a folder without a name"), name=name, path=spec.origin)


def _found(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except ValueError:  # imported, without a specification, and found to look in our folder
        return None


def _is_loaded_from(name: str, installed_in: str) -> bool:
    """Tells whether the imported module looks for its own modules in our folder; a module with a file is told later."""
    module = sys.modules[name]
    if getattr(getattr(module, "__spec__", None), "origin", None):
        return True
    folder = os.path.realpath(os.path.join(installed_in, name))
    return any(os.path.realpath(path) == folder for path in getattr(module, "__path__", ()))


def _is_ours(name: str, spec: ModuleSpec, installed_in: str) -> bool:
    if spec.origin is None:
        return True  # a folder without __init__.py, which is found only where our package is not installed at all
    expected = os.path.join(installed_in, name, "__init__.py")
    if not _is_same(spec.origin, expected):
        return False
    read = getattr(spec.loader, "get_data", None)
    return read is None or _SIGN in read(spec.origin)


def _is_same(origin: str, expected: str) -> bool:
    # A compiled file has another ending; a link may lead to the folder under another name.
    origin, expected = os.path.splitext(origin)[0], os.path.splitext(expected)[0]
    return origin == expected or os.path.realpath(origin) == os.path.realpath(expected)


def _message_of_loaded(name: str) -> str:
    return (
        f"tagstream cannot be imported: another module {name!r}, imported before, hides tagstream's own package: "
        "rename it, or give tagstream a process of its own"
    )


def _message(name: str, origin: str) -> str:
    path = sys.path[0] or os.getcwd() if sys.path else ""
    folder = os.path.dirname(os.path.dirname(origin) if os.path.basename(origin).startswith("__init__.") else origin)
    is_beside = os.path.realpath(folder) == os.path.realpath(path)
    advice = (
        "rename it, or start the program from another folder"
        if is_beside
        else "rename it, take its folder off the path, or give tagstream a virtual environment of its own"
    )
    return f"tagstream cannot be imported: {origin} hides tagstream's own package {name!r}: {advice}"
