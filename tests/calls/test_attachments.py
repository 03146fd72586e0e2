"""What can be attached to an e-mail: bytes, texts, paths and files, up to 2 MB in all."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import orjson
import pytest

from cio_events import (
    AttachmentExistsError,
    ParamError,
    SendEmail,
)
from cio_events._wire import app


def email() -> SendEmail:
    """A message to attach to."""
    return SendEmail(to="lucy@example.com", identifiers="5")


def attached(message: SendEmail) -> dict[str, bytes]:
    """What is attached to it."""
    return {
        name: base64.b64decode(content, validate=True)
        for name, content in (message.attachments or {}).items()
    }


class Trickle(io.RawIOBase):
    """A file that gives less than it is asked for, as sockets and pipes do."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)
        self.asked: list[int] = []

    def read(self, size: int = -1) -> bytes:
        """Up to 1 000 bytes."""
        self.asked.append(size)
        return self._content.read(min(size, 1000))


class TestAttach:
    @pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 999, 196_608, 196_609, 1_000_000])
    def test_takes_bytes_text_paths_and_files(self, length: int, tmp_path: Path) -> None:
        """And gives Base64 that is right whatever the length."""
        content = os.urandom(length // 2).hex().encode() + b"x" * (length % 2)
        assert len(content) == length
        path = tmp_path / "a.bin"
        path.write_bytes(content)
        for data in (
            content,
            bytearray(content),
            memoryview(content),
            content.decode(),
            path,
            io.BytesIO(content),
            Trickle(content),
        ):
            message = email()
            message.attach("a.bin", data)
            assert attached(message) == {"a.bin": content}

    def test_text_is_utf8(self) -> None:
        """A text is content, and never the name of a file."""
        message = email()
        message.attach("a.txt", "/etc/héllo")

        assert attached(message) == {"a.txt": "/etc/héllo".encode()}

    def test_a_file_is_read_in_pieces_from_where_it_stands_and_stays_open(self) -> None:
        """Its whole content is never held beside its Base64."""
        file = Trickle(b"x" * 5000)
        message = email()
        message.attach("a.bin", file)
        assert max(file.asked) < 1_000_000
        assert -1 not in file.asked
        assert not file.closed
        opened = io.BytesIO(b"header, body")
        opened.seek(8)
        message.attach("b.bin", opened)

        assert attached(message)["b.bin"] == b"body"

    def test_several_files(self) -> None:
        """Beside those that the message was made with."""
        message = SendEmail(to="a@b.c", identifiers="5", attachments={"a.txt": "aGk="})
        message.attach("b.txt", "ho")

        body = orjson.loads(app.request(message).body or b"")
        assert body["attachments"] == {"a.txt": "aGk=", "b.txt": "aG8="}

    def test_a_name_is_used_once(self) -> None:
        """The first stays."""
        message = email()
        message.attach("a.txt", "first")
        with pytest.raises(AttachmentExistsError) as raised:
            message.attach("a.txt", "second")

        assert raised.value.name == "a.txt"
        assert "a.txt" not in str(raised.value)
        assert attached(message) == {"a.txt": b"first"}

    def test_a_file_that_cannot_be_read_changes_nothing(self, tmp_path: Path) -> None:
        """The error is the file's own."""

        class Broken(Trickle):
            def read(self, size: int = -1) -> bytes:
                if self.asked:
                    raise OSError(5, "Input/output error")
                return super().read(size)

        message = email()
        message.attach("a.txt", "first")
        for data, error in (
            (tmp_path / "missing", FileNotFoundError),
            (tmp_path, IsADirectoryError),
            (Broken(b"x" * 5000), OSError),
        ):
            with pytest.raises(error):
                message.attach("b.txt", data)
        assert attached(message) == {"a.txt": b"first"}
        message.attach("b.txt", "second")

    def test_text_that_names_a_file_is_no_content(self, tmp_path: Path) -> None:
        """The file was meant; its name would have been mailed."""
        path = tmp_path / "d.csv"
        path.write_text("a,b")
        message = email()

        with pytest.raises(ParamError, match=r"data: names a file that exists.*pathlib.Path"):
            message.attach("d.csv", str(path))

        assert message.attachments is None
        message.attach("d.csv", path)
        message.attach("e.csv", str(path / "is none"))
        message.attach("f.csv", "x" * 100_000 + "\0")

    @pytest.mark.parametrize("text", ["/srv/receipts/7.pdf", "RECEIPT.PDF", "C:\\7.pdf"])
    def test_text_that_reads_like_the_path_of_a_missing_file_is_no_content(
        self, text: str
    ) -> None:
        """Somebody would have got a file that cannot be opened."""
        message = email()

        with pytest.raises(ParamError, match=r"data: .*as a path would.*pathlib.Path"):
            message.attach("receipt.pdf", text)

        message.attach("receipt.pdf", text.encode())
        message.attach("how to.txt", "look at the file receipt.txt")
        message.attach("name", "receipt.pdf")

    @pytest.mark.parametrize(
        ("name", "data", "param"),
        [
            ("", b"x", "name"),
            (" ", b"x", "name"),
            (5, b"x", "name"),
            ("a.txt", None, "data"),
            ("a.txt", 5, "data"),
            ("a.txt", "\ud800", "data"),
            ("a.txt", io.StringIO("x"), "data"),
        ],
    )
    def test_what_cannot_be_is_refused(self, name: object, data: object, param: str) -> None:
        """With the name of the parameter."""
        message = email()
        with pytest.raises(ParamError) as raised:
            message.attach(name, data)

        assert raised.value.param == param
        assert not message.attachments

    def test_all_together_are_2_mb_at_the_most(self, tmp_path: Path) -> None:
        """The vendor's limit, before Base64; the last byte that fits is taken."""
        message = email()
        message.attach("a.bin", bytes(1_500_000))
        path = tmp_path / "b.bin"
        path.write_bytes(bytes(500_001))
        for data in (bytes(500_001), path, io.BytesIO(bytes(500_001)), "x" * 500_001):
            with pytest.raises(ParamError) as raised:
                message.attach("b.bin", data)
            assert (raised.value.param, raised.value.limit) == ("attachments", 2_000_000)
        message.attach("b.bin", bytes(500_000))

        assert sum(map(len, attached(message).values())) == 2_000_000
        assert SendEmail(to="a", identifiers="5", attachments=message.attachments)
        with pytest.raises(ParamError, match="attachments"):
            SendEmail(to="a", identifiers="5", attachments={**message.attachments, "c": "AA=="})

    def test_an_endless_file_is_given_up(self) -> None:
        """As soon as it is over the limit."""
        with Path("/dev/zero").open("rb") as endless, pytest.raises(ParamError):
            email().attach("a.bin", endless)
