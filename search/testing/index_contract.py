"""The whole contract of an entity index; an implementation's suite is a fixture `index` and this class.

Each scenario has the number of its promise in docs/reference/index-contract.md.
"""

from search.testing.backup import BackupContract
from search.testing.counting import CountingContract
from search.testing.detecting import DetectingContract
from search.testing.faceting import FacetingContract
from search.testing.hiding import HidingContract
from search.testing.media import MediaContract
from search.testing.over_time import OverTimeContract
from search.testing.reading import ReadingContract
from search.testing.writing import WritingContract


class IndexContract(
    WritingContract,
    ReadingContract,
    CountingContract,
    HidingContract,
    MediaContract,
    BackupContract,
    OverTimeContract,
    DetectingContract,
    FacetingContract,
):
    """Inherit from it in a class named Test..., with an asynchronous fixture `index`: a new, empty index.

    What an implementation cannot promise it declares (`whole_batches = False`), and the page says so.
    """
