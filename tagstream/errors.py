"""Every error of the project, with its handler.

::

    TagstreamError
    ├── Retryable               the stage runner backs off, with jitter, and tries again without limit
    │   ├── BrokerUnavailable   Kafka does not answer
    │   ├── IndexUnavailable    the index does not answer, or is locked
    │   └── ModelUnavailable    the model server does not answer, or is overloaded
    ├── Poison                  the stage runner sends this one value to the dead letters and goes on
    │   ├── MalformedPost       it cannot be read as a post, a deletion or an erasure
    │   │   └── Unencodable     it holds a value that no message can hold
    │   ├── UntaggablePost      the tagger fails on this post alone
    │   └── RejectedDocument    the index refuses this document alone
    └── Fatal                   the command line says what to do and exits; nothing is acknowledged
        ├── BadSettings         a setting, an argument or a combination of them makes no sense (exit 2)
        ├── UnreadableInput     a file that was named cannot be read (exit 3)
        │   └── AbsentIndex     there is no index at the address, or not yet: whoever follows it waits
        ├── ServiceUnavailable  a service does not answer when the program starts (exit 4)
        ├── CorruptState        stored state cannot be ours: never guess, never repair silently
        └── NewerVersion        a message or a file from a newer tagstream: upgrade this one first

An outage is `Retryable` and never `Poison`: only a value that fails by itself is dead-lettered.
A message says which post or setting, its value, the limit, and what to do.
"""


class TagstreamError(Exception):
    """The root of all errors that tagstream raises.

    Attributes:
        excerpt: lines that show the place of the error in what was given; mostly none.
    """

    excerpt: str = ""


class Retryable(TagstreamError):
    """A dependency is down or busy; the same call may succeed later."""


class BrokerUnavailable(Retryable):
    """Kafka does not answer."""


class IndexUnavailable(Retryable):
    """The index does not answer, or another process holds it."""


class ModelUnavailable(Retryable):
    """The model server does not answer, or refuses because it is overloaded."""


class Poison(TagstreamError):
    """One value can never be processed; the values beside it can."""


class MalformedPost(Poison):
    """The bytes are not a post, a deletion or an erasure."""


class Unencodable(MalformedPost):
    """A value that no message can hold: an integer beyond 64 bits, a lone surrogate, values nested without end."""


class UntaggablePost(Poison):
    """The tagger fails on this post, and on no other of its batch."""


class RejectedDocument(Poison):
    """The index refuses this document, and no other of its batch."""


class Fatal(TagstreamError):
    """The program cannot go on; `exit_code` is what the command line returns."""

    exit_code = 1


class BadSettings(Fatal):
    """A setting, an argument, or a combination of them makes no sense."""

    exit_code = 2


class UnreadableInput(Fatal):
    """A file that was named cannot be opened or read."""

    exit_code = 3


class AbsentIndex(UnreadableInput):
    """There is no index at the address that was named; a writer may make it yet."""


class ServiceUnavailable(Fatal):
    """A service does not answer when the program starts."""

    exit_code = 4


class CorruptState(Fatal):
    """Stored state contradicts itself."""


class NewerVersion(Fatal):
    """A message, file or table was written by a newer tagstream."""
