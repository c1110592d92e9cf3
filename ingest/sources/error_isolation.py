"""What becomes of an error that nobody expected while one frame, line or entry is read: the one guard of all sources.

::

    an unexpected error of one item ─▶ an item known to be good ─┬▶ is read: the item is guilty, its own dead letter
                                                                 └▶ fails, too: a defect of ours, `Fatal`

So no item ends its feed, whatever our code does over it, and a broken installation does not bury a whole feed. What is
known to be good is read anew for each failure: a failure costs a few times what reading costs, and no more.
"""

from collections.abc import Callable, Mapping
from typing import Any

from tagstream.errors import Fatal, Retryable
from tagstream.posts import DeadLetter, clean_text

UNEXPECTED = "unexpected"
_LONGEST_SHOWN = 500


def isolate_error(error: Exception, read_known_good: Callable[[], object]) -> str:
    """What the dead letter says of the item over which our code failed with this error.

    `read_known_good` reads what is known to be good in the same way, without a guard of its own.

    Raises:
        Fatal: that fails as well; or it is the error itself, as is an outage: those are not of the item.
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


def identified_dead_letter(letter: Callable[[Mapping[str, Any]], DeadLetter], fields: Mapping[str, Any]) -> DeadLetter:
    """The dead letter with as much of its identity as the fields tell; they may be what our code failed on."""
    try:
        return letter(fields)
    except Exception:  # whatever it is, the letter is kept without those fields
        return letter({})
