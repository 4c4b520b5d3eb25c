"""
What invoked the function, told from the event's shape, whatever it is: name, attributes, and where its trace context is.

The facts are rows of triggers.json, the same for every language; utils/conformance/README.md explains them. The reader names no service.
"""

import json
import os

from . import messages, transforms

_TABLE = {}  # what the file says; read when the first event comes


class Trigger:
    """The facts of one invocation's event."""

    __slots__ = ("attributes", "batch", "carrier", "name", "response", "row", "trigger")

    def __init__(self, row, name, attributes, carrier, batch):
        """`name`: the span's, '' for the function's own. `carrier`: what a parent is read from. `response`: where a result's status is, or None."""
        self.row, self.trigger, self.response = row["row"], row["trigger"], row.get("response")
        self.name, self.attributes, self.carrier, self.batch = name, attributes, carrier, batch


def recognise(event, client=None):
    """The Trigger of `event`, of whatever type it is. `client` is the client context that a direct invocation's caller sent, as a dict."""
    if not _TABLE:
        with open(os.path.join(os.path.dirname(__file__), "triggers.json"), encoding="utf-8") as file:
            _TABLE.update(json.load(file))
        _TABLE["fields"] = frozenset(_TABLE["fields"])
    row = _complete(next(row for row in _TABLE["rows"] if _holds(row["when"], event)))
    reading = _Reading(row, event)
    carrier = context(_TABLE["client_context"], client)
    if not _marked(carrier):
        carrier = context(row.get("context", ()), event, reading)
    attributes = reading.attributes()
    if "consumer" not in row:
        return Trigger(row, reading.first(row.get("name", ())), attributes, carrier, None)
    batch = messages.Batch(reading.process(row["consumer"], attributes), attributes, list(reading.carriers(row["message"])))
    return Trigger(row, "", {}, carrier, batch)


class _Reading:
    """One event, read by one row."""

    __slots__ = ("event", "headers", "records", "row")

    def __init__(self, row, event):
        self.row, self.event, self.headers = row, event, {}
        for path in row.get("headers", ()):
            self.headers = {**fields(at(event, path), joined=True), **self.headers}
        if "forwarded" in row and "forwarded" in self.headers:
            given = transforms.forwarded(self.headers["forwarded"])
            self.headers.update({name: given[parameter] for parameter, name in row["forwarded"].items() if parameter in given})
        records = at(event, row["records"]) if "records" in row else ()
        if isinstance(records, dict):
            records = [record for several in records.values() if isinstance(several, list) for record in several]
        self.records = records if isinstance(records, list) else ()

    def attributes(self):
        """The row's attributes that the event has."""
        out = {}
        for name, sources in self.row.get("attributes", {}).items():
            value = self.first(sources)
            if value:
                out[name] = value
        return out

    def first(self, sources):
        """The value of the first source that has one; '' when none has."""
        value = ""
        for source in sources:
            if "path" in source:
                value = _transformed(at(self.event, source["path"]), source)
            elif "header" in source:
                value = _transformed(next((self.headers[name] for name in source["header"] if name in self.headers), None), source)
            elif "query" in source:
                value = transforms.query(at(self.event, source["query"]), "encode" in source)
            elif "value" in source:
                value = source["value"]
            elif "count" in source:
                value = len(self.records) if len(self.records) > 1 else ""
            else:
                found = self.found(source)
                value = found if "all" in source else found[0] if len(found) == 1 else ""
            if value:
                break
        return value

    def found(self, source):
        """The different values of a source that reads every record, or every key: two are enough where they have to agree."""
        if "record" in source:
            raw = (at(record, source["record"]) for record in self.records)
        else:
            keyed = at(self.event, source["keys"])
            raw = keyed if isinstance(keyed, dict) else ()
        out, seen = [], set()
        for text in raw:
            if not isinstance(text, str) or text in seen:
                continue
            seen.add(text)
            value = _transformed(text, source)
            if value and value not in out:
                out.append(value)
                if len(out) > 1 and "all" not in source:
                    break
        return out

    def process(self, consumer, attributes):
        """The name of the CONSUMER span."""
        attribute = consumer["destination"]
        name = attributes.get(attribute)
        if name is None:
            several = any(len(self.found(source)) > 1 for source in self.row["attributes"][attribute])
            name = consumer["several"] if several else ""
        return f"{consumer['operation']} {name}".rstrip()

    def carriers(self, message):
        """For each message its id, the fields that it carries, and the X-Ray header that AWS added, or None; of a large batch for the last ones."""
        for record in self.records[-_TABLE["most_links"] :]:
            if isinstance(record, dict):
                identifier = next((found for source in message.get("id", ()) if isinstance(found := at(record, source["path"]), str)), "")
                header = at(record, message["xray"]) if "xray" in message else None
                yield identifier, context(message["context"], record), header if isinstance(header, str) else None


def _transformed(text, source):
    """The text after the source's transforms; '' when it is none, or one gives nothing."""
    if not isinstance(text, str):
        return ""
    for name, *arguments in source.get("as", ()):
        if text:
            text = transforms.NAMED[name](text, *(_TABLE["lists"].get(a, a) if isinstance(a, str) else a for a in arguments)) or ""
    return text


def context(sources, root, reading=None):
    """The carrier at the first source that has a field which carries a context; else the first that has fields at all."""
    first = {}
    for source in _TABLE["contexts"][sources] if isinstance(sources, str) else sources:
        if "when" in source and not _holds(source["when"], root):
            continue
        if "headers" in source:
            found = reading.headers
        elif "json" in source:
            found = context(source["context"], _parsed(at(root, source["json"]), "base64" in source))
        else:
            found = fields(at(root, source["map"]), source.get("member"), "bytes" in source)
        if _marked(found):
            return found
        first = first or found
    return first


def _marked(carrier):
    return not _TABLE["fields"].isdisjoint(carrier)


def _parsed(text, base64):
    """The value of a JSON text that may carry a context; None for any other, which is not parsed."""
    if not isinstance(text, str) or len(text) > _TABLE["largest_json"]:
        return None
    try:
        if base64:
            from binascii import a2b_base64

            text = a2b_base64(text).decode()
        lower = text.lower()
        for field in _TABLE["fields"]:
            if field in lower and f'"{field}' in lower:
                return json.loads(text)
        return None
    except (ValueError, RecursionError):
        return None


def at(node, path):
    """What is at `path` (keys of objects, places in lists); None when nothing is."""
    for key in path:
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list) and isinstance(key, int) and key < len(node):
            node = node[key]
        else:
            return None
    return node


def fields(node, member=None, bytewise=False, joined=False):
    """
    The texts of an object, or of a list of objects, by their names in lower case; several values joined as HTTP joins them.

    Of names that differ only in case the first counts, or with `joined` all.
    """
    out, several = {}, {}
    for part in node if isinstance(node, list) else (node,):
        for name, value in part.items() if isinstance(part, dict) else ():
            if member is not None:
                value = value.get(member) if isinstance(value, dict) else None
            if isinstance(value, list):
                value = transforms.text_of_bytes(value) if bytewise else ",".join(v for v in value if isinstance(v, str))
            if isinstance(value, str) and value:
                name = name.lower()
                if joined and name in out:
                    several.setdefault(name, [out[name]]).append(value)
                out.setdefault(name, value)
    out.update({name: ",".join(values) for name, values in several.items()})
    return out


def _holds(tests, node):
    """Whether all tests hold."""
    return all(any(_passes(test, node, path) for path in test.get("any") or (test["path"],)) for test in tests)


def _passes(test, node, path):
    if test.get("is") == "present":
        holder = at(node, path[:-1])
        return isinstance(holder, dict) and path[-1] in holder
    found = at(node, path)
    if "equals" in test:
        return isinstance(found, str) and found in test["equals"]
    if "contains" in test:
        return isinstance(found, str) and test["contains"] in found
    return isinstance(found, {"string": str, "object": dict, "list": list}[test["is"]])


def _complete(row):
    """The row with what it has from the shape or row that it is like; worked out once."""
    base = row.pop("like", None)
    if base is not None:
        base = _complete(_TABLE["shapes"].get(base) or next(r for r in _TABLE["rows"] if r["row"] == base))
        attributes = {**base.get("attributes", {}), **row.get("attributes", {})}
        row.update({**base, **row, "attributes": attributes})
    return row
