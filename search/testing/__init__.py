"""The contract of an entity index as tests: whoever writes an index inherits `IndexContract` and runs it.

::

    from search.testing import IndexContract

    @pytest.fixture
    async def index(tmp_path):
        index = await MyIndex.open(tmp_path / "index")
        yield index
        await index.close()

    class TestMyIndex(IndexContract):
        pass

Needs pytest and pytest-asyncio, with `asyncio_mode = "auto"`. docs/reference/index-contract.md has the promise of each
number. The indexes of tagstream itself are tested by these classes and no others.
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"search.testing.{name}"
        for name in (
            "backup",
            "counting",
            "detecting",
            "evaluation",
            "faceting",
            "hiding",
            "index_contract",
            "media",
            "over_time",
            "posts",
            "reading",
            "writing",
        )
    )
)

from search.testing.index_contract import IndexContract  # noqa: E402  # after its assertions were registered

__all__ = ["IndexContract"]
