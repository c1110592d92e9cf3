"""Random faults for as long as SECONDS_OF_CHAOS says (`make chaos`): not collected by a plain run of the tests.

Round after round: a new feed's topics, two workers, and faults at random until the feed is worked off; after each round
everything of the oracle is there once and nothing else. The seed of a round is printed, and decides all of its faults;
FIRST_ROUND=N begins with another. The test is the workers' supervisor: one that ends because the broker is away as it
starts, or because its client stands still, is started again, as the product promises no more; the report counts them.
"""

import os
import random
import signal
import time
from itertools import count
from pathlib import Path
from typing import Any

from fleet import Fleet, feed
from test_worker_faults import _ONE_FEED, fleet_on

FAULTS = ("kill", "stop", "pause", "broker")
PAUSE_SECONDS = 9  # longer than the group waits
STUCK_SECONDS = 30
DONE_SECONDS = 240  # a client that stands still is found in STUCK_SECONDS, and a busy machine takes its time


def test_random_faults(new_stack: Any, tmp_path: Path) -> None:
    broker = new_stack("kafka").kafka
    records = feed(_ONE_FEED)
    end = time.monotonic() + float(os.environ.get("SECONDS_OF_CHAOS", "3600"))
    for number in count(int(os.environ.get("FIRST_ROUND", "1"))):
        if time.monotonic() > end:
            break
        folder = tmp_path / str(number)
        folder.mkdir()
        fleet = fleet_on(broker.specification, records, folder)
        fleet.environment["TAGSTREAM_WORKER_STUCK_SECONDS"] = str(STUCK_SECONDS)
        one_round(broker, fleet, random.Random(number))
        print(f"round {number}: {len(fleet.workers)} workers, ended by themselves: {fleet.restarts}", flush=True)


def one_round(broker: Any, fleet: Any, dice: random.Random) -> None:
    """Faults until the feed is worked off; two workers run after each of them."""
    try:
        fleet.start()
        fleet.start()
        fleet.until_written(20)
        while fleet.feed:
            victim = dice.choice([worker for worker in fleet.workers if worker.process.poll() is None])
            fault(dice.choice(FAULTS), broker, fleet, victim)
            fleet.restart_ended()
            if sum(worker.process.poll() is None for worker in fleet.workers) < 2:
                fleet.start()
            fleet.publish_some(dice.randrange(50, 300))
        fleet.until(lambda: is_done(fleet), "everything acknowledged", DONE_SECONDS)
        fleet.stop_all()
        fleet.assert_everything_once()
    finally:
        fleet.close()


def is_done(fleet: Fleet) -> bool:
    """Whether all is acknowledged; until then whoever has ended is started again."""
    fleet.restart_ended()
    return fleet.lag() == 0


def fault(kind: str, broker: Any, fleet: Fleet, victim: Any) -> None:
    match kind:
        case "kill":
            victim.signal(signal.SIGKILL)
            victim.wait()
        case "stop":
            fleet.until(victim.can_be_stopped, "the worker's first moment")
            victim.signal(signal.SIGTERM)
            # Unless it has just ended because the broker was away as it started.
            assert victim.wait() in (0, 4), victim.output()
        case "pause":
            victim.signal(signal.SIGSTOP)
            time.sleep(PAUSE_SECONDS)
            victim.signal(signal.SIGCONT)
        case "broker":
            fleet.look_away()
            broker.kill()
            broker.start()
            broker.wait()
            fleet.look()
