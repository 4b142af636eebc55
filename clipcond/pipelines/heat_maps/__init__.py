"""Show where in a picture each word of a prompt was attended to.

trace -> Trace     watches a pipeline's call, as prompts over time do
      -> attention the share of each key of text, at each place of the picture
      -> sums      added up on the CPU, for each text, layer, and step or head if wanted
words              which rows of embeds a word is in
Seen -> HeatMap    of a word: the mean, as large as the picture
"""

from clipcond.pipelines.heat_maps.heat_map import HeatMap
from clipcond.pipelines.heat_maps.record import Layer
from clipcond.pipelines.heat_maps.seen import Seen
from clipcond.pipelines.heat_maps.tracing import trace

__all__ = ["HeatMap", "Layer", "Seen", "trace"]
