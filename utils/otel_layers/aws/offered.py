"""What an installed botocore says that AWS offers. Also a script of its own, for the botocore of another environment: prints it as JSON."""

from __future__ import annotations

import json
from typing import Any


def read() -> dict[str, Any]:
    """
    Lambda's regions by partition with whether each is deprecated, regions without Lambda, runtimes, architectures and limits.

    Retired runtimes are in the model like the others: it does not tell which are.
    """
    import botocore
    import botocore.session

    session = botocore.session.get_session()
    shape: Any = session.get_service_model("lambda").shape_for
    partitions = {}
    for entry in session.get_component("data_loader").load_data("endpoints")["partitions"]:
        endpoints = entry["services"].get("lambda", {}).get("endpoints", {})
        name = entry["partition"]
        here = session.get_available_regions("lambda", partition_name=name)
        partitions[name] = {
            "regions": {region: bool(endpoints.get(region, {}).get("deprecated")) for region in here},
            "without": sorted(set(entry["regions"]) - set(here)),
        }
    return {
        "botocore": botocore.__version__,
        "partitions": partitions,
        "runtimes": list(shape("Runtime").enum),
        "architectures": list(shape("Architecture").enum),
        "compatible_runtimes": shape("CompatibleRuntimes").metadata["max"],
    }


if __name__ == "__main__":
    print(json.dumps(read()))
