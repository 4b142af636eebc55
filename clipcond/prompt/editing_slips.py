"""List what looks like prompt editing in dialect 'a1111', and is none anywhere."""

from __future__ import annotations

import clipcond.lazy_re as re
from clipcond.prompt.alternation_slips import ALTERNATION_SLIPS, NO_LABEL, TAGGED
from clipcond.prompt.notations import (
    BRACKETS,
    CJK,
    EXCEPT_PLAIN,
    MEASURED,
    OPTION,
    WHEN,
    Notation,
    not_after,
)

# An option of a form, and one that has a letter.
_SHORT = r"[^\W\d][^\[\]():：∶꞉﹕ː|\n]{1,60}"
_WORDS = r"\s?[^\W\d][^\[\]():|,;/>@=→\n]{0,60}"
_PART = r"0?\.\d{1,3}"  # of all steps
_NO_SHARE = not_after(
    f"{MEASURED} humidity battery discount progress saturation contrast brightness sharpness cotton"
    " volume off loading download chance coverage alcohol clock fuel"
)
_NO_EDITING = "no prompt editing: that is two texts, and a number when"
_UNBRACKETED = "no prompt editing: a weight in it needs brackets of its own"
_EDIT = (
    "Write [{from}:{to}:{when}] in dialect 'a1111': a fraction of all steps, or the number of one."
)
_WEIGHT = r"(?:[0-2]?\.\d{1,3}|[12])"  # of an option, before a colon
_INNER = r"[^()\[\]:|\n]{1,60}"
_OPTION = r"[^\W\d][^\[\]():|\n]{0,60}"
EDITING_SLIPS = (
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<from>{_OPTION}|\d[^\W\d][^\[\]():|\n]{{0,60}}):(?P<to>{OPTION}):(?P<third>{OPTION})"
            rf":\s*(?P<when>{WHEN})\s*:\s*(?P<then>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing: three texts need an edit within another",
        "Write [{from}:[{to}:{third}:{then}]:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<hour>\d{{1,4}}):(?P<from>\d[^\[\]():|\n]{{0,60}}[^\W\d][^\[\]():|\n]{{0,60}})"
            rf":(?P<to>{OPTION}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing: a colon of its text needs a backslash",
        "Write [{hour}\\:{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    *(
        Notation(
            "no-editing",
            ":",
            re.compile(rf"\[{pattern}:\s*(?P<when>{WHEN})\s*\]"),
            EXCEPT_PLAIN,
            _UNBRACKETED,
            remedy,
        )
        for pattern, remedy in (
            (
                rf"\((?P<from>{_INNER})\):\s?(?P<number>{_WEIGHT}):(?P<to>{OPTION})",
                "Write [({from}:{number}):{to}:{when}] in dialect 'a1111'.",
            ),
            (
                rf"(?P<from>{OPTION}):\((?P<to>{_INNER})\):\s?(?P<number>{_WEIGHT})",
                "Write [{from}:({to}:{number}):{when}] in dialect 'a1111'.",
            ),
        )
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<from>{_OPTION}):\s?(?P<number>{_WEIGHT}):(?P<to>{_OPTION}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        _UNBRACKETED,
        "Write [({from}:{number}):{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<from>{_OPTION}):(?P<to>{_OPTION}):\s?(?P<number>[12]\.\d{{1,3}}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        _UNBRACKETED,
        "Write [{from}:({to}:{number}):{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(rf"\[(?P<from>{_OPTION})::\s?(?P<to>{_OPTION})::?\s*(?P<when>{WHEN})\s*\]"),
        EXCEPT_PLAIN,
        "no prompt editing, which has one colon between its parts",
        "Write [{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        ("::",),
        # [::ffff:10] is an address
        re.compile(
            rf"\[\s?::+\s?(?![\da-fA-F]{{1,4}}:)(?P<to>{_OPTION}):\s*(?P<when>{WHEN})\s*\]"
            rf"|\[\s?:\s?(?P<to_2>{_OPTION})::+\s*(?P<when_2>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing, which has one colon between its parts",
        "Write [:{to}:{when}] in dialect 'a1111' for a text that begins then, or [{to}::{when}] "
        "for one that ends.",
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[{TAGGED}(?P<to>[^\W\d][^\[\]:|\n]{{0,60}})(?=:)(?i:{_NO_SHARE}){NO_LABEL}:\s?"
            r"(?P<when>\d{1,3}\s?%|\d\s?/\s?\d|half|\d{1,3}\s?steps?|(?:after|step|from|at)\s?\d{1,3})\s?\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing: its end is no plain number",
        "Write [{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[(?P<from>{_WORDS})(?:[,;/]|[-=]>|→)(?P<to>{_WORDS})(?:[,;/|@]|[-=]>|→)\s?(?P<when>{_PART})\s?\]"
            rf"|\[(?P<from_2>{_WORDS}):(?P<to_2>{_WORDS})(?:[,;/|@=]|[-=]>|→|\s)\s?(?P<when_2>{_PART})\s?\]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing, which has colons",
        "Write [{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        ":",
        re.compile(
            rf"\[(?P<from>{_OPTION}):(?P<to>\s?{_OPTION}):(?P<third>\s?{_OPTION}):\s*(?P<when>{WHEN})\s*\]"
        ),
        EXCEPT_PLAIN,
        _NO_EDITING,
        "A colon that is text needs a backslash: [{from}\\:{to}:{third}:{when}] or "
        "[{from}:{to}\\:{third}:{when}] in dialect 'a1111'.",
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[(?=[^\[\]:|\n]{{0,120}}[^\W\d_]|[🌀-🫿])(?P<from>{OPTION}):(?P<to>{OPTION})"
            rf"(?::(?!\s*{WHEN}\s*\])(?P<when>{OPTION})|:(?P<when_2>\s?0?:\d{{1,3}}\s?)"
            rf"|:(?P<when_3>{OPTION})(?::{OPTION}){{1,6}})\]|\[:(?P<to_2>{_OPTION}):(?P<when_4>0?:\d{{1,3}})\]"
        ),
        EXCEPT_PLAIN,
        _NO_EDITING,
        _EDIT,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[{TAGGED}(?P<from>[{CJK}]|{_SHORT}){NO_LABEL}[:：∶꞉﹕ː](?P<to>[{CJK}]|{_SHORT})"
            r"(?<![\s:])\]"
        ),
        EXCEPT_PLAIN,
        _NO_EDITING,
        _EDIT,
        folded=False,
    ),
    Notation(
        "no-editing",
        "[",
        re.compile(
            rf"\[(?P<from>{OPTION}):(?:(?P<to>{OPTION}):)?\s*(?P<when>{WHEN})\s*\]"
            r"|\[(?=\s*\w)[^\[\]|:\n]{1,120}\|[^\[\]:\n]{1,120}\]"
        ),
        {"a1111"},
        "no prompt editing, because of {odd}",
        "Write it in ASCII, without invisible characters.",
        known=re.compile(rf"\[[^\[\]|]*:\s*{WHEN}\s*\]|\[[^\[\]]*\|"),
    ),
    Notation(
        "no-editing",
        "({<⟦",
        re.compile(
            rf"[({{<⟦]{TAGGED}(?P<from>{_SHORT}|[{CJK}]):(?P<to>{_SHORT}|[{CJK}]):\s?(?P<when>{_PART})\s?[)}}>⟧]"
        ),
        EXCEPT_PLAIN,
        "no prompt editing, which has square brackets",
        "Write [{from}:{to}:{when}] in dialect 'a1111'.",
    ),
    *ALTERNATION_SLIPS,
)
# Read where full-width punctuation counts.
READ_WIDE = (
    Notation(
        "no-editing",
        "【［",
        re.compile(rf"[【［](?P<from>[{CJK}]{{1,8}}){NO_LABEL}[:：](?P<to>[{CJK}]{{1,8}})[】］]"),
        BRACKETS,
        _NO_EDITING,
        _EDIT,
        folded=False,
    ),
)
