"""The whole contract of an entity index; an implementation's suite is a fixture `index` and this class.

Each scenario has the number of its promise in docs/reference/index-contract.md.
"""

from contract_backup import BackupContract
from contract_counting import CountingContract
from contract_hiding import HidingContract
from contract_media import MediaContract
from contract_reading import ReadingContract
from contract_writing import WritingContract


class IndexContract(WritingContract, ReadingContract, CountingContract, HidingContract, MediaContract, BackupContract):
    """Inherit from it in a class named Test..., with an asynchronous fixture `index`: a new, empty index.

    What an implementation cannot promise it declares (`whole_batches = False`), and the page says so.
    """
