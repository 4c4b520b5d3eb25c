"""What an OTLP answer says about records that were not taken."""


def rejected(answer, protocol):
    """How many records the other side rejected, and its words; (0, "") for a full success or an answer of another kind."""
    try:
        if protocol != "http/json":
            return _protobuf(answer)
        from json import loads

        part = loads(answer).get("partialSuccess") or {}
        count = next((value for key, value in part.items() if key.startswith("rejected")), 0)
        return int(count), str(part.get("errorMessage") or "")
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return 0, ""


def _protobuf(answer):
    from .otlp_json import ANSWER, message

    part = message(memoryview(answer), ANSWER).get("partialSuccess") or {}
    return part.get("rejected", 0), part.get("errorMessage", "")
