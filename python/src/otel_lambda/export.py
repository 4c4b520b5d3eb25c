"""Keeps what ended and sends it when the invocation ends: bounded in time and in memory, dropped and counted when it cannot be delivered."""

import os
import threading
from collections import deque
from time import monotonic

from . import network, transport
from .say import cause, say

LONGEST = 2.0  # seconds that one flush may take
END = "X-Otel-Lambda-Invocation-End"  # its value is the request id
SPARE = 0.5  # seconds before the function's deadline that are not used, or half of what is left when that is less


def within(left):
    """Seconds that a flush may take of the `left` ones before the function's deadline; None when nobody knows."""
    if left is None or left <= 0:  # who lives on after the deadline has another clock than Lambda
        return LONGEST
    return min(LONGEST, max(left - SPARE, left / 2))


class Delivery:
    """What all signals share: the time of a flush, the connections, and the turn. No thread, no timer, since both stop in a frozen sandbox."""

    def __init__(self):
        self._signals, self._lines = [], {}
        self.others = None  # a function that flushes the user's own span processors
        self._turn = threading.Lock()
        self.sender = 0  # the thread that is sending
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)

    def _forked(self):
        """In a child: what the parent kept is the parent's to send; nobody else has the turn."""
        self._turn, self.sender = threading.Lock(), 0
        for one in self._signals:
            one.kept.clear()
            one.collect = None  # the metrics' sums are the parent's

    def signal(self, destination, encode, noun, limit, batch):
        """A new signal's exporter."""
        exporter = Exporter(self, destination, transport.to(destination, self._lines), encode, noun, limit, batch)
        self._signals.append(exporter)
        return exporter

    def flush(self, seconds, ends="", only=None):
        """
        Send what is kept (of one signal, `only`), within `seconds`; nothing is tried, and nothing lost, when there is no time.

        The last POST tells the collector beside us that the invocation with the request id `ends` has no more to send.
        """
        if seconds <= 0 or not self._turn.acquire(blocking=False):
            return
        try:
            end = monotonic() + seconds
            signals = self._signals if only is None else [only]
            if only is None and self.others is not None:
                self.others(seconds / 3)
            for one in signals:
                if one.collect is not None:
                    one.collect(seconds / 3)  # what it ends or logs is sent as well
            self.sender = threading.get_ident()
            self._send([one for one in signals if one.kept], end, ends)
        finally:
            self.sender = 0
            self._turn.release()

    def hang_up(self):
        """Close the kept connections, unless one is in use."""
        if self._turn.acquire(blocking=False):
            try:
                for line in self._lines.values():
                    line.close()
            finally:
                self._turn.release()

    def _send(self, signals, end, ends):
        """Place by place, the collector's last; each gets an equal part of the time that is left."""
        signals.sort(key=lambda one: one.destination.collector)
        places = list({id(one.transport.line): one.transport.line for one in signals}.values())
        for number, line in enumerate(places):
            here = [one for one in signals if one.transport.line is line]
            now = monotonic()
            until = now + (end - now) / (len(places) - number)
            why = ""
            for one in here:
                if why:
                    one.lost(one.take(None), why)  # it would meet the same: one bounded wait is enough
                    continue
                last = number == len(places) - 1 and one is here[-1] and one.destination.collector
                why = one.send(until, ends if last else "")


class Exporter:
    """One signal's kept records."""

    collect = None  # a function that is called before a flush

    def __init__(self, delivery, destination, channel, encode, noun, limit, batch):
        """`encode` makes a request's body of a list of records; at most `limit` are kept, `batch` go with one request."""
        self.delivery, self.destination, self.transport = delivery, destination, channel
        self._encode, self._noun, self._limit, self._batch = encode, noun, limit, batch
        self.kept = deque()
        self.sent = self.dropped = 0

    def add(self, record):
        """Keep a record; send at once only when there is no room for more."""
        self.kept.append(record)
        if len(self.kept) >= self._limit:
            self.force()
            while len(self.kept) > self._limit:  # another thread is sending
                self.lost(self.take(1), "there was no room")

    def force(self, seconds=LONGEST):
        """Send now; whether nothing is left."""
        self.delivery.flush(min(self.destination.timeout, LONGEST, seconds), only=self)
        return not self.kept

    def take(self, count):
        """The oldest `count` records, all when it is None."""
        out = []
        while self.kept and (count is None or len(out) < count):
            out.append(self.kept.popleft())
        return out

    def send(self, until, ends):
        """Send until nothing is kept or the time is over; why the place could not be reached, or ""."""
        while self.kept:
            seconds = min(until - monotonic(), self.destination.timeout)
            if seconds <= 0:
                return ""
            batch, body = self._encoded(self.take(self._batch))
            if not batch:
                continue
            last = bool(ends) and not self.kept
            try:
                self._post(batch, body, seconds, {END: ends} if last else None)
            except network.Refused as exc:
                self.lost(batch, self._advised(str(exc)))
            except Exception as exc:  # noqa: BLE001 - whatever it is, the function goes on
                why = self._advised(str(exc) if isinstance(exc, network.Failed) else cause(exc))
                self.lost(batch + self.take(None), why)
                return why
            if last:
                return ""  # what other threads ended meanwhile is the next invocation's
        return ""

    def _encoded(self, batch):
        """What of a batch can be encoded, and its body: a record that cannot be, from an SDK that nobody knows, costs only itself."""
        try:
            return batch, self._encode(batch)
        except Exception:  # noqa: BLE001 - now one by one
            good = []
            for record in batch:
                try:
                    self._encode([record])
                    good.append(record)
                except Exception as exc:  # noqa: BLE001 - never break the function
                    self.lost([record], f"it cannot be encoded: {cause(exc)}")
            return good, self._encode(good) if good else b""

    def _post(self, batch, body, seconds, headers):
        protocol = self.destination.protocol
        if protocol == "http/json":
            from . import otlp_json

            body = otlp_json.transcode(self.destination.signal, body)
        answer = self.transport.post(body, seconds, headers)
        self.sent += self.count(batch)
        if len(answer) > 2:  # more than {}
            from .partial import rejected

            count, why = rejected(answer, protocol)
            if count:
                self.sent -= count
                self._say(count, f"they were rejected: {why}" if why else "they were rejected")
            elif why:
                say(f"{self._place()} says of the {self._noun}: {why}", topic=f"partial {self._noun}")

    def count(self, batch):
        """How many records of the noun are in a batch."""
        return len(batch)

    def lost(self, batch, why):
        """Count what could not be delivered, and say it."""
        if batch:
            self._say(self.count(batch), why)

    def _advised(self, why):
        from .advice import about

        advice = about(self.destination, why)
        return f"{why}; {advice}" if advice else why

    def _say(self, count, why):
        self.dropped += count
        say(f"{count} {self._noun} were not delivered to {self._place()}: {why} ({self.dropped} dropped so far)", topic=f"export {self._noun}")

    def _place(self):
        from .redact import clean

        return clean(self.transport.url)
