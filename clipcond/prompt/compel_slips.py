"""Find blends and conjunctions of compel that are mistyped, and write them as compel reads them."""

from __future__ import annotations

from difflib import get_close_matches

import clipcond.lazy_re as re
from clipcond.prompt.compel_grammar import NUMBER_OR_NAME
from clipcond.prompt.folding import fold
from clipcond.prompt.notations import EXCEPT_PLAIN, Notation

CALL = "compel-call"
_METHODS = ("blend", "and", "add")
_NAMES = (
    r"(?i:blends?|blended|belnd|bledn|blned|lbend|blen|blnd|blendd|bleend|bland|bend|blind|mix|merge"
    r"|and|adn|nad|ands|andd|add|adds|conj|conjunction)(?![A-Za-z])"
)
_WEIGHT = r"(?:\+{1,9}|-{1,9}|\d?\.?\d{1,3})?"
_QUOTED = rf'"[^"\n]{{0,200}}"{_WEIGHT}'
_MEMBERS = (
    rf"\(?\s?{_QUOTED}(?:\s?(?:[,;|&+]|and(?!\w))?\s?{_QUOTED}){{1,19}}\s?\)?"
    rf'|\((?=[^()"\n]{{0,300}}[,;])[^()"\n]{{1,300}}\)'
)
_ENTRIES = (
    r'\s?[(\[{]\s?(?P<entries>[^()\[\]{}\n"]{0,99}?)\s?[)\]}]'
    r"|\s?[(\[{]?\s?(?P<entries_2>[\d.,;:\-][\d.,;:\s\-]{0,60}|(?=\s{0,9}\Z))"
)
_MEMBER = re.compile(
    r'"(?P<quoted>[^"\n]*)"(?P<weight>[+\-.\d]*)|(?P<bare>[^(),;|&"\s][^(),;|&"]*)'
)
_NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)|no_normalize")
_RIGHT = r'(?:"[^"\n]*"|\([^()\n]*\)|[^\s"(),.;+\-=]+)'
_BETWEEN = re.compile(r'"\s{0,9},\s{0,9}"')
_QUOTING = re.compile(r'(?:[^"]{0,200}"[^\s"][^"]{0,200}"){1,9}[^"]{0,200}')  # a "quoted" cat
COMPEL_SLIPS = (
    Notation(
        CALL,
        ".ndNDbB",
        re.compile(
            rf"(?<!\\)(?P<members>{_MEMBERS})\s?(?:\.\s?|(?=(?i:blend)\s?\())(?P<name>{_NAMES})(?:{_ENTRIES})"
        ),
        EXCEPT_PLAIN,
        "no blend or conjunction of dialect 'compel', although it looks like one",
        "Write {call}.",
        known=re.compile(
            rf"\(\s*{_RIGHT}(?:\s*,\s*{_RIGHT})*\s*\)\s*\.(?:and|add|blend)\s*"
            rf"\(\s*(?:{NUMBER_OR_NAME}(?:\s*,\s*{NUMBER_OR_NAME})*)?\s*\)"
        ),
        hint=re.compile(rf"(?:\.\s?|(?=(?i:blend)\s?\()){_NAMES}"),
    ),
    Notation(
        CALL,
        ('")',),
        re.compile(
            # a quotation mark that neither begins nor ends a prompt
            r'(?P<members>\(\s?"(?:[^()"\n]{0,200}"\s?,\s?"){0,9}[^()"\n]{0,200}(?<!\\)"(?=[^,)\s"])[^()\n]{1,400}"\s?\))\.(?P<name>and|add|blend)'
            rf"(?:{_ENTRIES})"
        ),
        EXCEPT_PLAIN,
        "no blend or conjunction of dialect 'compel', although it looks like one",
        "Write {call}.",
    ),
    Notation(
        CALL,
        (").b", ").a", ") ."),
        re.compile(
            rf"(?<=\S)\s{{0,9}}(?P<shown>\(\s{{0,9}}{_RIGHT}(?:\s{{0,9}},\s{{0,9}}{_RIGHT}){{0,19}}\s{{0,9}}\)"
            r"\s{0,9}\.(?:and|add|blend)\s{0,9}\([^()\n]{0,99}\))"
        ),
        {"compel"},
        "text here: a blend or conjunction is a whole prompt",
        "Write what is before it in each of its prompts.",
        unless=re.compile(r"\A\s*(?:(?:with|use)Lora\s*\([^()\n]{0,99}\)\s*)+\("),
    ),
)


def mended_call(members: str, name: str, entries: str, syntax: str) -> str:
    """Write a blend or conjunction as compel reads it.

    Args:
        members: its prompts, quoted or not, however they are separated.
        name: of the method, mistyped or not.
        entries: its weights, however they are separated; they are left out if not one for each.
    """
    found = list(_MEMBER.finditer(members))
    if '"' in members:
        found = [each for each in found if each["bare"] is None]
    prompts = [_prompt(each) for each in found]
    inner = _BETWEEN.sub("\n", members[members.find('"') + 1 : members.rfind('"')]).split("\n")
    quoting = [each for each in inner if '"' in each]
    if len(inner) > 1 and quoting and all(map(_QUOTING.fullmatch, quoting)):
        prompts = ['"' + each.replace('"', '\\"') + '"' for each in inner]
    method = next(iter(get_close_matches(name.lower(), _METHODS, 1)), "blend")
    entries = entries.replace(",", ".") if ";" in entries else entries
    weights = _NUMBER.findall(entries)
    n_weights = len(weights) - ("no_normalize" in weights)
    listed = ", ".join(weights) if n_weights == len(prompts) else ""
    where = "" if syntax == "compel" else " in dialect 'compel'"
    return f"({', '.join(prompts)}).{method}({listed}){where}"


def mended_source(source: str) -> str:
    """Write a remedy for a call whose signs are not ASCII; "" if there is none."""
    found = COMPEL_SLIPS[0].pattern.search(folded := fold(source))
    if found is None or folded == source:
        return ""
    entries = found["entries"] or found["entries_2"] or ""
    return f"Write {mended_call(found['members'], found['name'], entries, 'compel')}."


def _prompt(member: re.Match[str]) -> str:
    """Write one prompt in quotes, its weight inside."""
    words, weight = (member["quoted"] or member["bare"] or "").strip(), member["weight"] or ""
    words = words.strip(" '‘’“”`")
    if weight:
        words = f"({words}){weight}"
    return f'"{words}"'
