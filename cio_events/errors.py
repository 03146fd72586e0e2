"""
What can go wrong, as exceptions.

::

    CustomerIOError
    ├── ParamError               an invalid call or setting (also a ValueError)
    ├── APIError                 the Track API refused a call
    ├── TransactionalError       the App API refused a message
    ├── AttachmentExistsError    a message has an attachment of that name already
    └── NoAnswerError            no connection, or a broken one
        └── AnswerTimeoutError   no answer in time (also a TimeoutError)

`CustomerIOWarning` is the category of warnings; it is raised only where warnings are errors.

No text of an exception holds a credential, an identifier or a payload: Customer.io's words are
masked there, and in the attributes as they came, for whoever wants to look.
"""

from __future__ import annotations

from functools import partial

from cio_events._exported import exported


@exported
class CustomerIOError(Exception):
    """The base of everything that this package raises."""


@exported
class ParamError(CustomerIOError, ValueError):
    """
    Raised when a call or a setting is made with an invalid value.

    Attributes:
        param: The name of the parameter or setting.

        limit: The limit that the value is over, in the unit that the text names; None when the
            value is wrong for another reason.
    """

    def __init__(self, param: str, message: str, limit: int | None = None) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param
        self.message = message
        self.limit = limit

    def __reduce__(self) -> tuple[type[ParamError], tuple[str, str, int | None]]:
        return type(self), (self.param, self.message, self.limit)


@exported
class APIError(CustomerIOError):
    """
    Raised when the Track API answers with anything but success.

    Attributes:
        status: The HTTP status.

        url: The URL that was asked. It may hold an identifier, so the text does not show it.

        body: The answer's body, as it came.

    The text names the call and what Customer.io said, with everything masked that came from the
    call.
    """

    def __init__(self, status: int, url: str, body: bytes, text: str | None = None) -> None:
        super().__init__(text or _answered(status))
        self.status = status
        self.url = url
        self.body = body

    def __reduce__(self) -> tuple[type[APIError], tuple[int, str, bytes, str]]:
        return type(self), (self.status, self.url, self.body, str(self))


@exported
class TransactionalError(CustomerIOError):
    """
    Raised when the App API does not take a message.

    Attributes:
        status: The HTTP status.

        message: What Customer.io said. It may quote the message.

    The text names the kind of message and what Customer.io said, with everything masked that came
    from the message.
    """

    def __init__(self, status: int, message: str, text: str | None = None) -> None:
        super().__init__(text or _answered(status))
        self.status = status
        self.message = message

    def __reduce__(self) -> tuple[type[TransactionalError], tuple[int, str, str]]:
        return type(self), (self.status, self.message, str(self))


def _answered(status: int) -> str:
    return f"Customer.io answered with status {status}"


@exported
class AttachmentExistsError(CustomerIOError):
    """
    Raised when a name is attached to a message twice; the first attachment stays.

    Attributes:
        name: The attachment's name.
    """

    def __init__(self, name: str) -> None:
        super().__init__("an attachment of that name exists already")
        self.name = name

    def __reduce__(self) -> tuple[type[AttachmentExistsError], tuple[str]]:
        return type(self), (self.name,)


@exported
class NoAnswerError(CustomerIOError):
    """
    Raised when Customer.io could not be reached, or the connection broke before its answer.

    Attributes:
        maybe_received: Whether Customer.io may have received the request all the same. False
            means that nothing of it was sent: sending again is certainly safe.

        cause: Why, in a few words of the system's, such as ``"Connection refused"``; ``""`` if
            nothing more is known.

        status: The HTTP status, if it came before the rest of the answer did not.
    """

    def __init__(
        self, message: str, *, maybe_received: bool, cause: str = "", status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.maybe_received = maybe_received
        self.cause = cause
        self.status = status

    def __reduce__(self) -> tuple[object, ...]:
        make = partial(
            type(self),
            maybe_received=self.maybe_received,
            cause=self.cause,
            status=self.status,
        )
        return make, (self.message,)


@exported
class AnswerTimeoutError(NoAnswerError, TimeoutError):
    """Raised when the time for a request is up."""


@exported
class CustomerIOWarning(UserWarning):
    """Something about this package's set-up or a record's tags that wants to be looked at."""
