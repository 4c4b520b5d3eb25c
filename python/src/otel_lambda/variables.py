"""Reads environment variables by kind. A bad value is one line on stderr and the default."""

import os

from .say import say


def whole(name: str, default: "int | None", least: int = 1) -> "int | None":
    """A variable that is a whole number of at least `least`."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if text.isascii() and text.isdigit() and int(text) >= least:
        return int(text)
    used = "no limit" if default is None else default
    say(f"{name} is {text!r}, not a whole number above {least - 1}: {used} is used", topic=name)
    return default


def flag(name: str) -> bool:
    """A variable that is a boolean as the specification has it: anything but `true` is false."""
    return os.environ.get(name, "").strip().lower() == "true"


def one_of(name: str, known: "tuple[str, ...]") -> str:
    """A variable that is one of `known`, the first of which is the default; another text is one line."""
    found = os.environ.get(name, "").strip().lower()
    if found in known:
        return found
    if found:
        say(f"{name} is {found!r}, which this layer does not have ({', '.join(known)}): {known[0]} is used", topic=name)
    return known[0]


def words(text: str) -> "tuple[str, ...]":
    """The parts of a list separated by commas, in lower case."""
    return tuple(w.strip().lower() for w in text.split(",") if w.strip())


def pairs(text: str) -> "dict[str, str]":
    """`key=value` pairs separated by commas, percent-decoded, as the specification writes headers and resource attributes."""
    found: dict[str, str] = {}
    for part in text.split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            say("a part of a key=value list has no key or no '=': it is left out", topic="pairs")
            continue
        if "%" in part:
            from urllib.parse import unquote

            key, value = unquote(key), unquote(value)
        found[key.strip()] = value.strip()
    return found
