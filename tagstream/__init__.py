"""tagstream reads a live social feed, finds the names in every post, and makes them searchable."""

import os.path
import sys

from tagstream.shadowing import ShadowedPackage, refuse_shadowed_packages

__version__ = "0.1.0"


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
