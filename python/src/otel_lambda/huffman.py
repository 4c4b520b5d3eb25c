"""
Finds h2 and its parts for us only.

It stands in for hpack.huffman_table, whose 4,000 rows are 30 kB of byte code in every Python version: enough for the few texts of an answer.
The function's own hpack, imported before or from its own folder afterwards, is not touched.
"""

import os
import sys

# Not on the search path: httpcore, and so httpx, imports h2 wherever it finds it, though hardly a function asks for HTTP/2.
_FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "otel-python", "grpc-only")
_NAME = "hpack.huffman_table"


def decode_huffman(data):
    """The bytes that `data` encodes (RFC 7541, appendix B)."""
    from hpack.exceptions import HPACKDecodingError
    from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

    symbols = {(length, code): symbol for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))}
    out, code, length = bytearray(), 0, 0
    for byte in bytes(data or b""):
        for place in range(7, -1, -1):
            code, length = code << 1 | byte >> place & 1, length + 1
            symbol = symbols.get((length, code))
            if symbol is not None:
                if symbol == 256:
                    raise HPACKDecodingError("the end's symbol is in a text")
                out.append(symbol)
                code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise HPACKDecodingError("what fills the last byte is not ones")
    return bytes(out)


class place:  # noqa: N801 - reads as `with huffman.place():`
    """The folder, behind all others, and the stand-in are there while the block imports h2; the latter not when hpack is loaded already."""

    def __enter__(self):
        """Put them there."""
        sys.path.append(_FOLDER)
        self._placed = None
        if "hpack" not in sys.modules:
            self._placed = sys.modules[_NAME] = type(sys)(_NAME)
            self._placed.decode_huffman = decode_huffman

    def __exit__(self, *_):
        """Take them away."""
        if _FOLDER in sys.path:
            sys.path.remove(_FOLDER)
        if self._placed is not None and sys.modules.get(_NAME) is self._placed:
            del sys.modules[_NAME]
