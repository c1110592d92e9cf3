"""The alert rule: tells once of each event that is detected. Whoever wants a message adds an action in Kibana."""

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
            "timeField": EVENTS.time,
            "esQuery": packed({"query": {"bool": {"must_not": [{"exists": {"field": "merged_into"}}]}}}),
            "size": 100,
            "timeWindowSize": 10,
            "timeWindowUnit": "m",
            "threshold": [0],
            "thresholdComparator": ">",
            "excludeHitsFromPreviousRun": True,
            "aggType": "count",
            "groupBy": "all",
        },
    }
