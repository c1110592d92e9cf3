import pytest

pytest.register_assert_rewrite("network_contract")
