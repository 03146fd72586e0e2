"""Make a call's envelope, and say of which of its values Customer.io gets nothing, or too much."""

from __future__ import annotations

from collections.abc import Callable

from cio_events._calls.call import Call
from cio_events._calls.limits import ATTRIBUTE_VALUE_BYTES
from cio_events._process.diagnostics import Diagnostics, where
from cio_events._wire.encode import Api, encode, too_long_attribute
from cio_events._wire.envelope import Envelope
from cio_events._wire.walk import Unsaid
from cio_events.errors import ParamError

# Of so many kinds of values; an application may make up names.
_TOLD = 100


class Encoder:
    """
    Encodes a pipeline's calls. It says of each kind of value once that it has no form in JSON.

    Args:
        api: The option.

        strict: Tells whether to raise instead.
    """

    def __init__(self, api: Api, diagnostics: Diagnostics, *, strict: Callable[[], bool]) -> None:
        self._api: Api = api
        self._diagnostics = diagnostics
        self._strict = strict
        self._told: set[Unsaid] = set()

    def envelope(self, call: Call, id_: str, now: int) -> Envelope:
        """
        Encode *call*, accepted under the ULID *id_* at *now* (Unix milliseconds).

        Raises:
            ParamError: It is over a limit; with ``strict``, also the first value without a form.
        """
        unsaid: list[Unsaid] = []
        envelope = encode(call, id_, now, self._api, unsaid)
        if unsaid:
            self._say(unsaid)
        if len(envelope) > ATTRIBUTE_VALUE_BYTES:
            self._look_for_long_attributes(call)
        return envelope

    def _say(self, unsaid: list[Unsaid]) -> None:
        if self._strict():
            raise ParamError(unsaid[0].key or "call", unsaid[0].problem)
        for one in unsaid:
            if len(self._told) < _TOLD and one not in self._told:
                self._told.add(one)
                self._diagnostics.warn_once(
                    f"unsaid {one}", f"{one.key!a}: {one.problem}{where()}"
                )

    def _look_for_long_attributes(self, call: Call) -> None:
        name = too_long_attribute(call)
        if name is not None:
            self._diagnostics.warn_once(
                "long attribute",
                lambda: (
                    f"the value of {name!r} is over Customer.io's limit of "
                    f"{ATTRIBUTE_VALUE_BYTES} bytes, and may be missing there; it is sent all the "
                    f"same{where()}"
                ),
            )
