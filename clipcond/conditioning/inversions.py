"""Load textual inversions into the towers of a Conditioner, and forget them."""

from __future__ import annotations

from clipcond.checkpoints import textual_inversions
from clipcond.checkpoints.inversion_lookup import inversion_names
from clipcond.checkpoints.textual_inversions import InversionSource, load_inversion
from clipcond.towers.base import TextTower


class TakesInversions:
    """A mixin for what has towers: their textual inversions, by name."""

    towers: tuple[TextTower, ...]

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
        """
        return load_inversion(self.towers, source, token, allow_pickle=allow_pickle)

    def remove_inversion(self, name: str) -> None:
        """Forget a textual inversion that was loaded here.

        Raises:
            TowerError: no inversion has that name.
        """
        textual_inversions.remove_inversion(self.towers, name)
