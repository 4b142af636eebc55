"""Read a running pipeline call's local variables from the stack."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from types import FrameType
from typing import Any

from torch import Tensor

from clipcond.pipelines.steps.plan import Arguments

_DRAWING = ("__call__", "generate_mask", "invert")  # methods of pipelines that draw
_TEXT, _NEGATIVE = "prompt", "negative_prompt"
_EMBEDS = ("prompt_embeds", "prompt_embeds_qwen")  # None until the prompt is encoded


class _Ending:
    """What a call holds, and lets go of as it ends."""


def is_drawing(pipe: object) -> bool:
    """Whether a method of the pipeline that draws is being run, in this thread."""
    return _drawing(pipe) is not None


def at_end(pipe: object, act: Callable[[object], None]) -> None:
    """Do something with the pipeline when its method that is being run ends, in whatever way.

    The dictionary of its further keyword arguments ends with it. A method without one is not waited
    for; after an exception, the call ends when its traceback is let go.
    """
    frame = _drawing(pipe)
    if frame is None or not frame.f_code.co_flags & inspect.CO_VARKEYWORDS:
        return
    code, own = frame.f_code, weakref.ref(pipe)
    n_before = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & inspect.CO_VARARGS)

    def ended() -> None:
        known = own()
        if known is not None and not is_drawing(known):  # no call around the one that ended
            act(known)

    ending = _Ending()
    weakref.finalize(ending, ended).atexit = False
    frame.f_locals[code.co_varnames[n_before]][ending] = None


def _drawing(pipe: object) -> FrameType | None:
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        is_method = code.co_name in _DRAWING and code.co_argcount > 0
        if is_method and frame.f_locals.get(code.co_varnames[0]) is pipe:
            return frame
        frame = frame.f_back
    return None


def asks_itself(pipe: object) -> bool:
    """Whether a method of the pipeline's class asks to encode, and no function of the user's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_between(frame):
        frame = frame.f_back
    if frame is None:
        return False
    code = frame.f_code
    own = (vars(kind).get(code.co_name) for kind in type(pipe).__mro__)
    return any(code is getattr(inspect.unwrap(each), "__code__", None) for each in own if each)


def _is_between(frame: FrameType) -> bool:
    """Whether a frame is of this package, or of a decorator such as `torch.no_grad`."""
    return str(frame.f_globals.get("__name__")).split(".")[0] in ("clipcond", "torch")


def given_tensors(pipe: object) -> list[Tensor]:
    """List the tensors that the pipeline's call was given, negatives' embeddings among them."""
    call = next((each for each in _calls(pipe) if _NEGATIVE in each), {})
    return [value for value in call.values() if isinstance(value, Tensor)]


def reads_negative(pipe: object, arguments: Arguments) -> bool:
    """Whether the pipeline encodes its negatives now, with the method that encodes its prompts.

    Args:
        arguments: of the method.
    """
    call = next((each for each in _calls(pipe) if _NEGATIVE in each), None)
    if call is None:
        return False
    text, embeds = arguments.get(_TEXT), arguments.get(_EMBEDS[0])
    if embeds is not None:
        return embeds is call.get(f"negative_{_EMBEDS[0]}")
    is_encoded = any(call.get(name) is not None for name in _EMBEDS)
    return text is call[_NEGATIVE] and (text is not call.get(_TEXT) or is_encoded)


def _calls(pipe: object) -> Iterator[Mapping[str, Any]]:
    """Yield the variables of the pipeline's methods that are being run, the innermost first."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and pipe is not None:
        if frame.f_locals.get("self") is pipe:
            yield frame.f_locals
        frame = frame.f_back
