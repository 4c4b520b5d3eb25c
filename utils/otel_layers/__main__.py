"""`python -m otel_layers`: what run.sh calls."""

import sys

from .cli import main

sys.exit(main(sys.argv[1:]))
