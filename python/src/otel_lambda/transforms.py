"""The named transforms of triggers.json: a text, and the arguments that the file gives, to a text, a number, or None."""


def query(values, encode):
    """The query string of an object of names and values, as it was sent; services that decode hand it over without its encoding."""
    if not isinstance(values, dict):
        return ""
    pairs = ((k, v) for k, several in values.items() for v in (several if isinstance(several, list) else (several,)) if isinstance(v, str))
    return "&".join(f"{_form_encode(k)}={_form_encode(v)}" if encode else f"{k}={v}" for k, v in pairs)


def text_of_bytes(values):
    """The text of a list of byte values, signed or not; None for any other list."""
    if all(type(v) is int and -128 <= v < 256 for v in values):
        return bytes(v & 255 for v in values).decode("utf-8", "replace")
    return None


def forwarded(text):
    """The parameters of a Forwarded header's first element, by their names in lower case (RFC 7239)."""
    out, name = {}, ""
    for number, part in enumerate(text.split('"')):
        if number % 2:  # a quoted value
            if name and part:
                out.setdefault(name, part)
            continue
        element, comma, _ = part.partition(",")
        for pair in element.split(";"):
            name, _, value = pair.partition("=")
            name, value = name.strip(" \t").lower(), value.strip(" \t")
            if name and value:
                out.setdefault(name, value)
        if comma:
            break
    return out


def _form_encode(text):
    if text.isascii() and text.isalnum():
        return text
    return "".join(
        chr(b) if b in b"-._~" or (b < 128 and chr(b).isalnum()) else "+" if b == 32 else f"%{b:02X}" for b in text.encode("utf-8", "replace")
    )


def _form_decode(text):
    if "%" not in text:
        return text.replace("+", " ")
    first, *rest = text.replace("+", " ").encode("utf-8", "replace").split(b"%")
    out = [first]
    for part in rest:
        try:
            out.append(bytes((int(part[:2], 16),)) + part[2:] if part[:2].isalnum() and len(part) > 1 else b"%" + part)
        except ValueError:
            out.append(b"%" + part)
    return b"".join(out).decode("utf-8", "replace")


def _host(text):
    host, colon, port = text.rpartition(":")
    return host if colon and port.isascii() and port.isdigit() else text


def _port(text):
    host, colon, port = text.rpartition(":")
    return int(port) if host and colon and port.isascii() and port.isdigit() and len(port) < 6 else None


def _node(text):
    if text[0] == "[":
        return text[1:].partition("]")[0]
    name = text.partition(":")[0] if text.count(":") == 1 else text
    return None if name[:1] == "_" or name.lower() == "unknown" else name


def _segment(text, separator, number):
    parts = text.split(separator)
    return parts[number] if number < len(parts) else None


def _arn_resource(text):
    parts = text.split(":", 5)
    return parts[5] if len(parts) == 6 else None


def _sqs_url(text):
    parts = text.split(":")
    if len(parts) != 6 or not all(parts):
        return None
    suffix = "amazonaws.com.cn" if parts[1] == "aws-cn" else "amazonaws.com"
    return f"https://sqs.{parts[3]}.{suffix}/{parts[4]}/{parts[5]}"


NAMED = {
    "first": lambda text: text.split(",")[0].strip(),
    "host": _host,
    "port": _port,
    "node": _node,
    "after": lambda text, prefix: text[len(prefix) :] if text[: len(prefix)].upper() == prefix.upper() else None,
    "segment": _segment,
    "one-of": lambda text, known, other: text if text in known else other,
    "none-of": lambda text, known: None if text in known else text,
    "cases": lambda text, *pairs: next((result for prefix, result in pairs if text.startswith(prefix)), None),
    "form-decode": _form_decode,
    "arn-resource": _arn_resource,
    "sqs-url": _sqs_url,
}
