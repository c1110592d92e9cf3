"""Fixtures of systems and encoders, small enough to be built once a session."""

from training_fixtures import encoder, one_thread, samples, sizes

__all__ = ["encoder", "one_thread", "samples", "sizes"]
