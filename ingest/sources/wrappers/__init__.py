"""Wrappers around a source: a slower pace, a recording, a survey, photos."""
