"""Read a `<kind:name:arguments>` of a prompt, and say what is misspelled in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import clipcond.lazy_re as re
from clipcond.errors import excerpt
from clipcond.prompt.folding import fold
from clipcond.prompt.notations import plain_number

SHOWN = 60  # characters
LORAS = ("lora", "lyco")
INVERSIONS = ("embedding", "embed", "emb", "ti")
ENDING = re.compile(r"\.(?:safetensors|pt|ckpt|bin|pth)\Z", re.IGNORECASE)
_OUTSIZED = 100.0  # a weight that was hardly meant: percents, or without a point

_NUMBER = re.compile(r"\s*[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?\s*")
_JOINED_NUMBER = re.compile(
    r"(?P<name>[^=@*|;]{1,200}?)\s?(?:[=@*|;]\s?|\s)(?P<number>[+-]?(?:[0-2]?\.\d{1,3}|[0-2]))"
)
_LETTERS_FOR_DIGITS = re.compile(r"[oO][.,]?\d{1,3}|[lI](?:[.,]\d{1,3})?|[01]?[.,][oO]\d?")
_TIMED_NUMBER = re.compile(r"(\d{0,2}\.\d{1,3}|\d{1,2})@")
_FIRST_DECIMAL = re.compile(r"[+-]?(?:\d\.|(?<!\d\.)\.)\d+")
_LETTERS_BEFORE = re.compile(r"\A[^\W\d_]{2,}[\s=]*")


@dataclass(frozen=True, slots=True)
class ExtraNetwork:
    """A `<kind:name:arguments>` of a prompt, at prompt[start:stop].

    Args:
        kind: `lora`, `lyco`, `hypernet`, or any other word.
        name: of the network, usually its file's without the ending.
        arguments: what follows the name, between colons.
    """

    kind: str
    name: str
    arguments: tuple[str, ...]
    start: int
    stop: int

    @property
    def weight(self) -> float:
        """The first argument, if it is a number, also with a decimal comma; else the UNet's."""
        return self._number(0, self.weights[1])

    @property
    def weights(self) -> tuple[float, float]:
        """What A1111 multiplies it by in the text encoder and in the UNet: `0.8`, `0.5:0.7`, or
        `te=0.5:unet=0.7`; 1 where nothing is said, or no number: of that a warning is given."""
        named = dict(_named(each) for each in self.arguments if "=" in each)
        encoder = _number(named.get("te", ""), self._number(0, 1.0))
        return encoder, _number(named.get("unet", ""), self._number(1, encoder))

    def _number(self, index: int, default: float) -> float:
        positional = [each for each in self.arguments if "=" not in each]
        return _number(positional[index], default) if index < len(positional) else default


def misspelling(network: ExtraNetwork) -> tuple[str, str] | None:
    """Say what is wrong about the name or a weight of a LoRA or hypernetwork, and what to do."""
    kind, name = network.kind, network.name.strip()
    if kind.lower() not in (*LORAS, "hypernet"):
        return None
    if joined := _JOINED_NUMBER.fullmatch(name):  # <lora:foo=0.8>
        name, number = joined["name"], joined["number"]
        return "its weight needs a colon", f"Write <{kind}:{excerpt(name, SHOWN)}:{number}>."
    if not name:
        return "it has no name", f"Write <{kind}:NAME:1>, the name of its file."
    if len(name) == 1 and network.arguments[:1] and network.arguments[0][:1] in ("\\", "/"):
        file = ENDING.sub("", network.arguments[0].replace("\\", "/").rpartition("/")[2])
        written = ":".join((kind, excerpt(file, SHOWN), *network.arguments[1:]))
        return "its name is a path, which has a colon", f"Write <{written}>."
    n_positional = 0
    for i, typed in enumerate(network.arguments):
        own, value = _named(typed) if "=" in typed else ("", typed.strip())
        said = _misspelled_number(value, own, n_positional)
        if said is not None:
            arguments = list(network.arguments)
            arguments[i] = f"{own}={said[1]}" if own else said[1]
            rest = ":".join(excerpt(each, 20) for each in arguments)
            return said[0], f"Write <{kind}:{excerpt(name, SHOWN)}:{rest}>."
        n_positional += not own
    return None


def _misspelled_number(value: str, own: str, place: int) -> tuple[str, str] | None:
    """Say what is wrong about a weight, and a number to write in its place; None = nothing.

    Args:
        own: the argument's name, such as "te"; "" = it is known by its place.
        place: among the arguments without a name.
    """
    if own and own not in ("te", "unet"):
        return None
    folded, shown = fold(value), excerpt(value, 20)
    point = folded.replace(",", ".")
    if point[-1:] == "%" or _LETTERS_FOR_DIGITS.fullmatch(folded):
        digits = point.replace("l", "1").replace("I", "1").replace("o", "0").replace("O", "0")
        return f"{shown!r} is no number", str(plain_number(digits))
    number = _number(value, math.nan)
    if abs(number) >= _OUTSIZED:
        percent = number / 100 if abs(number) <= 200 else 1.0
        return f"the weight {shown!r} is hardly meant", f"{percent:g}"
    # behind the first, names of block weights are usual too: <lora:x:1:MIDD>
    is_word = value[:1].isalpha() and value.lower() not in _NO_NUMBERS
    if math.isfinite(number) or (is_word and place > 0 and not own):
        return None
    over_time = _TIMED_NUMBER.findall(folded)  # 0@0,1@0.5
    decimal = _FIRST_DECIMAL.search(point)
    proposed = max(over_time, key=float, default="") or (decimal[0] if decimal else "")
    proposed = proposed or plain_number(_LETTERS_BEFORE.sub("", folded), "1")
    return f"{shown!r} is no number", "1" if is_word else proposed


_NO_NUMBERS = ("nan", "inf", "infinity")


def _named(argument: str) -> tuple[str, str]:
    """Split `te=0.5` into its name, in small letters, and its value."""
    name, _, value = argument.partition("=")
    return name.strip().lower(), value.strip()


def _number(typed: str, default: float) -> float:
    """Read a number, also with a decimal comma; what is none, or infinite, is the default."""
    if not _NUMBER.fullmatch(typed):
        return default
    number = float(typed.replace(",", "."))
    return number if math.isfinite(number) else default
