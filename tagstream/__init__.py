"""tagstream reads a live social feed, finds the names in every post, and makes them searchable.

>>> import tagstream
>>> tagger = tagstream.load()
>>> [(entity.text, entity.type) for entity in tagger("Angela Merkel lands in New York City")]
[('Angela Merkel', 'PER'), ('New York City', 'LOC')]

The rest of the packages is the program; `tagstream --help` lists its commands.
"""

import os.path
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from tagstream.shadowing import ShadowedPackage, refuse_shadowed_packages

if TYPE_CHECKING:
    from tagstream.python_api import EntityTagger, TaggedText, TextEntity, load

__all__ = ["EntityTagger", "TaggedText", "TextEntity", "__version__", "load"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Imports the Python API when a program first asks for it, so that commands do not pay for it."""
    if name in __all__:
        return getattr(import_module("tagstream.python_api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _is_command() -> bool:
    """Whether this import is the start of `tagstream` or `python -m tagstream`, and not of another program."""
    started_as = sys.argv[0] if getattr(sys, "argv", None) else ""
    return started_as == "-m" or os.path.basename(started_as) == "tagstream"


try:
    refuse_shadowed_packages(os.path.dirname(os.path.dirname(__file__)))
except ShadowedPackage as _shadowed:
    if not _is_command():
        raise
    sys.exit(f"error: {_shadowed}")
