"""What a pipeline's verbs do: hand the call in, and return whether it was accepted."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Literal, NoReturn, ParamSpec, TypeVar, cast
from uuid import UUID

from cio_events._calls.call import Call, Customer, IdType, identifier_of
from cio_events._calls.validation import Data, obviously_fits
from cio_events._calls.verbs import Verbs
from cio_events._interrupts import faults
from cio_events.errors import ParamError
from cio_events.signals import FailedReason

_P = ParamSpec("_P")
_WhoT = TypeVar("_WhoT")


class BackgroundVerbs(Verbs[bool, NoReturn]):
    """
    The verbs of whoever accepts calls and delivers them later.

    A verb returns True when its call was accepted, which is now pending. Otherwise the call has
    failed (``invalid``, if these arguments make none) or was dropped; ledger and signals say why.
    Nobody waits, so ``timeout`` can only be None.
    """

    id_type: IdType | Literal["auto"] = "auto"
    """What a plain text, integer or UUID means as a customer."""

    @abstractmethod
    def send(self, call: Call) -> bool:
        """Accept *call* for delivery; returns whether it was accepted."""

    @abstractmethod
    def accept_event(
        self, customer: object, name: object, data: Data, logged_at: float | None = None
    ) -> str | None:
        """Accept a plain event; returns None if it has to be sent as a `Track`."""

    @abstractmethod
    def refuse(self, error: ParamError) -> FailedReason:
        """Count something of which no call can be made."""

    def _perform(
        self,
        timeout: None,
        call: Callable[_P, Call],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> bool:
        if timeout is not None:
            raise TypeError("a pipeline's verbs wait for nothing and have no timeout")
        try:
            made = call(*args, **kwargs)
        except ParamError as error:
            self.refuse(error)
            return False
        except faults(Exception) as error:  # what arguments hold may raise anything
            self.refuse(ParamError("call", f"reading it raised {type(error).__name__}"))
            return False
        return self.send(made)

    def _who(self, who: _WhoT) -> _WhoT:
        if self.id_type == "auto" or not issubclass(type(who), (str, int, UUID)):
            return who
        try:
            return cast("_WhoT", identifier_of(cast("str", who), "customer", self.id_type))
        except faults(Exception):  # as in _perform
            return who  # the call says what is wrong with it, by its parameter's name

    def _perform_event(self, customer: Customer, name: str, data: Data | None) -> bool | None:
        copy = {} if data is None else data
        if type(copy) is not dict:
            return None
        copy = dict(copy)  # another thread may be writing to it
        if obviously_fits(copy) and self.accept_event(customer, name, copy) is not None:
            return True
        return None
