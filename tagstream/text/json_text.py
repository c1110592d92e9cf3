"""What is wrong with a text that is not JSON, in our words: a parser's own speak of settings of its language."""

import json


def why_not_json(error: ValueError | RecursionError) -> str:
    """The reason, from what `json.loads` raised."""
    if isinstance(error, RecursionError):
        return "the JSON is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8: {error.reason}"
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: {error.msg} at character {error.pos}"
    return "the JSON has an integer of too many digits"
