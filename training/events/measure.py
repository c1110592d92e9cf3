"""Measures the detector of events beside three baselines: `python -m training.events.measure [PART…]`.

Parts: `tune` chooses the parameters of the baselines on the development feed; `score` scores every system on every
feed; `cost` is the detector's processor time beside the tagger's; `memory` is over a million posts with a million
names; `archive` replays tweets of 2012 and 2013. `all`, the default, is every one of them. Figures go to
`training/events/results.json`, and from there to `docs/reference/events.md`. Texts are tagged once, with the served
model, and kept in --cache.
"""

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from elasticsearch import Elasticsearch

from tagstream.errors import BadSettings
from training.events.cases import CASES, DEVELOPMENT, build_case
from training.events.corpora import crisislex_t6
from training.events.cost import measure_archive, measure_cost, measure_memory
from training.events.feed import Feed, FeedPost, read_feed
from training.events.page import write_page
from training.events.results import Row, read_results, today, write_results
from training.events.score import FoundEvent, Score, score
from training.events.systems import DETECTOR, TITLES, Means, detect
from training.events.tagging import TaggedTexts, served_tagger
from training.events.tuning import (
    PARAMETERS_FILE,
    Chosen,
    choose_first_story,
    choose_significant_terms,
    choose_word_scores,
    read_parameters,
)
from training.script import run_script
from workers.open_models import tune_process

CACHE = Path("runs/events")
_MEMORY_POSTS_PER_MINUTE = 6_000


class Measurement:
    """One call of the command line."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self._until = ExitStack()

    @cached_property
    def tagged(self) -> TaggedTexts:
        """The served tagger with what it said before."""
        return TaggedTexts(self.given.cache, served_tagger())

    @cached_property
    def client(self) -> Elasticsearch | None:
        """The server of --elasticsearch."""
        url = self.given.elasticsearch
        return None if url is None else self._until.enter_context(Elasticsearch(url, request_timeout=60))

    def tune(self) -> None:
        """Chooses the parameters of the baselines."""
        feed = build_case(DEVELOPMENT)
        parameters = read_parameters()
        for system in self._baselines():
            begin = time.perf_counter()
            chosen = self._chosen(system, feed)
            parameters = parameters.model_copy(update={system: chosen.parameters})
            PARAMETERS_FILE.write_text(parameters.model_dump_json(indent=1) + "\n", encoding="utf-8")
            row = row_of(feed, system, chosen.score)
            write_results(read_results().with_row(row, development=True))
            note(f"{system}, {time.perf_counter() - begin:.0f} s: {chosen.parameters}, {chosen.score}")

    def score(self) -> None:
        """Scores each system on each feed."""
        parameters = read_parameters()
        for feed in self._feeds():
            for system in self._systems():
                means = Means(self.tagged if system == DETECTOR else None, parameters, self.client)
                begin = time.perf_counter()
                found = detect(system, feed, means)
                scored = score(feed, found)
                self._keep_events(feed, system, found)
                write_results(read_results().with_row(row_of(feed, system, scored)))
                print(json.dumps({"feed": feed.name, "system": system, **score_document(scored)}), flush=True)
                note(f"{feed.name}, {system}: {time.perf_counter() - begin:.0f} s")

    def cost(self) -> None:
        """Measures the processor time of a post."""
        posts = self.tagged.tagged(next(iter(self._feeds())))
        tagger = self.tagged.tagger
        # As a run does, which does not search what lives as long as it for cycles again and again.
        tune_process()
        gc.collect()
        gc.freeze()
        write_results(read_results().with_part(cost=measure_cost(posts, tagger)))

    def memory(self) -> None:
        """Measures memory over a million names."""
        write_results(read_results().with_part(memory=measure_memory(_MEMORY_POSTS_PER_MINUTE)))

    def archive(self) -> None:
        """Replays the tweets of CrisisLex T6 at their own times."""
        feed = archive_feed()
        posts = self.tagged.tagged(feed)
        write_results(read_results().with_part(archive=measure_archive("CrisisLex T6", posts)))

    def close(self) -> None:
        """Closes the client."""
        self._until.close()

    def _chosen(self, system: str, feed: Feed) -> Chosen:
        if system == "significant_terms":
            if self.client is None:
                raise BadSettings("significant_terms needs a server: --elasticsearch URL (make stack-up starts one)")
            return choose_significant_terms(feed, self.client)
        return {"first_story": choose_first_story, "word_scores": choose_word_scores}[system](feed)

    def _systems(self) -> list[str]:
        return self.given.systems or list(TITLES)

    def _baselines(self) -> list[str]:
        return [system for system in self._systems() if system != DETECTOR]

    def _feeds(self) -> Iterable[Feed]:
        if self.given.feed is not None:
            yield read_feed(self.given.feed)
            return
        for name in self.given.feeds or CASES:
            yield build_case(CASES[name])

    def _keep_events(self, feed: Feed, system: str, found: Iterable[FoundEvent]) -> None:
        folder = self.given.cache / "events"
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(event_document(event), ensure_ascii=False) + "\n" for event in found)
        (folder / f"{feed.name}-{system}.jsonl").write_text(lines, encoding="utf-8")


_PARTS: Mapping[str, Callable[[Measurement], None]] = {
    "tune": Measurement.tune,
    "score": Measurement.score,
    "cost": Measurement.cost,
    "memory": Measurement.memory,
    "archive": Measurement.archive,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m training.events.measure", description=__doc__)
    parser.add_argument("part", nargs="*", choices=[*_PARTS, "all"], default="all", help="[default: all]")
    parser.add_argument("--cache", type=Path, default=CACHE, help="folder for tagged texts and detected events")
    parser.add_argument("--feeds", nargs="+", choices=list(CASES), help="[default: all]")
    parser.add_argument("--feed", type=Path, metavar="FOLDER", help="a feed.jsonl and gold.json of your own instead")
    parser.add_argument("--systems", nargs="+", choices=list(TITLES), help="[default: all]")
    parser.add_argument("--elasticsearch", metavar="URL", help="a server for the third baseline: make stack-up")
    given = parser.parse_args(arguments)
    parts = list(_PARTS) if "all" in given.part else given.part
    measurement = Measurement(given)
    try:
        for part in parts:
            _PARTS[part](measurement)
            note(f"{part}: {write_page()}")
    finally:
        measurement.close()


def row_of(feed: Feed, system: str, scored: Score) -> Row:
    """Returns the record of a score."""
    return Row(
        feed=feed.name,
        system=system,
        posts=len(feed.posts),
        days=feed.days,
        events=scored.events,
        found=scored.found,
        found_in_time=scored.found_in_time,
        median_delay_minutes=scored.median_delay_minutes,
        fragments=scored.fragments,
        purity=scored.purity,
        false=scored.false,
        false_a_day=scored.false_a_day,
        missed=scored.missed,
        date=today(),
    )


def score_document(scored: Score) -> dict[str, Any]:
    """Returns a score under the names of the scorer that the project was given."""
    return {
        "events": scored.events,
        "found": scored.found,
        "found_in_time": scored.found_in_time,
        "median_delay_minutes": scored.median_delay_minutes,
        "fragments_an_event": scored.fragments,
        "purity": scored.purity,
        "false": scored.false,
        "false_a_day": scored.false_a_day,
        "missed": list(scored.missed),
        "false_titles": list(scored.false_titles[:20]),
    }


def event_document(event: FoundEvent) -> dict[str, Any]:
    """Returns an event in the form of `tagstream events --json`, as far as it is scored."""
    return {
        "id": event.id,
        "title": event.title,
        "detected_at": event.detected_at.isoformat(),
        "started_at": event.started_at.isoformat(),
        "ended_at": None if event.ended_at is None else event.ended_at.isoformat(),
        "authors": event.authors,
        "posts": list(event.posts),
    }


def archive_feed() -> Feed:
    """Returns the tweets of CrisisLex T6 at their own times, October 2012 to May 2013, each by an author of its own."""
    tweets = sorted(
        ((tweet.milliseconds, tweet.text) for event in crisislex_t6() for tweet in event.tweets),
    )
    epoch = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
    posts = tuple(
        FeedPost(f"p{number}", text, epoch + timedelta(milliseconds=milliseconds), f"a{number}")
        for number, (milliseconds, text) in enumerate(tweets)
    )
    return Feed("archive", (posts[-1].created_at - posts[0].created_at).days + 1, posts, ())


def note(line: str) -> None:
    """Says how far the work is."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    run_script(main)
