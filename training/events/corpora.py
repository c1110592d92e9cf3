"""The tweets that feeds are built from: events with the times of their tweets, and everyday tweets.

CrisisLex T6 (Olteanu et al., ICWSM 2014) has no times; the id of a tweet holds its millisecond. CrisisMMD (Alam et al.,
ICWSM 2018) names the time.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tagstream.errors import UnreadableInput
from training.datasets import data_folder

_TWITTER_EPOCH_MS = 1_288_834_974_657
_SEQUENCE_BITS = 22
_CRISISMMD_TIME = "%a %b %d %H:%M:%S %z %Y"


@dataclass(frozen=True, slots=True)
class Tweet:
    """The text of a tweet and when it was written, in milliseconds since 1970."""

    milliseconds: int
    text: str


@dataclass(frozen=True, slots=True)
class RealEvent:
    """The tweets of one real event, oldest first."""

    name: str
    tweets: tuple[Tweet, ...]


def crisislex_t6(data: Path | None = None) -> list[RealEvent]:
    """Reads the six events of CrisisLex T6: the tweets that its annotators call on topic."""
    events = []
    for path in _files(data, "events/crisislex_t6", "*/*.csv"):
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            tweets = [
                Tweet(tweet_milliseconds(int(number)), row[1])
                for row in csv.reader(lines)
                if len(row) == 3 and (number := row[0].strip("' ")).isdigit() and row[2].strip() == "on-topic"
            ]
        events.append(RealEvent(path.parent.name, _in_order(tweets)))
    return events


def crisismmd(data: Path | None = None) -> list[RealEvent]:
    """Reads the seven disasters of CrisisMMD; a tweet that was annotated for several pictures is taken once."""
    events = []
    for path in _files(data, "events/crisismmd", "*_final_data.csv"):
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            tweets = {
                row["tweet_id"]: Tweet(
                    _milliseconds(datetime.strptime(row["created_at"], _CRISISMMD_TIME)), row["text"]
                )
                for row in csv.DictReader(lines)
                if row["text"] and row["created_at"]
            }
        events.append(RealEvent(path.name.removesuffix("_final_data.csv"), _in_order(list(tweets.values()))))
    return events


def everyday_tweets(data: Path | None = None) -> list[str]:
    """Reads the texts of TweetEval (Barbieri et al., 2020), which are about everything and nothing, in file order."""
    texts = []
    for path in _files(data, "text/tweeteval", "*_text.txt"):
        with path.open(encoding="utf-8") as lines:
            texts += [text for line in lines if (text := line.strip())]
    return texts


def tweet_milliseconds(identifier: int) -> int:
    """Returns when a tweet of that id was written: all but its lowest 22 bits count milliseconds."""
    return (identifier >> _SEQUENCE_BITS) + _TWITTER_EPOCH_MS


def _milliseconds(timestamp: datetime) -> int:
    return int(timestamp.timestamp() * 1000)


def _in_order(tweets: list[Tweet]) -> tuple[Tweet, ...]:
    return tuple(sorted(tweets, key=lambda tweet: (tweet.milliseconds, tweet.text)))


def _files(data: Path | None, folder: str, pattern: str) -> Iterator[Path]:
    root = (data or data_folder()) / folder
    found = sorted(root.glob(pattern))
    if not found:
        raise UnreadableInput(f"{root}: no {pattern} there; TAGSTREAM_DATA names the folder of the data sets")
    yield from found
