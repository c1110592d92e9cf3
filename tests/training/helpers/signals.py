"""Signals that a test gives to its own process."""

import signal


def deliver(number: signal.Signals) -> None:
    """Calls the handler of that signal, as the interpreter does between two instructions.

    No real signal is sent: a process that has loaded every native library of the project may not outlive one.
    """
    handler = signal.getsignal(number)
    assert callable(handler)
    handler(number, None)
