"""The alert rule: tells once of each event that is stored. Whoever wants a message adds an action in Kibana.

Each event is an alert of its own. It looks at when states were stored, because all other times of an event are of the
feed, which may be hours or years behind the clock. A state is stored whenever an event grows, and one when it ended: an
hour of silence later. The window is longer than that, so that a live event does not end and begin again as an alert.
"""

from ops.kibana.data_views import EVENTS
from ops.kibana.saved_object import Json, packed

RULE_ID = "7a6773a5-0000-4000-8000-6576656e7473"


def rule() -> Json:
    """Returns the body with which Kibana is asked to create the rule."""
    return {
        "name": "tagstream: a new event",
        "rule_type_id": ".es-query",
        "consumer": "stackAlerts",
        "tags": ["tagstream"],
        "schedule": {"interval": "1m"},
        "actions": [],
        "params": {
            "searchType": "esQuery",
            "index": [EVENTS.title],
            "timeField": "kept_at",
            "esQuery": packed({"query": {"bool": {"must_not": [{"exists": {"field": "merged_into"}}]}}}),
            "size": 1,  # of each event there is one document
            "timeWindowSize": 2,
            "timeWindowUnit": "h",
            "threshold": [0],
            "thresholdComparator": ">",
            "excludeHitsFromPreviousRun": False,
            "aggType": "count",
            "groupBy": "top",
            "termField": "id",
            "termSize": 1_000,  # as many as Kibana allows
        },
    }
