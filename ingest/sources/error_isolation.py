"""Isolation of unexpected errors: the one guard of all sources around the reading of a frame, line or entry.

::

    an unexpected error of one item ─▶ a known good item ─┬▶ is read: the item is at fault, its own dead letter
                                                          └▶ fails, too: a defect of ours, `Fatal`

So no item ends its feed, whatever our code does over it, and a broken installation does not dead-letter a whole feed.
The known good item is read anew at each failure, so a failure costs a few times what reading costs, and no more.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tagstream.errors import Fatal, Retryable
from tagstream.posts import DeadLetter, clean_text

UNEXPECTED = "unexpected"
_LONGEST_SHOWN = 500


def isolate_error(error: Exception, read_known_good: Callable[[], object]) -> str:
    """Returns the dead letter's message for the item over which our code failed with this error.

    `read_known_good` reads a known good item in the same way, without a guard of its own.

    Raises:
        Fatal: reading the known good item fails as well; or the error itself is `Fatal`.
        Retryable: the error itself is an outage, which is not the item's fault.
    """
    if isinstance(error, Fatal | Retryable):
        raise error
    try:
        read_known_good()
    except Exception as defect:
        raise Fatal(
            f"reading fails on what is known to be good, with {type(defect).__name__}: {defect} (and on the feed with "
            f"{type(error).__name__}). That is a defect or a broken installation, not the feed; what could not be read "
            "is read again at the next start"
        ) from defect
    return clean_text(f"our code failed on it with {type(error).__name__}: {error}"[:_LONGEST_SHOWN])


def identified_dead_letter(make: Callable[[Mapping[str, Any]], DeadLetter], fields: Mapping[str, Any]) -> DeadLetter:
    """Makes the dead letter with as much of its identity as the fields tell; our code may have failed on them."""
    try:
        return make(fields)
    except Exception:  # whatever the error is, the dead letter is kept without those fields
        return make({})
