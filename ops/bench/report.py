"""Reports of the benchmarks, as lines to read."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ops.bench.local import LocalFigures
    from ops.bench.photos import PhotoFigures
    from ops.bench.search import QuestionFigures, SearchFigures
    from ops.bench.stack import StackFigures, StackRound


def local_report(figures: "LocalFigures", rounds: int) -> list[str]:
    """Returns the figures of the one-machine pipeline beside its limit and the alternative."""
    lines = [
        f"{figures.posts:,} posts of {figures.mean_pieces:.0f} pieces on {figures.threads} threads, median of {rounds}",
        f"whole pipeline          {figures.end_to_end:8.0f} posts/s   {100 * figures.of_limit:.0f} % of the limit",
        f"rows not asked again    {100 * figures.remembered:8.0f} %         they had come before",
        f"model alone (the limit) {figures.model_only:8.0f} posts/s   batches of {figures.model_batch_size}",
        f"latency at half load    {figures.p50_ms:8.0f} ms p50    {figures.p95_ms:.0f} ms p95",
        f"peak memory             {figures.peak_memory_mib:8.0f} MiB",
    ]
    if figures.pipeline is not None and figures.times_pipeline is not None:
        rate = f"{figures.pipeline:8.1f} posts/s"
        lines.insert(
            4, f"transformers pipeline   {rate}   the whole pipeline is {figures.times_pipeline:.0f} times as fast"
        )
    return lines


def stack_report(figures: "StackFigures") -> list[str]:
    """Returns the figures of the distributed pipeline beside the one-machine pipeline and the model alone."""
    latency = figures.latency
    of_limit = 100 * figures.local / figures.model_only
    return [
        f"{figures.posts:,} posts on {figures.cores} cores for everything: servers, workers, model",
        f"one machine, one process {figures.local:8.0f} posts/s   {of_limit:.0f} % of the limit",
        f"model alone (the limit)  {figures.model_only:8.0f} posts/s",
        "",
        *(line for one in figures.rounds for line in _round(one, figures.local)),
        "",
        f"from ingest until a search finds it, {latency.posts:,} posts at {latency.posts_per_second:.0f} posts/s: "
        f"{latency.p50_ms:.0f} ms p50, {latency.p95_ms:.0f} ms p95, {latency.p99_ms:.0f} ms p99",
    ]


def photo_report(figures: "PhotoFigures") -> list[str]:
    """Returns the lines about the answers that photos change."""
    return [
        f"{figures.posts:,} posts, {figures.with_photo:,} with a photo, {figures.with_alt:,} of them described",
        f"{figures.photos:,} photos seen, {figures.photos_labelled:,} given a label",
        f"other names by the author's description   {figures.changed_by_alt:6,} of {figures.with_alt:,}",
        f"other names by pixels                     {figures.changed_by_pixels:6,} of {figures.with_photo:,}",
        f"another score alone by pixels             {figures.changed_score_by_pixels:6,} of {figures.with_photo:,}",
    ]


def search_report(figures: "SearchFigures") -> list[str]:
    """Returns the times of every kind of question, and of the pages over HTTP."""
    lines = [
        f"{figures.index}: {figures.posts:,} posts; {figures.machine}; load {figures.load} before",
        f"{'milliseconds':34} {'p50':>8} {'p95':>8} {'longest':>8} {'times':>6}",
    ]
    return [*lines, *(_question(one) for one in (*figures.questions, figures.overall, *figures.pages))]


def _question(one: "QuestionFigures") -> str:
    return f"{one.name:34} {one.p50_ms:8.1f} {one.p95_ms:8.1f} {one.max_ms:8.1f} {one.times:6}"


def _round(one: "StackRound", local: float) -> list[str]:
    times = ", ".join(f"{name} {milliseconds:.2f}" for name, milliseconds in one.processor_ms.items())
    fill = "" if one.fill is None else f"; {one.fill:.0f} posts a batch"
    return [
        f"{one.workers} workers, {one.models}",
        f"  {one.posts_per_second:8.0f} posts/s   {100 * one.posts_per_second / local:.0f} % of one process{fill}; "
        f"ingest {one.ingest_posts_per_second:.0f} posts/s",
        f"  processor ms a post: {times}",
    ]
