"""
Requests that fail again and again, and the search for the calls in them that are the cause.

Once others pass, a suspect is halved until the culprit waits alone. While nothing passes it is the
destination, or the way there: then suspects take turns, and only a part of one is tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cio_events._delivery.destination import Batch, Hold, TryAgain
from cio_events._delivery.order import Pending, free_of, grouped
from cio_events._wire.envelope import Envelope, accepted_at

STRIKES = 3
"""After how many failures in a row the calls of a request may themselves be the cause."""

TRIES = 2 * STRIKES
"""After how many it steps aside though nothing else passes: others are tried meanwhile."""


@dataclass(slots=True, eq=False, repr=False)
class Load(Batch):
    """
    A batch, and what is held against it.

    Attributes:
        calls: Its calls as they stand in order; None while all is one queue.

        strikes: How often it has failed in a row, but for when nothing passed.

        tries: How often it has failed in a row.

        failed_at: How many requests of others had passed when it failed last.

        retry_at: When it may be tried again although nothing has passed since (`monotonic`).

        urgent_at: When it may be, should somebody wait for it.

        convicted: Whether its one call is the cause.

        guilty: Whether it failed although others had passed since it did before.

        refusal: What was said when others may show that the call is refused.

        part_of: The suspect that this is a probe of.

        turn: How many attempts of suspects there were, this one included, when it was tried last.

        untested: Whether it has not been sent as it is now.

        first: Whether what it was halved from cannot go on without it, so that nothing shows
            beside it that the destination is well.

        probes: The last part of it that was tried, as `_probe` counts them.

        began_at: How many requests of others had passed when it was sent last.

        family: What halves have in common.
    """

    calls: list[Pending] | None = None
    strikes: int = 0
    tries: int = 0
    failed_at: int = -1
    retry_at: float = 0.0
    urgent_at: float = 0.0
    convicted: bool = False
    guilty: bool = False
    refusal: Hold | None = None
    part_of: Load | None = None
    family: object = field(default_factory=object)
    turn: int = 0
    untested: bool = False
    began_at: int = 0
    first: bool = False
    probes: int = 1

    def part(self, calls: list[Pending]) -> Load:
        """Return some of its calls, with the same held against them."""
        return self._with([call.envelope for call in calls], calls)

    def halves(self) -> tuple[Load, Load]:
        """Return both halves, with the same held against them."""
        middle = len(self.envelopes) // 2
        calls = self.calls
        return (
            self._with(self.envelopes[:middle], calls and calls[:middle]),
            self._with(self.envelopes[middle:], calls and calls[middle:]),
        )

    def by_age(self, born_before: int) -> tuple[Load, Load]:
        """Return the calls accepted before that (Unix milliseconds), and the others."""
        parts: list[Load] = []
        for old in (True, False):
            places = [
                place
                for place, envelope in enumerate(self.envelopes)
                if (accepted_at(envelope) < born_before) is old
            ]
            parts.append(
                self._with(
                    [self.envelopes[place] for place in places],
                    self.calls and [self.calls[place] for place in places],
                )
            )
        return parts[0], parts[1]

    def keep(self, other: Load) -> None:
        """Have only the calls of *other*, which are some of its own."""
        self.envelopes, self.calls = other.envelopes, other.calls
        self.untested, self.tries, self.probes = True, min(self.tries, STRIKES), 1

    def _with(self, envelopes: Sequence[Envelope], calls: list[Pending] | None) -> Load:
        return Load(
            envelopes,
            attempts=self.attempts,
            again=self.again,
            calls=calls,
            strikes=self.strikes,
            tries=self.tries,
            failed_at=self.failed_at,
            refusal=self.refusal,
            family=self.family,
            untested=True,
        )


class Suspects:
    """The suspects of one destination. One request of theirs is made at a time."""

    def __init__(self) -> None:
        self._loads: list[Load] = []
        self._out: Load | None = None  # the one under way
        self._passes = 0
        self._failing: set[Load] = set()  # what failed since something passed last
        self._turns = 0

    def __bool__(self) -> bool:
        return bool(self._loads)

    def __iter__(self) -> Iterator[Load]:
        return iter(self._loads)

    def __contains__(self, load: object) -> bool:
        return isinstance(load, Load) and (load.part_of or load) in self._loads

    def add(self, load: Load) -> None:
        """Let *load* step aside."""
        # What waits for each other stands together: then one half hardly waits for the other.
        load.calls = grouped(load.calls or [])
        load.envelopes = [call.envelope for call in load.calls]
        self._loads.append(load)

    def remove(self, load: Load) -> None:
        """Forget *load*."""
        self._loads.remove(load)

    def begin(self, load: Load) -> None:
        """Note that *load*, suspected or not, is sent."""
        load.began_at = self._passes

    def is_out(self, load: Load) -> bool:
        """Whether *load*, or a part of it, is under way."""
        return self._out is not None and load in (self._out, self._out.part_of)

    def due_at(self, now: float) -> float:
        """Return when the next one may be tried (`monotonic`)."""
        if self._out is not None:
            return float("inf")
        return min(
            (
                now if self._is_due(load, now) else load.retry_at
                for load in self._loads
                if free_of(load.calls or [])[0]
            ),
            default=float("inf"),
        )

    def trial_at(self, now: float) -> float:
        """Return when the next one may be tried, while nothing passes (`monotonic`)."""
        if self._out is not None:
            return float("inf")
        return min(
            (
                load.retry_at if load.convicted else now
                for load in self._loads
                if free_of(load.calls or [])[0]
            ),
            default=float("inf"),
        )

    def try_now(self) -> None:
        """Have all of them tried soon, unless the server asked for the delay."""
        for load in self._loads:
            load.retry_at = min(load.retry_at, load.urgent_at)

    def due(self, now: float) -> Load | None:
        """Return what to try now, while others pass."""
        if self._out is not None:
            return None
        # By turns: where a request outlasts their pauses, the first ones are always due again.
        for load in sorted(self._loads, key=lambda one: one.turn):
            if self._is_due(load, now):
                self._out = self._attempt(load)
                if self._out is not None:
                    return self._out
        return None

    def trial(self, now: float) -> Load | None:
        """Return what to try now, while nothing passes and nothing else is there to be tried."""
        if self._out is not None:
            return None
        # The convicted too, as what is learned while nothing passes may be wrong.
        for load in sorted(self._loads, key=lambda one: one.turn):
            if not load.convicted or now >= load.retry_at:
                self._out = self._attempt(load)
                if self._out is not None:
                    return self._out
        return None

    def _is_due(self, load: Load, now: float) -> bool:
        return now >= load.retry_at or self._has_proof(load)

    def _has_proof(self, load: Load) -> bool:
        if load.convicted or load.refusal is not None:
            return False
        return self._passes > load.failed_at or (load.guilty and len(load.envelopes) > 1)

    def _attempt(self, load: Load) -> Load | None:
        free, tied = free_of(load.calls or [])
        if not free:
            return None
        self._turns += 1
        load.turn = self._turns
        if tied:
            load = self._replace(load, load.part(free), load.part(tied))
        if len(load.envelopes) == 1 or load.untested:
            return load
        if (load.strikes >= STRIKES or load.guilty) and self._has_proof(load):
            first, second = load.halves()
            first.first = not free_of(second.calls or [])[0]
            return self._replace(load, first, second)
        if load.strikes > STRIKES or load.tries > TRIES:
            return self._probe(load)
        return load

    def _replace(self, load: Load, first: Load, second: Load) -> Load:
        place = self._loads.index(load)
        self._loads[place : place + 1] = [first, second]
        self._failing.discard(load)
        return first

    def _probe(self, load: Load) -> Load:
        """
        Return the next part of *load*: both halves, then all quarters, and so on, again and again.

        However many culprits there are, one without any comes before long, and passes.
        """
        calls = load.calls or []
        while True:
            # As in a heap: 1 is the whole, 2 and 3 are its halves, 4 to 7 theirs.
            load.probes += 1
            level = load.probes.bit_length() - 1
            if 1 << level >= 2 * len(calls):
                load.probes = 1
                continue
            place = load.probes - (1 << level)
            start, end = (len(calls) * n >> level for n in (place, place + 1))
            free, _ = free_of(calls[start:end])
            if free:
                probe = load.part(free)
                probe.part_of = load
                return probe

    def passed(self, load: Load) -> None:
        """*load* was judged by its calls, which are suspected no longer."""
        self._passes += 1
        self._failing.clear()
        if load is self._out:
            self._out = None
        whole = load.part_of
        if whole in self._loads and whole is not None:
            done = set(load.calls or ())
            left = [call for call in whole.calls or () if call not in done]
            whole.keep(whole.part(left))
            load = whole
        if load in self._loads and (load is not whole or not load.envelopes):
            self._loads.remove(load)

    def release(self, load: Load) -> None:
        """*load* is no longer under way, and nothing was learned of its calls."""
        if load is self._out:
            self._out = None

    def strike(self, load: Load, verdict: TryAgain | Hold) -> bool:
        """Note that *load* has failed; returns whether nothing else has since something passed."""
        self.release(load)
        load = load.part_of or load
        load.tries += 1
        load.untested = False
        refused_before = load.refusal is not None
        load.refusal = None
        if isinstance(verdict, Hold) and verdict.final and len(load.envelopes) == 1:
            # Of several, one was sent as a part of them: it concerns none of the others.
            load.refusal = verdict
        proof = load.failed_at >= 0 and self._passes > load.failed_at
        if load.refusal is None:
            load.failed_at = self._passes
        elif not refused_before:
            # What passes beside it shows as much as what passes behind it.
            load.failed_at = load.began_at
        # Whether or not it may have been the destination before: it is well now.
        load.guilty = load.tries > STRIKES and (proof or load.first)
        if load.guilty and proof and len(load.envelopes) == 1:
            load.convicted = True
        if load.convicted:
            return True
        load.strikes += 1
        others = self._failing - {load}
        self._failing.add(load)
        if any(other.family is not load.family for other in others):
            # Nothing passes: none of them is to blame.
            for one in (load, *self._loads):
                one.strikes = min(one.strikes, STRIKES - 1)
        return not others

    def refused(self) -> list[tuple[Load, Hold]]:
        """Take those that were refused, as another has passed since."""
        taken = [
            (load, load.refusal)
            for load in self._loads
            if load.refusal is not None and self._passes > load.failed_at and not self.is_out(load)
        ]
        for load, _ in taken:
            self._loads.remove(load)
        return taken
