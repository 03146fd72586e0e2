"""One tagged record: whom it names, what it says, and when that was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from cio_events._calls.call import Customer, Identifier, IdType, identifier_of
from cio_events._calls.validation import NO_MAPPING, Data
from cio_events._pipeline import recording
from cio_events._sources.context import bound_to_context
from cio_events._sources.fields import Shape
from cio_events.errors import ParamError


class Record(NamedTuple):
    """
    A tagged record, as its source has found it.

    Attributes:
        fields: Its keys or attributes, tags among them.

        event: Its message, before any formatting.

        shape: Which of the fields are payload.

        logged_at: When it was logged, in Unix seconds, if that may be a while ago.

        id_type: What a plain text, integer or UUID means that names a person.
    """

    fields: Mapping[str, Any]
    event: object
    shape: Shape
    logged_at: float | None = None
    id_type: IdType | Literal["auto"] = "auto"

    def required(self, tag: str) -> Any:
        """
        The value of a *tag* that a call needs.

        Raises:
            ParamError: It is missing, or None.
        """
        value = self.fields.get(tag)
        if value is None:
            raise ParamError(tag, "must not be None" if tag in self.fields else "is missing")
        return value

    def customer(self) -> Customer:
        """
        Whom the record names: by ``cio_customer``, else by ``cio_identity``.

        Raises:
            ParamError: It names nobody.
        """
        tag, known = "cio_customer", self.fields
        if tag not in known:
            tag = "cio_identity"
            if tag not in known:
                # Before merge_contextvars, and in logging, what is bound is not in the record.
                known = {**bound_to_context(), **known}
                if tag not in known:
                    raise ParamError("cio_customer", "is missing")
        who = known[tag]
        if who is None:
            raise ParamError(tag, "must not be None")
        if "cio_id_type" not in known:
            return who if self.id_type == "auto" else identifier_of(who, tag, self.id_type)
        # Who says the type with the value means it.
        if issubclass(type(who), (Identifier, Mapping)):
            return who  # type: ignore[no-any-return]
        try:
            return Identifier(who, known["cio_id_type"])
        except ParamError as error:
            wrong = "cio_id_type" if error.param == "type" else tag
            raise ParamError(wrong, error.message, error.limit) from None

    def payload(self) -> Data:
        """
        What the record has to say beside its tags: ``cio_data``, or the rest of it.

        Raises:
            ParamError: ``cio_data`` is no mapping.
        """
        if "cio_data" in self.fields:
            data = self.required("cio_data")
            if not isinstance(data, Mapping):
                raise ParamError("cio_data", NO_MAPPING)
            return data
        return {key: self.fields[key] for key in self.shape.payload}

    def name(self) -> Any:
        """The event's name: ``cio_event``, or the message."""
        return self.fields.get("cio_event", self.event)

    def timestamp(self) -> Any:
        """
        When it happened: ``cio_timestamp``, or when the record was logged.

        Raises:
            ParamError: ``cio_timestamp`` is None.
        """
        if "cio_timestamp" not in self.fields:
            return None if recording.keeps_time() else self.logged_at
        return self.required("cio_timestamp")
