"""The modes of the local Lambda: what is accepted, and what the page says of them."""

import re
from pathlib import Path

import pytest
from otel_layers.errors import UsageError
from otel_layers.local import Mode
from otel_layers.local.model import INIT_TYPES, MAX_CONCURRENCY


def test_an_unknown_type_is_refused():
    with pytest.raises(UsageError, match="unknown initialisation type 'snapstart'"):
        Mode("snapstart")


def test_the_page_lists_every_type():
    page = (Path(__file__).parents[3] / "docs/local-lambda.md").read_text()
    section = page.split("## Initialisation types")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([a-z][a-z-]*)` \|", section, re.MULTILINE) == list(INIT_TYPES)
    assert f"(1 to {MAX_CONCURRENCY})" in section
    assert Mode("managed-instances").variable in section
