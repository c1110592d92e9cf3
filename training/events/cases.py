"""The feeds that detectors are measured on, by name, and the one on which baselines get their parameters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from training.events.corpora import RealEvent, Tweet, crisislex_t6, crisismmd, everyday_tweets
from training.events.feed import Feed, FeedPlan, build_feed
from training.events.noise import noise_of

DEVELOPMENT_SEED = 11
_POOL_SEED = 7
_POOL = 40_000
"""Everyday tweets that all feeds draw from, so that a text is tagged once for all of them."""


@dataclass(frozen=True, slots=True)
class FeedCase:
    """A feed: what is in it, in words, and how it is built."""

    name: str
    says: str
    plan: FeedPlan
    events: Callable[[Path | None], list[RealEvent]]


def t6_pair_in_one_place(data: Path | None) -> list[RealEvent]:
    """Two events of CrisisLex T6, the flood moved to the state of the explosion: both are in Texas."""
    events = {event.name: event for event in crisislex_t6(data)}
    flood = events["2013_Queensland_Floods"]
    return [events["2013_West_Texas_Explosion"], moved(flood, ("queensland", "qld", "brisbane", "bundaberg"), "Texas")]


def moved(event: RealEvent, places: tuple[str, ...], place: str) -> RealEvent:
    """Returns the event with other names for its places, in hashtags, too."""
    named = re.compile("|".join(places), re.IGNORECASE)
    tweets = tuple(Tweet(tweet.milliseconds, named.sub(place, tweet.text)) for tweet in event.tweets)
    return RealEvent(f"{event.name} in {place}", tweets)


_PLAN = FeedPlan()
DEVELOPMENT = FeedCase(
    "development", "CrisisLex T6 with another seed", replace(_PLAN, seed=DEVELOPMENT_SEED), crisislex_t6
)
_CASES = (
    FeedCase("t6", "6 events of CrisisLex T6, a day each", _PLAN, crisislex_t6),
    FeedCase("seed-3", "the same, other tweets, authors and hours", replace(_PLAN, seed=3), crisislex_t6),
    FeedCase("hours-2", "events squeezed into 2 hours", replace(_PLAN, hours=2.0), crisislex_t6),
    FeedCase("hours-18", "events spread over 18 hours", replace(_PLAN, hours=18.0), crisislex_t6),
    FeedCase("rate-1000", "1,000 everyday posts a day", replace(_PLAN, a_day=1_000), crisislex_t6),
    FeedCase("rate-5500", "5,500 everyday posts a day", replace(_PLAN, a_day=5_500), crisislex_t6),
    FeedCase("small", "200 posts an event", replace(_PLAN, event_posts=200), crisislex_t6),
    FeedCase("crisismmd", "7 disasters of CrisisMMD, a day each", _PLAN, crisismmd),
    FeedCase(
        "army",
        "T6 with 500 accounts that copy each other with small changes, every second day",
        replace(_PLAN, noise=("one_account", "one_text", "changed_copies")),
        crisislex_t6,
    ),
    FeedCase(
        "one-place",
        "two events in one place, in the same hour",
        replace(_PLAN, together=True),
        t6_pair_in_one_place,
    ),
)
CASES: Mapping[str, FeedCase] = {case.name: case for case in _CASES}


def build_case(case: FeedCase, data: Path | None = None) -> Feed:
    """Builds the feed of a case from the data folder."""
    events = case.events(data)
    days = (1 if case.plan.together else len(events)) + 1
    noise = noise_of(case.plan.noise, days, case.plan.seed)
    return build_feed(case.name, case.plan, events, everyday_pool(data), noise)


def everyday_pool(data: Path | None = None) -> list[str]:
    """Returns the everyday tweets that feeds draw from."""
    texts = everyday_tweets(data)
    Random(_POOL_SEED).shuffle(texts)
    return texts[:_POOL]
