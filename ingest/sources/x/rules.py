"""The rules of X's filtered stream, which select its posts.

Rules belong to the app, which may have others: only those with our tag are changed. New rules are added before old ones
are removed, so that the stream is never without. Where no rules are named, those of the app are left as they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.sources.x.stream import XConnection
from tagstream.errors import BadSettings
from tagstream.posts import clean_text

PATH = "/2/tweets/search/stream/rules"
TAG = "tagstream"
MAX_RULE_LENGTH = 2048
MAX_RULES = 1000


def checked_rules(rules: Sequence[str]) -> tuple[str, ...]:
    """Returns the rules, each once and without spaces around it.

    Raises:
        BadSettings: one of them is too long, or there are too many, for any tier.
    """
    named = tuple(dict.fromkeys(rule.strip() for rule in rules if rule.strip()))
    if len(named) > MAX_RULES:
        raise BadSettings(f"existing are {len(named):,} rules for the source x, X takes {MAX_RULES:,} at most")
    for rule in named:
        if len(rule) > MAX_RULE_LENGTH:
            raise BadSettings(f"the rule {rule[:40]!r}… has {len(rule):,} characters, X takes {MAX_RULE_LENGTH:,}")
    return named


async def synchronise(connection: XConnection, rules: Sequence[str]) -> None:
    """Makes these the rules with our tag.

    Raises:
        BadSettings: X refuses a rule, or none are named and the app has none.
        FeedUnavailable: X does not answer.
    """
    existing = _rules(await connection.request("GET", PATH))
    if not rules:
        if not existing:
            raise BadSettings("the stream of X has no rules, and gives nothing: name some in the setting x_rules")
        return
    our_rules = {rule["value"]: rule["id"] for rule in existing if rule.get("tag") == TAG}
    other_rules = {rule["value"] for rule in existing if rule.get("tag") != TAG}
    added = [{"value": rule, "tag": TAG} for rule in rules if rule not in our_rules and rule not in other_rules]
    if added:
        _check(await connection.request("POST", PATH, {"add": added}))
    if outdated := [identifier for value, identifier in our_rules.items() if value not in rules]:
        await connection.request("POST", PATH, {"delete": {"ids": outdated}})


def _rules(answer: Mapping[str, Any]) -> list[dict[str, str]]:
    data = answer.get("data")
    return [
        rule
        for rule in (data if isinstance(data, list) else [])
        if isinstance(rule, dict) and isinstance(rule.get("value"), str) and isinstance(rule.get("id"), str)
    ]


def _check(answer: Mapping[str, Any]) -> None:
    """Refuses rules that X refuses. A rule that somebody else has added meanwhile is as good as ours."""
    errors = answer.get("errors")
    for error in errors if isinstance(errors, list) else []:
        if not isinstance(error, dict) or error.get("title") == "DuplicateRule":
            continue
        details = error.get("details")
        reason = details[0] if isinstance(details, list) and details else error.get("detail") or error.get("title")
        rule = clean_text(str(error.get("value", "")))[:80]
        raise BadSettings(f"X refuses the rule {rule!r} of the source x: {clean_text(str(reason))[:300]!r}")
