"""What may come of asking a sandbox, other than an answer. None of it leaves `ingest`."""

from tagstream.errors import TagstreamError


class SandboxError(TagstreamError):
    """A child gave no answer to one request."""


class NotStarted(SandboxError):
    """No child can be had: it cannot be started, or lacks a protection that was asked for."""


class HandlerFailed(SandboxError):
    """The module's own code raised on this request; the child lives."""


class TooCostly(SandboxError):
    """The request takes more than it may."""


class OutOfMemory(TooCostly):
    """It takes more memory than it may; the child lives."""


class OutOfTime(TooCostly):
    """It takes more processor time than it may."""


class StoodStill(SandboxError):
    """The child gave no answer in time, though it used little of its processor time: the machine's fault as likely."""


class Died(SandboxError):
    """The child ended, or said what none of ours would say."""
