"""Errors of a sandbox. None of them leaves `ingest`."""

from tagstream.errors import TagstreamError


class SandboxError(TagstreamError):
    """A child gave no answer to one request."""


class NotStarted(SandboxError):
    """No child is there: none can be started, or it lacks a protection that is required."""


class HandlerFailed(SandboxError):
    """The module's own code raised on this request; the child lives on."""


class TooCostly(SandboxError):
    """The request takes more than it may."""


class OutOfMemory(TooCostly):
    """The request takes more memory than it may; the child lives on."""


class OutOfTime(TooCostly):
    """The request takes more processor time than it may."""


class StoodStill(SandboxError):
    """The child gave no answer in time but used little processor time: the machine may be at fault as well."""


class Died(SandboxError):
    """The child ended, or sent what no child of ours sends."""
