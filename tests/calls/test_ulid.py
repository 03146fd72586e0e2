"""ULIDs: well-formed, in the order of time, never twice, and the only ids that are taken."""

from __future__ import annotations

import random
import re
import threading
import time

import pytest

from cio_events._calls.ulid import IdSource, new_id, valid_id
from cio_events.errors import ParamError

ULID = re.compile(r"[0-7][0123456789ABCDEFGHJKMNPQRSTVWXYZ]{25}")


def test_time_is_the_first_ten_letters() -> None:
    """The example of the ULID specification: its millisecond gives its letters."""
    assert new_id(1469922850259)[:10] == "01ARZ3NDEK"
    assert new_id(0)[:10] == "0000000000"
    assert new_id(2**48 - 1)[:10] == "7ZZZZZZZZZ"


def test_ids_sort_by_their_time() -> None:
    """As text, an id of a later millisecond comes after all of an earlier one."""
    moments = [0, 1, 31, 32, 1_700_000_000_000, 1_700_000_000_001, 2**48 - 1]
    ids = [new_id(moment) for moment in moments for _ in range(5)]

    assert [id_[:10] for id_ in sorted(ids)] == [id_[:10] for id_ in ids]


def test_source_makes_ulids_and_never_one_twice_in_several_threads() -> None:
    """Threads that draw from one source at once get different ids."""
    source, drawn = IdSource(), []

    def draw() -> None:
        drawn.extend([source.new_id(1_700_000_000_000) for _ in range(3_000)])

    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(drawn) == len(set(drawn)) == 24_000
    assert all(ULID.fullmatch(id_) for id_ in drawn)


def test_randomness_is_the_systems() -> None:
    """An application that seeds `random` does not make the same ids again."""
    random.seed(5)
    first = {new_id(0) for _ in range(100)} | {IdSource().new_id(0) for _ in range(100)}
    random.seed(5)
    second = {new_id(0) for _ in range(100)} | {IdSource().new_id(0) for _ in range(100)}

    assert len(first | second) == 400


def test_every_letter_is_used_in_every_random_place() -> None:
    """All of the 80 random bits vary."""
    ids = [new_id(0)[10:] for _ in range(2_000)]

    assert {len(set(place)) for place in zip(*ids, strict=True)} == {32}


def test_threads_of_one_millisecond_and_another_do_not_mix_letters() -> None:
    """Ids of two moments made at once keep their own time."""
    wrong = []

    def make(moment: int, letters: str) -> None:
        end = time.monotonic() + 0.3
        while time.monotonic() < end:
            if new_id(moment)[:10] != letters:
                wrong.append(moment)

    threads = [
        threading.Thread(target=make, args=(moment, new_id(moment)[:10]))
        for moment in (0, 2**48 - 1, 1469922850259)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_given_id_is_kept_in_capitals() -> None:
    """A ULID in small letters is the same ULID."""
    assert valid_id("01arz3ndektsv4rrffq69g5fav", "id") == "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "5",
        "01ARZ3NDEKTSV4RRFFQ69G5FA",  # too short
        "01ARZ3NDEKTSV4RRFFQ69G5FAVX",  # too long
        "81ARZ3NDEKTSV4RRFFQ69G5FAV",  # over 128 bits
        "01ARZ3NDEKTSV4RRFFQ69G5FAU",  # U is no letter of theirs
        "01ARZ3NDEKTSV4RRFFQ69G5FAV\n",
        "01ARZ3NDEKTSV4RRFFQ69G5FA\u0660",
        5,
        None,
        b"01ARZ3NDEKTSV4RRFFQ69G5FAV",
    ],
)
def test_what_customer_io_would_not_deduplicate_by_is_refused(value: object) -> None:
    """The error names the field, and does not quote what was given."""
    with pytest.raises(ParamError) as caught:
        valid_id(value, "cio_event_id")

    assert caught.value.param == "cio_event_id"
    assert "ULID" in str(caught.value)
    assert str(value) not in str(caught.value) or value in ("", "5", 5)
