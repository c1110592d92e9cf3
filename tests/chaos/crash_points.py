"""Where a run may be killed on purpose, and what the next run must then do."""

from enum import StrEnum


class CrashPoint(StrEnum):
    """A moment inside the pipeline, reached once for each batch."""

    # Events were read, nothing was computed: they must be read again.
    AFTER_READ = "after_read"
    # Answers exist only in memory: the same posts must be read and tagged again, with the same answers.
    AFTER_TAG_BEFORE_INDEX = "after_tag_before_index"
    # A batch is handed to the index's own thread: all of it or nothing may be there afterwards, with its cursor.
    DURING_INDEX = "during_index"
    # The effect is durable, its acknowledgement never came: nothing may be applied or counted twice.
    AFTER_INDEX_BEFORE_ACKNOWLEDGE = "after_index_before_acknowledge"
    # Closed minutes, or a snapshot of the detectors, are handed to the index: all of it or nothing may be there.
    DURING_DETECTIONS = "during_detections"
    # They are stored, and the detectors do not know it: they must say the same again, and nothing else.
    AFTER_DETECTIONS = "after_detections"
