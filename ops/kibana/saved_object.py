"""The form of a saved object of Kibana as its export writes it: a type, an id, attributes, and references to others."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

CORE_VERSION = "8.8.0"
# The version of the form that each kind of object is written in; Kibana brings it up to its own when it imports it.
FORM_VERSIONS = {"index-pattern": "8.0.0", "search": "8.0.0", "lens": "8.9.0", "dashboard": "8.9.0"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """A link to another saved object, by a name that the attributes use."""

    name: str
    type: str
    id: str


@dataclass(frozen=True)
class SavedObject:
    """One line of an export."""

    type: str
    id: str
    attributes: Json
    references: Sequence[Reference] = field(default=())

    def line(self) -> str:
        """Returns the object as a line of NDJSON; the same object gives the same line."""
        whole = {
            "attributes": self.attributes,
            "coreMigrationVersion": CORE_VERSION,
            "id": self.id,
            "managed": False,
            "references": [vars(one) for one in self.references],
            "type": self.type,
            "typeMigrationVersion": FORM_VERSIONS[self.type],
        }
        return json.dumps(whole, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def packed(value: object) -> str:
    """Returns a value as the JSON text that Kibana keeps inside an attribute."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def kql(query: str = "") -> Json:
    """Returns a query in Kibana's language."""
    return {"query": query, "language": "kuery"}


def search_source(query: str = "", reference: str | None = None) -> Json:
    """Returns the attribute of what a saved search or a dashboard asks for."""
    source: Json = {"query": kql(query), "filter": []}
    if reference is not None:
        source["indexRefName"] = reference
    return {"searchSourceJSON": packed(source)}
