"""What schemathesis has to know of HTTP, and of the packed body."""

import schemathesis
from schemathesis.core.failures import AcceptedNegativeData

UNKNOWN_HEADER = "x-schemathesis-unknown-property"


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # A header that nobody knows means nothing (RFC 9110, 5.1): a request with one is answered as without it.
    return not (isinstance(failure, AcceptedNegativeData) and UNKNOWN_HEADER in (case.headers or {}))


@schemathesis.deserializer("application/vnd.recgate.packed")
def deserialize_packed(context, response):
    # Revision 0 is no record's; what follows is the codec's to judge.
    if not response.content or response.content[0] == 0:
        raise ValueError("no packed record")
    return response.content.hex()


@schemathesis.deserializer("text/plain")
def deserialize_text(context, response):
    return response.content.decode()
