import pytest

for module in (
    "contract_backup",
    "contract_writing",
    "contract_reading",
    "contract_counting",
    "contract_hiding",
    "contract_posts",
    "network_contract",
):
    pytest.register_assert_rewrite(module)
