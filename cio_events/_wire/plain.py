"""
Values of JSON's own types alone: copy them within the budget, and clean what the encoder refuses.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from cio_events._calls import limits
from cio_events._wire.natural import INT_MAX, INT_MIN, integer, name_of

# From how many texts on it pays to look whether a list holds nothing else.
_GROUP = 8


def copied(value: Any, most_bytes: int, *, finite: bool = False) -> Any:
    """
    A copy of a list, tuple or dictionary that holds nothing but JSON's own types.

    Level by level, in a fraction of the time of a walk: what is nested in itself ends at the
    budget's depth. Types are compared by identity, as one of an application's may say that it
    equals any other.

    Args:
        value: Anything.

        most_bytes: How long all its texts may be together.

        finite: Whether NaN and infinities are none of these types.

    Returns:
        None if it holds something else, or is over the budget: then it has to be walked.
    """
    top = [value]
    level: list[Any] = [top]
    nodes, size = limits.NODES + 1, most_bytes
    for _ in range(limits.DEPTH + 1):
        below: list[Any] = []
        add = below.append
        for box in level:
            nodes -= len(box)
            if nodes < 0:
                return None
            if type(box) is dict:
                for key in box:
                    if type(key) is not str:
                        return None
                    size -= len(key)
                places: Any = box.items()
            else:
                places = enumerate(box)
            for place, one in places:
                kind = type(one)
                if kind is str:
                    size -= len(one)
                elif kind is int:
                    pass
                elif kind is list or kind is dict:
                    if not one:
                        box[place] = kind()
                    elif len(one) > nodes:
                        return None
                    else:
                        # In one go: another thread may be writing to it.
                        box[place] = copy = one.copy()
                        add(copy)
                elif kind is float:
                    if finite and not isfinite(one):
                        return None
                elif kind is tuple:
                    if len(one) > nodes:
                        return None
                    box[place] = copy = list(one)
                    add(copy)
                elif one is not None and kind is not bool:
                    return None
        if size < 0:
            return None
        if not below:
            return top[0]
        level = below
    return None


def cleaned(plain: Any) -> Any:
    """
    The result of a walk without what orjson refuses of it: lone surrogates and large integers.

    It is changed in its place, level by level, so that it asks for no room on the stack.
    """
    top = [plain]
    level: list[Any] = [top]
    while level:
        below: list[Any] = []
        texts: list[str] = []
        of_texts: list[tuple[Any, Any]] = []
        for box in level:
            if type(box) is list:
                if len(box) >= _GROUP and all(type(one) is str for one in box):
                    box[:] = _cleaned_texts(box)
                    continue
                places: Any = enumerate(box)
            elif "".join(box).isascii():
                places = box.items()
            else:
                items = dict(zip(_cleaned_texts(list(box)), box.values(), strict=True))
                box.clear()
                box.update(items)
                places = items.items()
            for place, one in places:
                kind = type(one)
                if kind is str:
                    if one.isascii():
                        continue
                    texts.append(one)
                    of_texts.append((box, place))
                elif kind is list or kind is dict:
                    below.append(one)
                elif kind is int:
                    if not INT_MIN <= one <= INT_MAX:
                        box[place] = integer(one)
                elif kind is not float and kind is not bool and one is not None:
                    # Its type's own type said that it was one of these.
                    box[place] = f"<{name_of(kind)}>"
        for (box, place), text in zip(of_texts, _cleaned_texts(texts), strict=True):
            box[place] = text
        level = below
    return top[0]


def _cleaned_texts(texts: list[str]) -> list[str]:
    """All of them at once, which costs a fraction of one by one."""
    together = "\n".join(texts)
    if together.isascii():
        return texts
    cleaned = _without_surrogates(together).split("\n")
    if len(cleaned) == len(texts):
        return cleaned
    return list(map(_without_surrogates, texts))


def _without_surrogates(text: str) -> str:
    """
    *text* with U+FFFD for each lone surrogate, in time linear in its length whatever it holds.
    """
    # The encoder writes a question mark for each, so those of the text step aside meanwhile.
    aside = next((one for one in _ASIDE if one not in text), None)
    if aside is None or "?" not in text:
        return text.encode("utf-8", "replace").decode("utf-8").replace("?", "\ufffd")
    replaced = text.replace("?", aside).encode("utf-8", "replace").decode("utf-8")
    return replaced.replace("?", "\ufffd").replace(aside, "?")


# Characters that Unicode gives no meaning to, and that no text is expected to hold all of.
_ASIDE = tuple(map(chr, range(0xFDD0, 0xFDF0)))
