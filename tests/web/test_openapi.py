"""The API as its own description says it is: schemathesis asks whatever the description allows, and more."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from search.web.api import router

# A stream has no end; tests/unit/search/web/test_api.py has its promises.
PATHS = sorted({route.path for route in router.routes} - {"/api/stream"})  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def api(address: str) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_url(f"{address}/api/openapi.json")


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
@pytest.mark.parametrize("path", PATHS)
def test_every_answer_is_one_that_the_description_promises(
    api: schemathesis.BaseSchema, path: str, mode: schemathesis.GenerationMode
) -> None:
    operation = api[path]["GET"]

    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        # Queries and times are languages of their own: what is no query is refused, and the description says so.
        case.call_and_validate(timeout=10, excluded_checks=[positive_data_acceptance])

    ask()
