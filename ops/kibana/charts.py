"""The charts of both dashboards."""

from ops.kibana.data_views import DEAD_LETTERS, EVENTS, POSTS, TRENDS, DataView
from ops.kibana.lens import Chart, count, distinct, earliest, highest, latest, over_time, percentile, top

_POSTS_WITH_PHOTOS = "media_kinds: photo"
_AUTHORS = distinct("author", "Authors")
_AS_COUNTED = "Names are shown in the form by which they are counted: in small letters, all spellings of one together."


def _top(name: str, title: str, field: str, *, view: DataView = POSTS, query: str = "", description: str = "") -> Chart:
    """Returns a chart of the values of a field that most posts have."""
    buckets = {"value": top(field, title, "posts")}
    return Chart(name, title, view, "bar_horizontal", {"posts": count("Posts")}, buckets, query, description)


def _by_authors(name: str, title: str, field: str) -> Chart:
    """Returns a table of the names that most authors mention."""
    figures = {"authors": _AUTHORS, "posts": count("Posts")}
    buckets = {"name": top(field, title, "authors", size=15)}
    return Chart(name, title, POSTS, "table", figures, buckets, description=_AS_COUNTED)


def _together(name: str, title: str, first: tuple[str, str], second: tuple[str, str]) -> Chart:
    """Returns a table of the names of two kinds that the same posts mention."""
    buckets = {
        "first": top(first[0], first[1], "authors", size=8),
        "second": top(second[0], second[1], "authors", size=3),
    }
    figures = {"authors": _AUTHORS, "posts": count("Posts")}
    return Chart(name, title, POSTS, "table", figures, buckets, description=_AS_COUNTED)


NEWSROOM = (
    Chart("posts-over-time", "Posts", POSTS, "bar_stacked", {"posts": count("Posts")}, {"time": over_time(POSTS)}),
    Chart("posts-count", "Posts", POSTS, "metric", {"posts": count("Posts")}),
    Chart("authors-count", "Authors", POSTS, "metric", {"authors": _AUTHORS}),
    Chart(
        "events-live",
        "Live events, whenever they began",
        EVENTS,
        "metric",
        {"events": count("Live events")},
        query="not ended_at: *",
        # An event may have been detected long before what the dashboard shows, and an archive is of any time.
        time_range=("now-50y", "now+1d"),
    ),
    _by_authors("top-people", "People", "person_key"),
    _by_authors("top-places", "Places", "place_key"),
    _by_authors("top-organisations", "Organisations", "organisation_key"),
    Chart(
        "events",
        "Events",
        EVENTS,
        "table",
        {
            "detected": earliest("detected_at", "Detected"),
            "ended": latest("ended_at", "Ended"),
            "authors": highest("authors", "Authors"),
            "posts": highest("posts", "Posts"),
            "score": highest("score", "Score"),
        },
        # By id: two events of one title are two.
        {"id": top("id", "Id", "score", size=20), "title": top("title", "Event", "score", size=1)},
        description="By the highest significance of their subjects; one without an end is live. "
        "What was deleted later is still counted here.",
    ),
    Chart(
        "trends",
        "Trends",
        TRENDS,
        "table",
        {"score": highest("score", "Score"), "authors": highest("authors", "Authors")},
        {"text": top("text", "Subject", "score", size=20), "type": top("type", "Type", "score", size=1)},
        description="The highest state of each subject in the time that is shown.",
    ),
    Chart(
        "trends-over-time",
        "Trends over time",
        TRENDS,
        "line",
        {"authors": highest("authors", "Authors")},
        {"text": top("text", "Subject", "authors", size=8), "time": over_time(TRENDS)},
    ),
    Chart(
        "companions-of-trends",
        "What trends is mentioned with",
        TRENDS,
        "table",
        {"minutes": count("Minutes")},
        {"text": top("text", "Subject", "minutes"), "companion": top("companions", "With", "minutes", size=3)},
    ),
    _together(
        "people-and-places",
        "People and places in the same posts",
        ("person_key", "Person"),
        ("place_key", "Place"),
    ),
    _together(
        "people-and-organisations",
        "People and organisations in the same posts",
        ("person_key", "Person"),
        ("organisation_key", "Organisation"),
    ),
    _top("top-hashtags", "Hashtags", "hashtags"),
    _top("languages", "Languages", "langs"),
    _top("sources", "Sources", "source"),
    Chart(
        "photos-over-time",
        "Posts with photos",
        POSTS,
        "area",
        {"posts": count("Posts")},
        {"time": over_time(POSTS)},
        _POSTS_WITH_PHOTOS,
    ),
    _top("photo-labels", "What photos show", "image_labels", query=_POSTS_WITH_PHOTOS),
)

OPERATIONS = (
    Chart(
        "lag",
        "Lag: seconds from a post to the index",
        POSTS,
        "line",
        {
            "half": percentile("lag_seconds", "Half within", 50),
            "most": percentile("lag_seconds", "95 % within", 95),
        },
        {"time": over_time(POSTS, "indexed_at")},
        description="Of first documents alone: an edit or a new answer of a model comes when it comes.",
    ),
    Chart(
        "processing",
        "Of these in tagstream: seconds from acceptance to the index",
        POSTS,
        "line",
        {
            "half": percentile("processing_seconds", "Half within", 50),
            "most": percentile("processing_seconds", "95 % within", 95),
        },
        {"time": over_time(POSTS, "indexed_at")},
    ),
    Chart(
        "indexed-over-time",
        "Posts written, by source",
        POSTS,
        "bar_stacked",
        {"posts": count("Posts")},
        {"source": top("source", "Source", "posts"), "time": over_time(POSTS, "indexed_at")},
    ),
    Chart("dead-count", "Dead letters", DEAD_LETTERS, "metric", {"letters": count("Dead letters")}),
    Chart("degraded-count", "Degraded posts", POSTS, "metric", {"posts": count("Degraded posts")}, query="degraded: *"),
    Chart("untagged-count", "Untagged posts", POSTS, "metric", {"posts": count("Untagged posts")}, query="untagged: *"),
    Chart(
        "dead-over-time",
        "Dead letters, by cause",
        DEAD_LETTERS,
        "bar_stacked",
        {"letters": count("Dead letters")},
        {"cause": top("cause", "Cause", "letters"), "time": over_time(DEAD_LETTERS)},
    ),
    Chart(
        "dead-sources",
        "Dead letters, by source and cause",
        DEAD_LETTERS,
        "table",
        {"letters": count("Dead letters")},
        {"source": top("source", "Source", "letters"), "cause": top("cause", "Cause", "letters", size=5)},
    ),
    _top("degraded", "Why posts are degraded", "degraded", query="degraded: *"),
    _top("untagged", "Why posts have no names", "untagged", query="untagged: *"),
    _top("models", "Models that answered", "model"),
)
