"""The limits of the stages: one set of numbers, of which the user's settings are a part, for both shapes."""

from dataclasses import fields

from tagstream.settings import Settings
from workers.pipeline.settings import StageSettings, stage_settings, worker_stage_settings


def test_the_defaults_are_the_users() -> None:
    settings = Settings()
    for name in ("token_budget", "batch_posts", "in_flight_posts", "in_flight_bytes"):
        assert getattr(StageSettings(), name) == getattr(settings, name), name


def test_both_shapes_hold_as_much_in_flight() -> None:
    settings = Settings(in_flight_posts=777, in_flight_bytes=2 * 1024 * 1024, inference_threads=3)
    for limits in (stage_settings(settings).tag_limits, worker_stage_settings(settings).tag_limits):
        assert (limits.window_count, limits.window_bytes) == (777, 2 * 1024 * 1024)


def test_the_shapes_differ_in_what_a_broker_and_a_server_change_and_in_nothing_else() -> None:
    settings = Settings(inference_threads=3)
    local, worker = stage_settings(settings), worker_stage_settings(settings)
    names = {field.name for field in fields(StageSettings) if getattr(local, field.name) != getattr(worker, field.name)}
    assert names == {"tag_threads", "deadline_threads", "gather_seconds", "index_posts"}


def test_every_stage_is_bounded_in_bytes() -> None:
    limits = stage_settings(Settings(in_flight_bytes=5 * 1024 * 1024))
    for stage in (limits.image_limits, limits.prepare_limits, limits.tag_limits, limits.publish_limits):
        assert stage.window_bytes == 5 * 1024 * 1024
    assert limits.index_limits.window_count == 4 * limits.index_posts


def test_one_batch_more_than_there_are_threads_waits_for_one() -> None:
    limits = StageSettings(tag_threads=4).tag_limits
    assert (limits.concurrency, limits.deadline_concurrency) == (5, 4)
    assert StageSettings(tag_threads=4, deadline_threads=2).tag_limits.deadline_concurrency == 2
