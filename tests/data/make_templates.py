"""Write templates.json with dynamicprompts itself: what templates can be expanded to.

    pip install dynamicprompts==0.31.0        # in an environment of its own
    python tests/data/make_templates.py

Left out is what it is known to stumble over or to do otherwise: `$5`, `#`, escapes, lists that are
missing, spaces at the start of an option, one option in braces, bars in square brackets,
weights of 0, options that are the same in two ways. Its lists are sorted, so these are.
"""

import json
import random
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from dynamicprompts.generators import CombinatorialPromptGenerator
from dynamicprompts.wildcards.wildcard_manager import WildcardManager

HERE = Path(__file__).parent
LISTS = {
    "colour": ["blue", "green", "red"],
    "animals/cats": ["lynx", "ocelot"],
    "animals/dogs/small": ["pug", "{toy|miniature} poodle"],
    "place": ["a __colour__ hill", "the sea"],
    "头发": ["短发", "长发"],
}
WRITTEN = [
    *("a cat", "{a|b}", "{a|b|}", "{|a}", "a {red|blue} cat", "{猫|犬}", "{very |}big", "{a||b}"),
    *("{2$$a|b|c}", "{1-2$$a|b|c}", "{-2$$a|b|c}", "{2-$$a|b|c}", "{0-1$$a|b}", "{0$$a|b}"),
    *("{3$$a|b}", "{2-1$$a|b|c}", "{1-3$$, $$a|b|c}", "{2$$ and $$a|b|c}", "{2$$|$$a|b|c}"),
    *("{0.5::a|b}", "{2::a|.5::b|c}", "{2$$0.5::a|3::b|c}", "{a|a|b}", "{2$$a|a|b}", "{2$$a,b|c}"),
    *("__colour__", "a __colour__ __animals/cats__", "__animals/*__", "__animals/dogs/small__"),
    *("__place__", "__头发__", "{2$$__colour__}", "{1-2$$, $$__animals/*__}", "x__colour__y"),
    *("{2$$__colour__|pink}", "{__colour__|pink}", "{__place__|{x|y}}", "{2$$a|{b|c}}"),
    *("{a|{b|{c|{d|e}}}}", "{{a|b}|{c|d}}", "{2$$, $$a|{b|c} d|e}", "{a {b|c}|{d|e} f}"),
    *("(a {red|blue} cat:1.2)", "(cat:{1.1|1.3})", "[{a|b}:c:0.5]", "[a:{b|c}:{0.2|5}]", "[a|b]"),
    *("<lora:x:{0.5|1}> {a|b}", "{<lora:x:1>|<lora:y:1>} z", "a | b", "a, {b|c} AND d :{0.5|1}"),
    *("{a::b|c}", "{a_b|c_d}", "_ {a|b} _", "{a|b}{c|d}{e|f}", "{2$${a|b}|c}", "{1-2$$x {a|b}|y}"),
]
WORDS = ("red", "blue", "a fox", "猫", "(hat:1.2)", "owl, tree", "[sun:moon:3]")


def template(source: random.Random, depth: int = 0) -> str:
    """Make a template at random, of different words each time."""
    parts = []
    for _ in range(source.randint(1, 3)):
        kind = source.random()
        if kind < 0.25 and depth < 3:
            n = source.randint(2, 3)
            options = [template(source, depth + 1) for _ in range(n)]
            head = source.choice(["", "", "", "2$$", "1-2$$", "2$$ and $$", "-2$$, $$"])
            weights = [source.choice(["", "", "2::", "0.25::"]) for _ in options]
            parts.append(
                "{" + head + "|".join(map("".join, zip(weights, options, strict=True))) + "}"
            )
        elif kind < 0.4:
            parts.append(f"__{source.choice([*LISTS, 'animals/*'])}__")
        else:
            parts.append(f"{source.choice(WORDS)} {source.randint(0, 99999)}")
    return source.choice([" ", ", "]).join(parts)


def main() -> None:
    source = random.Random(0)
    found = {}
    with TemporaryDirectory() as folder:
        for name, options in LISTS.items():
            file = Path(folder, f"{name}.txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("\n".join(options), encoding="utf-8")
        generator = CombinatorialPromptGenerator(WildcardManager(Path(folder)))
        for text in [*WRITTEN, *(template(source) for _ in range(250))]:
            texts = generator.generate(text, 25)
            if 0 < len(texts) <= 24 and len({*texts}) == len(texts):
                found[text] = texts
    made = {"version": version("dynamicprompts"), "lists": LISTS, "combinations": found}
    written = json.dumps(made, ensure_ascii=False, indent=0)
    (HERE / "templates.json").write_text(written + "\n", encoding="utf-8")
    print(len(found), "templates")


if __name__ == "__main__":
    main()
