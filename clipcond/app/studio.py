"""Hold the pipeline that the page draws with, and read prompts as it would."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL.Image import Image

from clipcond.app.loras import LoraRack, hashes
from clipcond.app.pictures import next_file
from clipcond.app.prompt_files import INVERSIONS, LORAS, find_files
from clipcond.app.settings import MOST_CHUNKS, AppSettings
from clipcond.app.wishes import OWN, Reading, Wish
from clipcond.checkpoints.inversion_lookup import inversion_names
from clipcond.checkpoints.textual_inversions import hand_on
from clipcond.conditioning.conditioner import Conditioner
from clipcond.conditioning.dialects import DialectName, find_dialect
from clipcond.conditioning.explaining import Explainer, ModelReads
from clipcond.conditioning.inversions import load_file_into
from clipcond.conditioning.prompt_text import collect_warnings
from clipcond.errors import ClipcondError, ClipcondWarning
from clipcond.metadata import save_picture
from clipcond.metadata.drawn import parameters_of
from clipcond.pipelines import attach, build_pipeline, trace
from clipcond.pipelines.own_settings import (
    call_default,
    check_size,
    check_steps,
    own_size,
    own_steps,
)
from clipcond.pipelines.protocols import ConditionedPipeline
from clipcond.pipelines.schedulers import lent_scheduler, own_scheduler, scheduler_name
from clipcond.pipelines.stoppable import draw_unless_stopped
from clipcond.prompt import ExtraNetwork
from clipcond.prompt.text_layers import take_out
from clipcond.towers import TextTower

log = logging.getLogger("clipcond.app")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, where it and its sheet were written to, and what was said while it was drawn."""

    path: Path
    seed: int
    parameters: str
    warnings: tuple[ClipcondWarning, ...]
    sheet: Path | None = None


class Studio:
    """A pipeline, the files that prompts may name, and one drawing at a time."""

    def __init__(self, settings: AppSettings) -> None:
        """Load the model, its towers and the textual inversions.

        Raises:
            ClipcondError: as `build_pipeline` and `attach`.
        """
        self.settings = settings
        self._drawing = threading.Lock()
        self.pipe: ConditionedPipeline = build_pipeline(
            settings.model,
            device=settings.device,
            dtype=settings.dtype,
            allow_pickle=settings.allow_pickle,
            max_chunks=MOST_CHUNKS,
        )
        self.pipe.set_progress_bar_config(disable=True)
        self._rack = LoraRack(self.pipe)
        self._attached: tuple[str, DialectName] | None = None
        self._towers: dict[str, tuple[tuple[TextTower, ...], ModelReads]] = {}
        self._looked_at: set[Path] = set()  # files of inversions
        self._hashes: dict[str, str] = {}  # of the file of each inversion
        self.refused: dict[str, str] = {}  # why an inversion is not loaded
        self.loras: dict[str, Path] = {}
        for tower in self.towers[::-1]:  # the model's own last, so that it is the one at hand
            self._attach(Reading(tower=tower))
        self.look_for_files()
        self.explainer = lru_cache(64)(self._explainer)

    @property
    def towers(self) -> tuple[str, ...]:
        """The towers to choose from; "" is the model's own."""
        second = self.settings.second_tower
        return (OWN,) if second is None else (OWN, second)

    @property
    def inversions(self) -> tuple[str, ...]:
        """The names of the textual inversions that prompts can name."""
        return inversion_names(self._towers[OWN][0])

    @property
    def own(self) -> dict[str, Any]:
        """What the model draws with where nothing is said."""
        return {
            "steps": own_steps(self.pipe),
            "guidance": call_default(self.pipe, "guidance_scale"),
            "size": own_size(self.pipe),
            "scheduler": scheduler_name(own_scheduler(self.pipe)),
            "spacing": own_scheduler(self.pipe).config.get("timestep_spacing", "-"),
            "clip_skip": self.explainer(Reading()).clip_skip,
            "most_skip": min(12, *(tower.depth for tower in self._towers[OWN][0])),
        }

    def look_for_files(self) -> None:
        """Find the LoRAs and load the inversions that are in the folders now."""
        settings = self.settings
        self.loras = find_files(settings.lora_dir, LORAS)
        towers, pickles = self._towers[OWN][0], settings.allow_pickle
        for name, path in find_files(settings.embeddings_dir, INVERSIONS).items():
            if path in self._looked_at:
                continue
            self._looked_at.add(path)
            try:
                self._hashes |= load_file_into(towers, path, name, allow_pickle=pickles)
            except ClipcondError as error:
                log.warning("%s is not loaded: %s", path, error)
                self.refused[name] = str(error)
        self._attached = None  # the pipeline's towers get them when it is attached again

    def loads_loras(self, reading: Reading) -> bool:
        """Whether `<lora:x:1>` loads a file: there is a folder, and the dialect has networks."""
        return self.settings.lora_dir is not None and find_dialect(reading.dialect).takes_out

    def _explainer(self, reading: Reading) -> Explainer:
        towers, reads = self._towers[reading.tower]
        return Explainer(
            towers,
            reading.dialect,
            clip_skip=reading.clip_skip,
            reads=reads,
            extra_networks=self._networks_choice(reading),
            max_chunks=MOST_CHUNKS,
        )

    def conditioner(self, reading: Reading) -> Conditioner:
        """Make what reads prompts so, on the towers that are loaded."""
        towers, reads = self._towers[reading.tower]
        return Conditioner(
            *towers,
            dialect=reading.dialect,
            reads=reads,
            extra_networks=self._networks_choice(reading),
        )

    def _networks_choice(self, reading: Reading) -> Callable[[object], None] | None:
        """Take networks without a warning where they are loaded."""
        return _taken if self.loads_loras(reading) else None

    def _attach(self, reading: Reading) -> None:
        """Let the pipeline read prompts so; clip skip is an argument of its call."""
        wanted = (reading.tower, reading.dialect)
        if self._attached == wanted:
            return
        self._attached = None
        is_own = reading.tower == OWN
        is_known = reading.tower in self._towers
        # said here, its counting is not explained in each call: the page says how it counts
        clip_skip = self.explainer(Reading(tower=reading.tower)).clip_skip if is_known else None
        attach(
            self.pipe,
            clip_skip=clip_skip,
            dialect=reading.dialect,
            tower=None if is_own else reading.tower,
            adapter=None if is_own else self.settings.adapter,
            allow_pickle=self.settings.allow_pickle,
            extra_networks=self._networks_choice(reading),
            max_chunks=MOST_CHUNKS,
        )
        towers = self.pipe.conditioner.towers
        kept, _ = self._towers.setdefault(reading.tower, (towers, self.pipe.conditioner.reads))
        hand_on(kept, towers)
        self._attached = wanted

    def draw(
        self, wish: Wish, is_stopped: Callable[[], bool], on_step: Callable[[int, int], None]
    ) -> Iterator[Drawn]:
        """Draw the pictures one by one, and write each to the output folder.

        Args:
            is_stopped: asked at each step; the picture at work is given up then.
            on_step: called with the picture's number, from 0, and the steps done.
        Raises:
            ClipcondError: the wish cannot be fulfilled.
        """
        with self._drawing, collect_warnings(shown=False) as warned:
            call, built = self._prepare(wish)
            for i in range(wish.count):
                with trace(self.pipe) if wish.heat_maps else nullcontext() as seen:
                    after = partial_step(on_step, i)
                    image = draw_unless_stopped(self.pipe, call, wish.seed + i, is_stopped, after)
                if image is None:
                    return
                drawn = self._save(image, wish, i, call, built, tuple(dict.fromkeys(warned)))
                yield drawn if seen is None else _with_sheet(drawn, seen.sheet(image))

    def _prepare(self, wish: Wish) -> tuple[dict[str, Any], dict[str, object]]:
        """Set up the pipeline; return arguments of its call, and what the file says besides."""
        reading = wish.reading
        self._attach(reading)
        self.pipe.scheduler = own = own_scheduler(self.pipe)
        if wish.scheduler or wish.spacing:
            name = wish.scheduler or scheduler_name(own)
            self.pipe.scheduler = lent_scheduler(self.pipe, name, wish.spacing or None)
        width, height = wish.size
        check_size(self.pipe, width, height)
        check_steps(self.pipe, wish.steps)
        used = {}
        if self.loads_loras(reading):
            networks: tuple[ExtraNetwork, ...] = take_out(wish.prompt)[1]
            used = self._rack.use(wish.prompt, networks, self.loras)
        call: dict[str, Any] = {
            "prompt": wish.prompt,
            "negative_prompt": wish.negative,
            "num_inference_steps": wish.steps,
            "guidance_scale": wish.guidance,
            "width": width,
            "height": height,
        }
        if reading.clip_skip is not None:
            call["clip_skip"] = reading.clip_skip
        model = self.settings.model
        built: dict[str, object] = {
            "Model": "embedded" if model is None else Path(model).stem,
            "Tower": reading.tower or None,
            "Lora hashes": hashes(used),
        }
        return call, built

    def _save(
        self,
        image: Image,
        wish: Wish,
        i: int,
        call: dict[str, Any],
        built: dict[str, object],
        warned: tuple[ClipcondWarning, ...],
    ) -> Drawn:
        seed = wish.seed + i
        prompts = (wish.prompt, wish.negative)
        made = parameters_of(self.pipe, call, prompts, seed, built, self._hashes)
        text = made.as_written()
        path = next_file(self.settings.output, seed)
        save_picture(image, path, text)
        return Drawn(path, seed, text, warned)


def _with_sheet(drawn: Drawn, sheet: Image) -> Drawn:
    """Write what each word drew next to the picture."""
    path = drawn.path.with_stem(f"{drawn.path.stem}-heat-map")
    save_picture(sheet, path, drawn.parameters)
    return replace(drawn, sheet=path)


def partial_step(on_step: Callable[[int, int], None], i: int) -> Callable[[int], None]:
    """Say of which picture a step is."""
    return lambda done: on_step(i, done)


def _taken(networks: object) -> None:
    """Do nothing with the networks of a prompt: they were loaded before the call."""
