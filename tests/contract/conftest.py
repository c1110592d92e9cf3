import pytest

for module in ("contract_writing", "contract_reading", "contract_counting", "contract_posts"):
    pytest.register_assert_rewrite(module)
