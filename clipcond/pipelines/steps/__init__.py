"""Draw prompts over time: `[from:to:when]`, `[a|b]` and AND, in any attached pipeline.

encode_prompt -> plan       the texts of each step, the weights of parts
              -> encoding   all of them encoded at once; the pipeline gets marked rows
                            or `regions`, all of those too
call of a UNet -> position  which step it is
               -> rows      marked rows are recognised, and replaced by those of the step
               -> passes    one for each part of AND, mixed
call of a layer -> cross_attention  each region's text, mixed by place
"""

from clipcond.pipelines.steps.nesting import (
    STEPS,
    check_idle,
    check_regions_drawn,
    follow_models,
    rest,
    running,
    stop_drawing,
    without_marks,
)
from clipcond.pipelines.steps.over_time import (
    check_given,
    encode_over_time,
)
from clipcond.pipelines.steps.position import StepCount, check_step_count
from clipcond.pipelines.steps.watching import WATCHERS, DenoiserCall

__all__ = [
    "STEPS",
    "WATCHERS",
    "DenoiserCall",
    "StepCount",
    "check_given",
    "check_idle",
    "check_regions_drawn",
    "check_step_count",
    "encode_over_time",
    "follow_models",
    "rest",
    "running",
    "stop_drawing",
    "without_marks",
]
