"""Writes the parts of a protobuf message: each function gives one encoded field."""

from _struct import pack


def message(field, body) -> bytes:
    """A field that holds bytes, a text that is encoded already, or another message."""
    return varint(field << 3 | 2) + varint(len(body)) + body


def text(field, value) -> bytes:
    """A string; nothing when it is empty."""
    return message(field, str(value).encode("utf-8", "replace")) if value else b""


def number(field, value) -> bytes:
    """An unsigned whole number; nothing when it is 0."""
    return varint(field << 3) + varint(value) if value else b""


def signed(field, value) -> bytes:
    """A sint32 or sint64; nothing when it is 0."""
    return number(field, value << 1 if value >= 0 else (-value << 1) - 1)


def fixed64(field, value) -> bytes:
    """An unsigned number of eight bytes."""
    return varint(field << 3 | 1) + pack("<Q", value)


def double(field, value) -> bytes:
    """A floating point number, also when it is 0."""
    return varint(field << 3 | 1) + pack("<d", value)


def varint(value) -> bytes:
    """The encoding of a whole number, without a field."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
