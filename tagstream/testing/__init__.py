"""The contract of a source as tests: whoever writes a source inherits `SourceContract` and runs it with pytest alone.

::

    from tagstream.testing import SourceContract

    class TestMySource(SourceContract):
        def make_source(self, folder):
            return MySource(...)

`search.testing` holds the contract of an index in the same way. The sources and indexes of tagstream itself are tested
by these classes and no others.
"""

import pytest

pytest.register_assert_rewrite("tagstream.testing.source_contract")

from tagstream.testing.source_contract import SourceContract  # noqa: E402  # after its assertions were registered

__all__ = ["SourceContract"]
