"""What Customer.io says, fit to be shown: nothing of the call is left in it."""

from __future__ import annotations

import html
import json
import time
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cio_events import Identify, SendEmail, Track
from cio_events._calls.ulid import new_id
from cio_events._wire import single as v1
from cio_events._wire.encode import encode
from cio_events._wire.envelope import body_of
from cio_events._wire.masking import WORDS, masked, named, shown, values_in, values_of
from cio_events._wire.request import Request

VALUES = st.lists(st.text(min_size=4, max_size=40), min_size=1, max_size=5)
# Characters by which masks, escapes and values can be mistaken for each other.
TRICKY = st.lists(st.text(alphabet="a*.\\nx1 é\n", min_size=4, max_size=14), min_size=1)


class TestMasked:
    @given(VALUES, st.data())
    def test_no_value_survives(self, values: list[str], data: st.DataObject) -> None:
        """Wherever it stands, and whatever stands beside it."""
        parts = st.lists(st.one_of(st.sampled_from(values), st.text(max_size=10)), max_size=12)
        said = masked("".join(data.draw(parts)), values)

        assert [value for value in values if value.lower() in said.lower()] == []

    @given(TRICKY, st.data())
    def test_no_value_survives_by_chance(self, values: list[str], data: st.DataObject) -> None:
        """Made of a mask, an escape and what stands beside it."""
        pieces = st.one_of(st.sampled_from(values), st.text(alphabet="a*.\\nx1 é\n", max_size=20))
        text = "".join(data.draw(st.lists(pieces, max_size=12)))
        limit = data.draw(st.integers(8, 60))
        said = masked(text, values, limit)

        assert [value for value in values if value in said] == []

    @given(st.text(), VALUES, st.integers(8, 200))
    def test_it_is_printable_ascii_of_bounded_length(
        self, text: str, values: list[str], limit: int
    ) -> None:
        """No line break, no terminal escape, whatever was said."""
        said = masked(text, values, limit)

        assert said.isascii()
        assert said.isprintable()
        assert len(said) <= max(limit, 3)

    @pytest.mark.parametrize(
        "quoted",
        [
            lambda value: value,
            str.upper,
            lambda value: json.dumps(value),
            lambda value: orjson.dumps(value).decode(),
            lambda value: quote(value, safe=""),
            html.escape,
            ascii,
            lambda value: value[:12],
            lambda value: value[3:],
        ],
    )
    def test_it_is_found_however_it_is_quoted(self, quoted) -> None:
        """In another case, escaped in one of the usual ways, or cut off."""
        said = masked(f"so {quoted('Lücy & her <sister>')} is wrong", ["Lücy & her <sister>"])

        assert said.startswith("so ")
        assert said.endswith(" is wrong")
        assert "her" not in said

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("identifiers.email is not an e-mail address", None),
            ("the limit is 32000 bytes", None),
            ("lucy.b+x@example.com is taken", "*** is taken"),
            ("<lucy@example.com>, (bob@example.com)", "<***>, (***)"),
            ("/api/v1/customers/lucy%40example.com/events", "/api/v1/customers/***/events"),
            ("call +1 (555) 123-4567 now", "call *** now"),
            ("15551234567 is no number", "*** is no number"),
            ("one\nline\x1b[31m\u202eé", "one\\nline\\x1b[31m\\u202e\\xe9"),
        ],
    )
    def test_what_is_masked_without_a_call(self, text: str, expected: str | None) -> None:
        """Addresses and long numbers; all else can be read."""
        assert masked(text, ()) == (text if expected is None else expected)

    def test_the_name_in_an_address_is_found_alone(self) -> None:
        """And its parts."""
        said = masked("lucy is known, and so is Lucy.Montgomery", ["lucy.montgomery@example.com"])

        assert said == "*** is known, and so is ***"

    def test_short_values_are_left(self) -> None:
        """They are in every word."""
        assert masked("a bad id: 5", ["5", "bad", "a"]) == "a bad id: 5"

    def test_no_part_of_a_value_is_left_at_the_cut(self) -> None:
        """All before it is masked, so that the cut is what would be seen."""
        for start in range(60):
            said = masked(
                "lucysmith " * 20 + "y" * start + "secretive", ["lucysmith", "secretive"], 50
            )
            assert "secr" not in said
            assert "lucy" not in said

    def test_no_part_of_an_address_is_left_at_the_cut(self) -> None:
        """Though what makes it one is behind it."""
        for start in range(60):
            said = masked(
                f"{'a@b.c ' * 30}{'y ' * start}lucy.montgomery.smith@example.com", (), 60
            )
            assert "luc" not in said
            assert "smith" not in said

    @pytest.mark.parametrize(
        "text",
        [
            "a" * 8_000_000,
            "@" * 8_000_000,
            "1 " * 4_000_000,
            "a@" * 4_000_000,
            b"\xff" * 8_000_000,
            "\n" * 8_000_000,
        ],
    )
    def test_the_time_is_bounded(self, text: str | bytes) -> None:
        """A page of megabytes takes no longer than one that is shown whole."""
        started = time.monotonic()
        said = masked(text, ["lucy smith"])

        assert len(said) <= WORDS
        assert time.monotonic() - started < 5


class TestValues:
    def test_of_an_operation(self) -> None:
        """All that the call holds, but not what the wire says of it."""
        call = Track("lucy@example.com", "bought", {"price": 13.99, "of": [{"a": "book"}, True]})
        values = values_in(body_of(encode(call, new_id(1), 1, "v2")))

        assert {"lucy@example.com", "bought", "13.99", "book"} <= values
        assert not {"person", "event", "True", "price"} & values

    def test_of_a_message(self) -> None:
        """As it waits."""
        message = SendEmail(to="lucy@example.com", identifiers="5151", transactional_message_id=3)

        assert {"lucy@example.com", "5151"} <= values_in(
            body_of(encode(message, new_id(1), 1, "v2"))
        )

    def test_of_a_request(self) -> None:
        """The path names somebody too."""
        request = v1.request(Identify("lucy & co", {"type": "gold", "plan": "basic"}), None)

        assert {"lucy & co", "gold", "basic"} <= values_of(request)

    def test_of_a_batch(self) -> None:
        """Those of all its operations."""
        body = b'{"batch":[{"type":"person","name":"seen"},{"type":"person","name":"heard"}]}'

        assert values_of(Request("POST", "/api/v2/batch", body)) == {"seen", "heard"}

    def test_of_what_cannot_be_read(self) -> None:
        """It is one value."""
        assert values_in(b'{"cut":"off') == {'{"cut":"off'}


class TestShown:
    def test_is_ascii_of_bounded_length(self) -> None:
        """As `ascii` shows it."""
        assert shown("Käufe\r\n\x1b[0m\\") == "K\\xe4ufe\\r\\n\\x1b[0m\\\\"
        assert shown("x" * 200, 100) == "x" * 97 + "..."
        assert len(shown("\n" * 100, 100)) == 100


class TestNamed:
    def test_an_events_name_is_whole(self) -> None:
        """Up to the length that Customer.io takes, and not one that addresses have."""
        assert named(Track("5", "x" * 100)) == f'track "{"x" * 100}"'

    def test_what_has_no_name_is_a_kind(self) -> None:
        """Nothing personal stands for it."""
        assert named(Identify("lucy@example.com", {"plan": "free"})) == "identify"
