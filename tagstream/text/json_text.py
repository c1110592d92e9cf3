"""Reasons for which a text is not JSON, in words for users: those of Python's parser name settings of Python."""

import json


def why_not_json(error: ValueError | RecursionError) -> str:
    """Returns the reason, from the error that `json.loads` raised."""
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8: {error.reason}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at character {error.pos}"
    return "the JSON has an integer of too many digits"
