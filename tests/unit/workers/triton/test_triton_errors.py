"""Every status that the library knows has been judged; an outage never looks like poison."""

import grpc
import pytest
from tritonclient.utils import InferenceServerException

from tagstream.errors import BadSettings, ModelUnavailable, UntaggablePost
from workers.triton.errors import BY_STATUS, translate


def test_every_status_of_the_library_is_in_the_table():
    assert set(BY_STATUS) == {status.name for status in grpc.StatusCode} - {"OK"}


@pytest.mark.parametrize("status", list(grpc.StatusCode))
def test_the_message_says_which_model_where_and_what_it_answered(status):
    if status is grpc.StatusCode.OK:
        return
    error = translate(InferenceServerException("the reason", str(status)), "mner@3", "host:8001")
    assert type(error) is BY_STATUS[status.name]
    assert str(error).startswith(f"mner@3 at grpc://host:8001 answered {status.name}: the reason")


@pytest.mark.parametrize("status", ["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "CANCELLED", "ABORTED"])
def test_an_outage_or_overload_is_waited_for(status):
    assert BY_STATUS[status] is ModelUnavailable


@pytest.mark.parametrize(
    ("status", "cure"),
    [("NOT_FOUND", "or name another"), ("UNIMPLEMENTED", "no Triton"), ("PERMISSION_DENIED", "gRPC port")],
)
def test_what_no_waiting_mends_says_what_to_do(status, cure):
    exception = InferenceServerException("no", f"StatusCode.{status}")
    error = translate(exception, "mner@3", "host:8001", "or name another")
    assert isinstance(error, BadSettings)
    assert cure in str(error)


@pytest.mark.parametrize("status", [None, "StatusCode.NEW_IN_SOME_LATER_LIBRARY"])
def test_a_status_that_nobody_knows_is_a_suspicion_and_no_more(status):
    assert isinstance(translate(InferenceServerException("what?", status), "mner@3", "host:8001"), UntaggablePost)
