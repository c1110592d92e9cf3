"""How long a worker may take to stop: containers are killed after 10 s."""

from tagstream.settings import Settings
from workers.cli.worker import LINGER_SECONDS
from workers.worker import LAST_COMMIT_SECONDS, LEAVE_SECONDS


def test_all_that_a_stop_may_take_fits_into_ten_seconds() -> None:
    assert Settings().stop_seconds + LAST_COMMIT_SECONDS + LEAVE_SECONDS + LINGER_SECONDS < 10
