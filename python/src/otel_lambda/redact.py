"""Takes the credentials that URLs carry out of a text; imported when the first text that may hold a URL is sent."""

import re

# The keys that the semantic conventions name for url.full, and the others that sign or authorise a request to AWS. Letter case counts.
_KEYS = "AWSAccessKeyId|Signature|sig|X-Goog-Signature|X-Amz-(?:Signature|Credential|Security-Token)|x-amz-security-token"
_END = r"&#\s\"<>"
_PARAMETER = re.compile(rf"([?&;](?:{_KEYS})=)[^{_END}]*")
_INNER = re.compile(rf"((?:%3[Ff]|%26)(?:{_KEYS})%3[Dd])(?:(?!%26)[^{_END}])*")  # of a URL inside a parameter
_USER = re.compile(r"://[^/?#\s\"<>]*@")


def clean(text):
    """`text` with REDACTED in the place of what is secret."""
    if "@" in text:
        text = _USER.sub(lambda found: "://REDACTED:REDACTED@" if ":" in found[0][3:] else "://REDACTED@", text)
    if "?" in text:
        text = _INNER.sub(r"\1REDACTED", _PARAMETER.sub(r"\1REDACTED", text))
    return text


def query(text):
    """The same for a query without its question mark."""
    return clean("?" + text)[1:]
