"""Load textual inversions into the towers of a Conditioner, and forget them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from clipcond.checkpoints import textual_inversions
from clipcond.checkpoints.inversion_lookup import inversion_names
from clipcond.checkpoints.textual_inversions import InversionSource, load_inversion
from clipcond.conditioning.prompt_text import PromptReader
from clipcond.conditioning.report import Report
from clipcond.errors import PromptError, PromptWarning, excerpt, warn
from clipcond.prompt import Segment
from clipcond.towers.base import TextTower


class TakesInversions:
    """A mixin for what has towers: their textual inversions, by name."""

    towers: tuple[TextTower, ...]

    @property
    @abstractmethod
    def reader(self) -> PromptReader:
        """What reads the prompts of the dialect."""

    @abstractmethod
    def explain(self, prompt: str) -> Report:
        """Report what is encoded of a prompt."""

    @property
    def inversions(self) -> tuple[str, ...]:
        """The names of the textual inversions loaded here."""
        return inversion_names(self.towers)

    def load_inversion(
        self, source: InversionSource, token: str | None = None, *, allow_pickle: bool = False
    ) -> str:
        """Load a textual inversion; its vectors are kept apart from the model's.

        Args:
            source: a file or folder of diffusers, A1111 or ComfyUI, or a LoRA with inversions in
                it; or tensors laid out as in one.
            token: its name in prompts; by default the one in the file, or the file's name. Of a
                file with several terms, the one to load; by default all.
            allow_pickle: whether a `.pt` or `.bin` file may be opened (its tensors, no code).
        Returns:
            the name to write in a prompt: bare, or `embedding:name` in ComfyUI's dialects; of
            several terms all names, separated by spaces.
        Raises:
            CheckpointError: it cannot be read, is no inversion, or is one for another model.
            TowerError: its name is taken, or its vectors fit no tower here.
            ArgumentError: `token` is no string.
        Warns:
            PromptWarning: its name is syntax in this dialect, such as `(x:1.2)`.
        """
        before = {*self.inversions}
        named = load_inversion(self.towers, source, token, allow_pickle=allow_pickle)
        _warn_unwritable(self.reader, [name for name in self.inversions if name not in before])
        return named

    def remove_inversion(self, name: str) -> None:
        """Forget a textual inversion that was loaded here.

        Raises:
            TowerError: no inversion has that name.
        """
        textual_inversions.remove_inversion(self.towers, name)

    def inversions_in(self, prompt: str, negative: str = "") -> tuple[str, ...]:
        """List the inversions loaded here that a prompt or its negative uses at some step."""
        found: dict[str, None] = {}
        is_bare = self.reader.syntax("a").bare_names
        for text, is_negative in ((prompt, False), (negative, True)):
            report = self.explain(text)
            for tower, own in zip(self.towers, (report, report.second), strict=False):
                inversions = getattr(tower, "inversions", None)
                if inversions is None or own is None:
                    continue
                ids = [i for each in own.chunks for i in each.chunk.input_ids]
                if is_bare:  # with what comes at other steps
                    whole = self.reader.whole(self.reader.read(text, negative=is_negative))
                    pieces = inversions.split(whole)
                    ids += [i for piece in pieces if not isinstance(piece, str) for i in piece]
                first = (inversions.piece(i) for i in ids if i not in inversions)
                found |= dict.fromkeys(name for name in first if name is not None)
        return tuple(found)


def load_file(
    conditioner: TakesInversions, path: Path, *, allow_pickle: bool = False
) -> dict[str, str]:
    """Load a file as `load_file_into` does, and warn as `Conditioner.load_inversion`."""
    loaded = load_file_into(conditioner.towers, path, allow_pickle=allow_pickle)
    _warn_unwritable(conditioner.reader, [*loaded])
    return loaded


def load_file_into(
    towers: Sequence[TextTower],
    path: Path,
    name: str | None = None,
    *,
    allow_pickle: bool = False,
) -> dict[str, str]:
    """Load a file's inversions by the file's name, as `name_of_file` says.

    Args:
        name: what a list of files calls it.
    Returns:
        by the name of each, the file's hash as A1111 writes it; "" for a folder.
    Raises:
        CheckpointError, TowerError: as `Conditioner.load_inversion`.
    """
    before = {*inversion_names(towers)}
    single = textual_inversions.name_of_file(path, name)
    load_inversion(towers, path, allow_pickle=allow_pickle, single=single)
    known = sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else ""
    return {each: known for each in inversion_names(towers) if each not in before}


def _warn_unwritable(reader: PromptReader, names: Sequence[str]) -> None:
    """Warn of each inversion whose name a prompt of the dialect cannot hold as it is."""
    for name in names:
        written = name if reader.syntax("a").bare_names else f"embedding:{name}"
        try:
            parts = reader.parse(reader.read(written)).parts
        except PromptError:
            parts = ()
        if [(part.text, part.weight) for part in parts if isinstance(part, Segment)] != [(name, 1)]:
            message = f"a prompt that has {excerpt(written)!r} does not refer to this inversion: "
            message += f"it is read otherwise in dialect {reader.dialect.name!r}"
            remedy = "Load it with a token= of letters, digits and '_'."
            warn(PromptWarning(message, written, 0, remedy, code="inversion", words=(name,)))
