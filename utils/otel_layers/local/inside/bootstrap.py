"""Runs AWS's runtime client with the search path of the managed Python runtimes. Not a package module: lies in /var/runtime."""

import os
import sys


def main() -> None:
    """Set sys.path as on Lambda (task root, layers, runtime), then serve invocations."""
    opt = os.environ.pop("LAMBDA_LAYERS_ROOT", "/opt")  # only set where /opt cannot be mounted
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"], f"{opt}/python/lib/{version}/site-packages", f"{opt}/python"]
    from awslambdaric.__main__ import main as serve

    serve([__file__, os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
