"""The errors of the stack, apart from the product's tree: this package stands alone.

::

    StackError             a server died, did not answer in time, or its name is wrong
    └── NotInstallable     a program is missing, or a download failed or is not what was pinned
"""


class StackError(Exception):
    """A part of the stack cannot do what was asked; the message says what to do."""


class NotInstallable(StackError):
    """The servers' files cannot be had on this machine; the message says what to install."""
