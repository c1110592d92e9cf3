"""Events by the beginning of their id, as people type it."""

from search.index import EntityIndex
from tagstream.detections import DetectedEvent
from tagstream.errors import BadSettings
from tagstream.posts import clean_text
from tagstream.text.terminal_text import visible

MAX_CANDIDATES = 10
_SHOWN_ID = 80


async def find_event(index: EntityIndex, beginning: str) -> DetectedEvent | None:
    """Returns the event of that id, or the one whose id begins so; None if there is none.

    Raises:
        BadSettings: several events have such an id.
    """
    beginning = clean_text(beginning)
    found = await index.event(beginning)
    if found is not None or not beginning:
        return found
    candidates = await index.event_ids(beginning, size=MAX_CANDIDATES + 1)
    if not candidates:
        return None
    if len(candidates) == 1:
        return await index.event(candidates[0])
    named = ", ".join(visible(one, _SHOWN_ID) for one in candidates[:MAX_CANDIDATES])
    more = " and others" if len(candidates) > MAX_CANDIDATES else ""
    raise BadSettings(f"several events have an id that begins with {visible(beginning, _SHOWN_ID)}: {named}{more}")
