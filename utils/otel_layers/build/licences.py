"""Which licence a text is, by the sentences that every copy of it has."""

from __future__ import annotations

import re

SPDX = re.compile(r"\(*[A-Za-z0-9.+-]+\)*( (AND|OR|WITH) \(*[A-Za-z0-9.+-]+\)*)*")  # the shape of an SPDX expression

# SPDX id, a sentence that is in it, and one that is not.
_KNOWN = (
    ("Apache-2.0", r"apache license,? version 2\.0", ""),
    ("MPL-2.0", r"mozilla public license,? (version|v\.) ?2\.0", ""),
    ("EPL-2.0", r"eclipse public license - v 2\.0", ""),
    ("MIT", r"permission is hereby granted, free of charge, to any person obtaining a copy.*permission notice shall be included", ""),
    ("BSD-3-Clause", r"redistribution and use in source and binary forms.*endorse or promote", ""),
    ("BSD-2-Clause", r"redistribution and use in source and binary forms", r"endorse or promote"),
    ("ISC", r"permission to use, copy, modify, and(/or)? distribute this software for any purpose.*above copyright notice", ""),
    ("PSF-2.0", r"python software foundation license version 2", ""),
    ("Unlicense", r"this is free and unencumbered software released into the public domain", ""),
)


def identify(text: str) -> str:
    """The SPDX expression of a licence's text, such as MIT or 'Apache-2.0 AND MIT'; '' when it is none that is known here."""
    flat = re.sub(r"[\s*#/;\"'\u201c\u201d]+", " ", text.lower())  # lines may be wrapped, and be comments
    return " AND ".join(name for name, sentence, other in _KNOWN if re.search(sentence, flat) and not (other and re.search(other, flat)))
