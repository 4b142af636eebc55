"""Expand a template without torch. Prints how many prompts it has, three of them, and the last."""

from clipcond import Template

lists = {"animal": ["fox", "owl", "2::{red|grey} cat"]}
template = Template("a __animal__, {1-2$$, $$on a hill|at night}", lists)
print(template.count, "prompts")
for seed in range(3):
    print(f"seed {seed}: {template.random(seed)}")
prompt = template.combination(template.count - 1)
place = prompt.origin(prompt.index("grey"))
print(f"last: {prompt} ({place.source!r} is line {place.line} of {place.file})")
