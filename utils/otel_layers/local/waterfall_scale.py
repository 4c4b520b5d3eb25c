"""The time axis of a waterfall: active times are drawn to scale, long idle gaps (a frozen environment) are cut short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_GAP = 0.03  # width of a cut gap, as a part of the whole axis
_LONG = 0.15  # a gap longer than this part of all active time is cut


@dataclass(frozen=True)
class Piece:
    """A stretch of the axis: a time interval and where it stands between 0 and 1."""

    start_ns: int
    end_ns: int
    left: float
    right: float
    cut: bool  # a gap that is not drawn to scale


@dataclass(frozen=True)
class Scale:
    """Pieces from left to right without holes."""

    pieces: tuple[Piece, ...]

    @property
    def start_ns(self) -> int:
        """Where the axis begins."""
        return self.pieces[0].start_ns

    @property
    def end_ns(self) -> int:
        """Where the axis ends."""
        return self.pieces[-1].end_ns

    def at(self, ns: int) -> float:
        """The place of a time, 0 to 1; times outside of the axis stand at its ends."""
        for piece in self.pieces:
            if ns <= piece.end_ns:
                length = piece.end_ns - piece.start_ns
                part = max(0, ns - piece.start_ns) / length if length else 0.0
                return piece.left + part * (piece.right - piece.left)
        return 1.0

    def time(self, place: float) -> int | None:
        """The time at a place; None inside a cut gap."""
        for piece in self.pieces:
            if place <= piece.right:
                if piece.cut and place > piece.left:
                    return None
                width = piece.right - piece.left
                return piece.start_ns + round((place - piece.left) / width * (piece.end_ns - piece.start_ns)) if width else piece.start_ns
        return self.end_ns

    def ticks(self, places: Sequence[float] = (0, 0.25, 0.5, 0.75)) -> list[tuple[float, str]]:
        """(place, time since the start in words) for the axis, without those that fall into a cut gap."""
        found = [(place, self.time(place)) for place in places]
        return [(place, duration(ns - self.start_ns)) for place, ns in found if ns is not None]

    def cuts(self) -> list[Piece]:
        """The gaps that are cut short."""
        return [piece for piece in self.pieces if piece.cut]


def scale(active: Iterable[tuple[int, int]]) -> Scale:
    """The axis for these (start, end) times."""
    merged: list[list[int]] = []
    for start, end in sorted((start, max(start, end)) for start, end in active):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    if not merged:
        return Scale((Piece(0, 0, 0.0, 1.0, cut=False),))
    busy = sum(end - start for start, end in merged)
    stretches: list[tuple[int, int, bool]] = [(merged[0][0], merged[0][1], False)]
    for start, end in merged[1:]:
        before = stretches[-1]
        if start - before[1] > max(_LONG * busy, 1):
            stretches += [(before[1], start, True), (start, end, False)]
        else:
            stretches[-1] = (before[0], end, False)
    cuts = sum(cut for *_, cut in stretches)
    shown = sum(end - start for start, end, cut in stretches if not cut)
    gap = min(_GAP, 0.5 / cuts) if cuts else 0.0
    pieces, left = [], 0.0
    for i, (start, end, cut) in enumerate(stretches):
        drawn = (end - start) / shown if shown else 1 / (len(stretches) - cuts)
        right = left + (gap if cut else (1 - cuts * gap) * drawn)
        pieces.append(Piece(start, end, left, 1.0 if i == len(stretches) - 1 else right, cut))
        left = right
    return Scale(tuple(pieces))


def duration(ns: float) -> str:
    """A time in words, three figures: 0.42 ms, 48.2 ms, 1.23 s."""
    for limit, factor, unit in ((1e9, 1e6, "ms"), (float("inf"), 1e9, "s")):
        if abs(ns) < limit * 0.9995:
            amount = ns / factor
            digits = 0 if abs(amount) >= 99.95 or not amount else 1 if abs(amount) >= 9.995 else 2
            return f"{amount:.{digits}f} {unit}"
    return ""
