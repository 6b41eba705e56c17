"""What schemathesis has to know of HTTP, of a batch, and of the gateway's media types."""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

UNKNOWN_HEADER = "x-schemathesis-unknown-property"
BATCH = "/recommendations/batch"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if not isinstance(failure, AcceptedNegativeData):
        return True
    # A header that nobody knows means nothing (RFC 9110, 5.1): a request with one is answered as without it.
    if UNKNOWN_HEADER in (case.headers or {}):
        return False
    # A unit that doesn't fit is refused alone, within an answer.
    return not (case.path == BATCH and any("code" in item for item in response.json()["items"]))


@schemathesis.deserializer("application/vnd.recgate.packed", "application/vnd.recgate.packed-batch")
def deserialize_packed(context, response):
    # Neither a record of revision 0 nor a frame of format 0 is one; what follows is the codec's to judge.
    if not response.content or response.content[0] == 0:
        raise ValueError("nothing packed")
    return response.content.hex()


@schemathesis.deserializer("text/plain")
def deserialize_text(context, response):
    return response.content.decode()
