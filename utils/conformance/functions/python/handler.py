"""
The function of the conformance suite: prints the event that it got, then returns or raises what it was asked to.

CONFORMANCE_RESULTS is a JSON list of {"returns": VALUE} and {"raises": MESSAGE}: invocation after invocation, and from the first again.
"""

import itertools
import json
import os

RESULTS = itertools.cycle(json.loads(os.environ["CONFORMANCE_RESULTS"]))


def handler(event, _context):
    """Do what comes next."""
    print(json.dumps(event))
    result = next(RESULTS)
    if "raises" in result:
        raise RuntimeError(result["raises"])
    return result["returns"]
