r"""List ordinary text that looks like a slip or a notation: prices, code, chess, broken-off speech.

Whatever an issue of the named codes is about, it is none where it meets such text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import NamedTuple

import clipcond.lazy_re as re
from clipcond.prompt.segments import ParsedPrompt

_SLIP = frozenset({"weight", "novelai-weight", "midjourney-weight"})
_SIGNED = frozenset({"other-dialect", "weight"})
_PRICE = r"[0-9]{1,3}\.\d{2}(?!\d)"
# What a small price is of; with a number of another use it is a weight all the same.
_GOODS = (
    "apples?|bread|milk|eggs?|coffee|tea|latte|espresso|cappuccino|mocha|beer|wine|water|juice|soda"
    "|cola|coke|lemonade|smoothie|cheese|butter|rice|sugar|salt|flour|bananas?|oranges?"
    "|lemons?|tomato(?:es)?"
    "|potato(?:es)?|onions?|carrots?|lettuce|cucumbers?|grapes|berries|strawberries|cookies?"
    "|cakes?|pies?|pizza|burgers?"
    "|fries|sandwich|salad|soup|taco|tacos|hot ?dogs?|donuts?|bagels?|muffins?|croissants?"
    "|candy|chocolate"
    "|ice ?cream|snacks?|tickets?|fares?|stamps?|pens?|pencils?|notebooks?|newspapers?|gas"
    "|diesel|petrol"
    "|total|subtotal|tax|tip|change|cost|costs|fee|fees|amount|balance|brot|milch|kaffee|eier"
    "|pain|lait|café|pan|leche"
)
_MONEY = re.compile(
    r"[$€£¥₹₩￥]|(?i:\b(?:prices?|priced|menu|receipt|invoice|cents?|dollars?|euros?|usd|eur|gbp)\b)"
    r"|\d\s?[元円원]|价格|価格|(?<![\d.])(?:[3-9]|\d{2,3})\.\d{2}(?![\d.])"
)
UNITS = (
    "[kmcµ]?g|[mcd]?l|[kmcµn]?m|tsp|tbsp|cups?|oz|lbs?|ft|feet|inch|inches|h|hrs?|hours?|mins?"
    "|minutes?|m?s|secs?|seconds?"
    "|mph|km/h|[kMGT]i?B|[kMG]?Hz|[kMG]?W|m?V|m?A|fps|rpm|dpi|°[CF]|K|mol|bar|Pa|[元円원]|歳|岁|年"
    "|月|日|時|点|分|秒|人|個|个|米|升|斤"
    "|(?:kilo|milli|centi)?(?:lit(?:er|re)|met(?:er|re)|gram)s?|pounds?|percent|miles?|yards?|years?"
    "|days?|weeks?|months?|million|billion"
)
_CODE_WORD = (
    r"(?:dict|dictionary|set|list|json|yaml|toml|code|regex|tuple|struct|enum|union|map|object|array|class|def|function|func"
    r"|python|javascript|java|rust|typescript|haskell|sql|bash|shell|css|html|latex|math|equation|formula|grammar)"
)
# A square of a chess board that a piece went to, with check or mate; O-O is castling.
_CHESS = r"(?<!\w)(?:[KQRBN]?[a-h]?[1-8]?x?[a-h][1-8](?:=[QRBN])?|O-O(?:-O)?)[+#]{1,2}"
SPOKEN = (
    "well|no|not|nope|yes|yeah|oh|ah|uh|um|hmm|er|hey|hi|hello|ok|okay|so|and|but|or|if|then"
    "|than|because|that|this"
    "|these|those|wait|stop|look|listen|please|sorry|thanks|what|who|why|how|when|where|which"
    "|i|you|he|she"
    "|it|we|they|me|him|them|us|the|a|an|of|to|in|on|at|by|for|from|with|is|are|was|were|be|am"
    "|do|did"
    "|does|have|has|had|will|would|can|could|should|may|might|must|just|only|never|always"
    "|maybe|perhaps|damn"
    "|way|sir|man|boy|dont|cant|wont|didnt|isnt|nothing|something|everything|anyway|really"
    "|god|help|there|here|now|again|also|too|very|as|like|i'm|don't|can't|won't|it's|you're|that's"
)

# What a number names one of: Chapter 3
LABELS = "chapter|page|episode|season|volume|vol|level|step|act|scene|room|player|day|part|verse"
# What is counted behind a colon, too.
COUNTED = (
    f"{LABELS}|{_GOODS}|flour|home|away|exit|gate|door|yes|no|issue|pov|number|count|total|hp|xp|age"
    "|team|group|row|column|table|floor|line|track|round|set|size|grade|rank|phase|stage|quest|wave"
)
# Numbered things that are called so.
SEQUELS = (
    "portal|overwatch|splatoon|destiny|diablo|dota|borderlands|halo|bayonetta|persona|nier"
    "|titanfall|hades|frozen|shrek|moana|sing|trolls|deadpool|terminator|aliens?|fallout"
    "|witcher|dishonored|outlast|subnautica|undertale|deltarune|pikmin|rayman|tekken|half-life"
    "|toy story|iron man|dune|spider-?man|john wick|mass effect|dragon age|resident evil"
    "|silent hill|dark souls|street fighter|devil may cry|final fantasy|kill bill|avatar"
    "|zootopia|rocky|matrix|kingdom hearts|god of war|sims|age of empires|far cry"
    "|the last of us|monster hunter|back to the future|die hard|top gun|cars|star wars"
    "|guilty gear|left 4 dead|kung fu panda|blade runner|red dead redemption|mortal kombat"
    "|series|arc|act|phase|stage|round|team|group|type|class|unit|alt|ver|form|version|outfit"
    "|costume|set|day|week|world|book|player"
)
SEQUEL = (
    rf"(?i:(?:the )?(?:{SEQUELS})|巫师|寂静岭|生化危机|古墓丽影|传送门|毁灭战士"
    "|使命召唤|黑暗之魂|鬼泣|战神|质量效应|流浪地球|战狼|哪吒|唐人街探案|暗黑破坏神|辐射|半条命|塞尔达传说"
    "|仙剑奇侠传|古剑奇谭|轩辕剑)"
)

_INSIDE = r"\((?:[^():\n]|:(?!\s?[\d.])|\([^():\n]{0,200}\)){0,200}\)"


class Ordinary(NamedTuple):
    """Text that is no slip.

    Args:
        codes: of the issues that are none where they meet it.
        signs: characters, or words, of which the prompt holds one wherever the pattern matches.
        pattern: linear in the prompt's length. If it has a group `shown`, that is the text.
        readers: the syntaxes that it is ordinary in; empty = all.
        within: what the prompt has to hold somewhere; None = nothing.
    """

    codes: frozenset[str]
    signs: Collection[str]
    pattern: re.Pattern[str]
    readers: Collection[str] = ()
    within: re.Pattern[str] | None = None


ORDINARY = (
    Ordinary(
        _SLIP,
        ("swap", "Lora", "attend"),
        re.compile(
            r"\.\s?(?:swap|attend)\s?(?P<shown>\([^()\n]{0,400}(?:\([^()\n]{0,200}\)[^()\n]{0,200}){0,9}\))"
            r"|(?<!\w)(?:with|use)Lora\s?(?P<shown_2>\([^()\n]{0,200}\))"
        ),
    ),
    Ordinary(
        _SLIP | {"no-editing"},
        "{[",
        re.compile(
            r"[{,\[]\s{0,99}(?:\"[^\"\n]{1,80}\"|'[^'\n]{1,80}')\s{0,9}:\s{0,9}"
            r"(?:[+-]?[\d.]{1,20}(?:[eE][+-]?\d{1,3})?|\[[\d.,\s]{0,200}\])(?=\s{0,99}[,}\]])"
            r"|\{\s{0,9}[a-zA-Zα-ωΑ-Ω]\s{0,9}:\s{0,9}[+-]?[\d.]{1,20}[^{}\n]{0,200}\}"
            r"|\{(?:[^{}\n;]{0,200};){1,99}[^{}\n;]{0,200}\}"
        ),
    ),
    Ordinary(
        frozenset({"random-choice", "novelai-weight", "prompt-mixing"}),
        "{(",
        re.compile(
            rf"(?i:(?<!\w){_CODE_WORD}\s?[:=]?\s?)\{{[^{{}}\n]{{0,200}}\}}"
            r"|\{\s?\w{1,2}\s?(?:\||:|∈)\s?[^{}\n]{0,99}[<>=∈≤≥≠][^{}\n]{0,99}\}"
            r"|\{\s?[A-Za-z](?:\s?,\s?[A-Za-z]){0,9}\s?\}"
        ),
    ),
    Ordinary(
        frozenset({"random-choice", "prompt-mixing", "no-editing", "weight"}),
        "|",
        re.compile(
            r"(?<![^\W_])(?:[A-Za-z]|Pr|prob)\([^()|\n]{1,20}\|[^()|\n]{1,20}\)(?:\s?[=<>≈].{0,9})?"
        ),
    ),
    Ordinary(
        _SLIP,
        "(",
        re.compile(
            r"(?<![\w(\[{])[A-Za-z]\s?\((?:[a-z]|[+-]?\d)(?:,\s?(?:[a-z]|\d)){0,5}\)\s?=.{0,12}"
        ),
    ),
    Ordinary(
        frozenset({"other-dialect"}),
        "[",
        re.compile(r"(?<=[\w)\]])\[\s?-?\d{0,9}\s?:\s?-?\d{0,9}(?:\s?:\s?-?\d{0,9})?\s?\]"),
    ),
    Ordinary(
        _SIGNED,
        "+-",
        re.compile(
            rf"{_CHESS}(?=[\s,.;:!?)]|$)"
            rf"|(?<![\w'’])(?:(?i:{SPOKEN})|[A-Z][a-z]+)-{{2,3}}"
            r"|(?<!\w)[A-Za-z_]\w{0,40}(?:\+\+|--)(?=\s{0,9};|\)\s{0,9}\{)"
            r"|(?<!\w)(?:count(?:er)?|ind?e?x|idx|ptr|num|tmp)(?:\+\+|--)"
            r"|;\s{0,9}[A-Za-z_]\w{0,40}(?:\+\+|--)(?=\s{0,9}\))"
        ),
    ),
    Ordinary(
        _SIGNED,
        ('--"',),
        re.compile(r"(?<![(,\w])\"(?=[A-Z])[^\"\n]{2,300}--\"(?!\s{0,9}[,)])"),
    ),
    Ordinary(
        frozenset({"weight"}),
        ".",
        re.compile(
            rf"(?<!\w)(?i:{_GOODS})\s{{0,9}}[:=@(\[*×x]\s{{0,9}}{_PRICE}[)\]]?"
            r"|(?<=\w)(?:\s?@\s?\d?\.\d{2}(?!\d)|\s?[:=]\s?\d?\.\d9(?!\d)|\s?[(\[]\d?\.\d{2}[)\]])"
        ),
    ),
    Ordinary(
        frozenset({"weight"}),
        ".",
        re.compile(rf"(?<=\w)\s{{0,9}}[:=@(\[*×x]\s{{0,9}}{_PRICE}[)\]]?"),
        within=_MONEY,
    ),
    Ordinary(
        frozenset({"weight"}),
        ".:=@",
        re.compile(rf"(?<=\w)\s?[:=@]\s?\d{{0,3}}\.?\d{{1,3}}\s?(?:{UNITS})(?![\w°])"),
    ),
    Ordinary(
        _SIGNED,
        "注図图表例頁页章",
        re.compile(r"[(（](?:注|図|图|表|例|頁|页|章)\s?[:：]\s?[\d.]{1,9}\s?[)）]"),
    ),
    Ordinary(  # print("hello: 1")
        frozenset({"weight"}),
        ('"', "'"),
        re.compile(r"(?<=[A-Za-z_\d])\([a-zA-Z]?(?:\"[^\"\n()]{0,200}\"|'[^'\n()]{0,200}')\)"),
    ),
    Ordinary(  # Evangelion:1.0, Web:2.0
        frozenset({"weight"}),
        ":",
        re.compile(
            r"(?<![\w:(\[{])[A-Z][a-z]{1,30}(?:\s[A-Z]\w{0,20}){0,3}\s?:\s?[1-9]\.0{1,2}(?![\d)\]}])"
            r"|(?<!\w)(?i:evangelion|rebuild):\s?[1-4]\.\d{1,2}(?![\d)])"
        ),
    ),
    Ordinary(  # fe80::1, IPv6 ::1
        _SLIP,
        ("::",),
        re.compile(
            r"(?i:(?<!\w)(?:ip(?:v[46])?|localhost|address|loopback|ping|host|subnet|route|server)\s{1,3}"
            r"(?:is\s)?::\d{1,4}|(?<![\w:.])(?:(?=\w{0,3}\d)(?=\w{0,3}[a-f])[\da-f]{4}"
            r"|[\da-f]{2,4}(?::[\da-f]{1,4}){1,6})::[\da-f]{0,4}(?![\w.])(?=[\s,;)/]|\.?\Z)"
            r"|(?<!\w)::(?:ffff:)?\d{1,3}(?:\.\d{1,3}){3})"
        ),
        readers={"a1111", "comfyui", "compel", "diffusers", "lpw", "lpw_xl", "sd_embed"},
    ),
    Ordinary(  # the bracket of [0,1) that closes nothing
        frozenset({"bracket"}),
        ")]",
        re.compile(
            r"(?:\[\s?[+-]?[\d.a-z∞]{1,8}\s?[,;]\s?[+-]?[\d.a-z∞]{1,8}\s?(?P<shown>\))"
            r"|\(\s?[+-]?[\d.a-z∞]{1,8}\s?[,;]\s?[+-]?[\d.a-z∞]{1,8}\s?(?P<shown_2>\]))(?!\d)"
        ),
    ),
    Ordinary(  # 1) cat, 2) dog
        frozenset({"bracket"}),
        ")",
        re.compile(r"(?:\A|(?<=[\s,;.:]))(?:\d{1,2}|[a-hA-H])(?P<shown>\))(?=\s)"),
        within=re.compile(r"(?:\A|[\n,;.:])\s{0,3}[1aA]\)\s(?s:.){1,400}?[2bB]\)\s"),
    ),
    Ordinary(
        frozenset({"bracket"}),
        ("O)",),
        re.compile(r"(?i:\bsunn\s?)O(?P<shown>\){2,4})"),
    ),
    Ordinary(  # [10:30], [16:9]
        frozenset({"other-dialect"}),
        "[",
        re.compile(r"\[\s?\d{1,4}\s?:\s?\d{1,4}(?::\d{2})?(?:\s?[apAP]\.?[mM]\.?)?\s?\]"),
    ),
    Ordinary(
        frozenset({"bracket"}),
        "(",
        re.compile(
            rf"(?<![\w.)\"'])(?:[^\W\d]\w{{0,40}}\.){{0,5}}[^\W\d]\w{{0,40}}{_INSIDE}(?![+\-\d]|\.\d|:\s?[\d.])"
            r"|\((?=[^()\n]{0,200}(?:[;{}]|[=<>!]=|&&|\|\|))[^()\n]{0,200}\)(?![+\-\d:]|\.\d)"
        ),
        readers={"compel"},
    ),
)


def shown_group(match: re.Match[str]) -> str | int:
    """Find the group of a match that is the thing itself; 0 = the whole match."""
    return next((g for g in ("shown", "shown_2") if match.groupdict().get(g)), 0)


def ordinary_spans(parsed: ParsedPrompt, codes: Collection[str]) -> Callable[[str, int, int], bool]:
    """Find the ordinary text of a prompt, as far as issues of these codes could be about it.

    Returns:
        whether an issue of a code, about a span of the prompt, meets such text.
    """
    source = parsed.source
    spans: dict[str, list[tuple[int, int]]] = {code: [] for code in codes}
    for row in ORDINARY:
        wanted = row.codes & spans.keys()
        if not wanted or not any(map(source.__contains__, row.signs)):
            continue
        if row.readers and parsed.syntax not in row.readers:
            continue
        if row.within is not None and not row.within.search(source):
            continue
        for found in row.pattern.finditer(source):
            for code in wanted:
                spans[code].append(found.span(shown_group(found)))
    ends = {
        code: list(accumulate((stop for _, stop in sorted(of)), max)) for code, of in spans.items()
    }
    starts = {code: sorted(start for start, _ in of) for code, of in spans.items()}

    def is_ordinary(code: str, start: int, stop: int) -> bool:
        n_before = bisect_left(starts[code], stop)
        return n_before > 0 and ends[code][n_before - 1] > start

    return is_ordinary
