"""A clock that is wrong is noticed while it is: by its jumps, by the feed, by the installation."""

from datetime import UTC, datetime, timedelta

from pipeline_fakes import CREATED, ListSource, MemoryIndex, post

from tagstream.cli.progress import progress_line
from tagstream.runtime.wall_clock import WallClock, installed_at, steady_seconds
from workers.cli.run import report_document, summary
from workers.local import RunReport, run_pipeline
from workers.tagger.stub import StubTagger

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
YEARS = timedelta(days=730)


class Clocks:
    """A clock that can be set, beside one that cannot."""

    def __init__(self) -> None:
        self.moment, self.steady = NOON, 1000.0

    def passes(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)
        self.steady += seconds

    def wall(self, installed: datetime = NOON, *, live: bool = True) -> WallClock:
        return WallClock(lambda: self.moment, lambda: self.steady, installed=installed, live=live)


def test_time_that_passes_is_no_jump_however_much() -> None:
    clocks = Clocks()
    wall = clocks.wall()
    for seconds in (0.1, 59, 3600, 10 * 86_400):
        assert wall.stamp([clocks.moment] * 10) == clocks.moment
        clocks.passes(seconds)
    clocks.moment += timedelta(seconds=30)  # a small correction, as it is made every day
    wall.now()
    assert (wall.jumps, wall.doubtful, wall.warning) == (0, 0, None)


def test_a_clock_that_is_set_right_is_noticed_and_the_posts_before_are_counted() -> None:
    clocks = Clocks()
    wall = clocks.wall()
    wall.stamp([NOON] * 1_200)
    wall.stamp([NOON] * 34)
    clocks.moment += YEARS
    assert wall.stamp([NOON + YEARS] * 5) == NOON + YEARS
    assert (wall.jumps, wall.doubtful) == (1, 1_234)
    assert wall.warning == ("the clock was set forward by 730 days: 1,234 posts accepted before keep a doubtful time")
    clocks.moment -= timedelta(hours=3)
    wall.now()
    assert (wall.jumps, wall.doubtful) == (2, 1_239)
    assert wall.warning is not None
    assert "set back by 3 h" in wall.warning


def test_a_live_feed_from_the_future_tells_a_clock_that_is_behind() -> None:
    clocks = Clocks()
    wall = clocks.wall()
    for number in range(40):
        assert wall.stamp([NOON + YEARS]) == NOON  # said, and not obeyed: its authors could be wrong
        assert (wall.warning is not None) == (number >= 19)
    assert wall.warning is not None
    assert "730 days behind the feed's" in wall.warning
    clocks.moment += YEARS
    wall.now()
    assert wall.warning is not None
    assert "was set forward" in wall.warning


def test_a_few_dates_of_the_future_say_nothing() -> None:
    wall = Clocks().wall()
    for number in range(100):
        wall.stamp([NOON + YEARS if number % 3 == 0 else NOON])
    assert wall.warning is None


def test_a_clock_before_the_installation_is_told_from_the_first_moment() -> None:
    clocks = Clocks()
    wall = clocks.wall(installed=NOON + YEARS)
    assert wall.warning is not None
    assert "before this program was installed" in wall.warning
    assert clocks.wall(installed=NOON + timedelta(hours=2)).warning is None


def test_while_the_clock_is_impossible_posts_get_the_time_of_the_feed_and_a_file_s_that_of_the_installation() -> None:
    clocks = Clocks()
    today = NOON + YEARS + timedelta(days=40)
    live, file = clocks.wall(NOON + YEARS), clocks.wall(NOON + YEARS, live=False)
    assert live.stamp([today, today - timedelta(days=9_000), today]) == today
    clocks.passes(5)
    assert live.now() == today + timedelta(seconds=5)
    assert live.stamp([]) == today + timedelta(seconds=5)
    assert file.stamp([today]) == NOON + YEARS
    clocks.moment = today + timedelta(seconds=6)
    assert live.stamp([today]) == file.stamp([today]) == clocks.moment
    assert (live.jumps, file.jumps) == (1, 1)
    assert live.warning is not None
    assert "was set forward by 770 days" in live.warning


def test_the_clocks_of_this_machine() -> None:
    assert steady_seconds() <= steady_seconds()
    assert WallClock(installed=installed_at()).warning is None
    assert installed_at() <= datetime.now(UTC)


async def run(source: ListSource, now: datetime = CREATED) -> RunReport:
    return await run_pipeline(source, StubTagger(), MemoryIndex(), now=lambda: now)  # type: ignore[arg-type]


async def test_a_run_says_it_in_progress_report_and_json() -> None:
    source = ListSource([post(number) for number in range(50)])
    source.name = "mastodon:example.org"
    report = await run(source)
    assert report.progress.behind_seconds == 0.0
    assert "0.0 s behind the feed" in progress_line(report.progress)
    assert "0.0 s behind the feed" in summary(report)
    document = report_document(report)
    assert (document["behind_seconds"], document["clock_jumps"]) == (0.0, 0)
    assert document["clock_warning"] is None


async def test_a_run_whose_clock_is_behind_says_so() -> None:
    source = ListSource([post(number) for number in range(50)])
    source.name = "mastodon:example.org"
    report = await run(source, CREATED - YEARS)
    warning = "warning: the clock of this machine is 730 days behind the feed's"
    assert warning in progress_line(report.progress)
    assert warning in summary(report)
    assert str(report_document(report)["clock_warning"]) in summary(report)


async def test_a_run_over_a_file_has_no_distance() -> None:
    report = await run(ListSource([post(number) for number in range(50)]))
    assert report.progress.behind_seconds is None
    assert "behind the feed" not in summary(report)
