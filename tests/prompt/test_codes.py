"""Every issue has a code, so that programs need not read messages."""

from clipcond.prompt import SYNTAXES, parse

# one slip of each kind: brackets, breaks, weights, other tools' notations, names, mixtures
SLIPS = [
    "a (cat", "a cat)", "a [cat", "(a BREAK b:1.3)", "(" * 3000 + "a:1e200" + ")" * 3000,
    "a\\(", "(cat:100000)", "{a|b}", "__animal__", "cat // dog", "a::2 b", "<lora:x:1>",
    "a (x)) (y",
    "cat++ (dog)1.2", '("a","b").and() c', 'a cat.swap("dog")', "useLora(x, 0.5) a", "a ( b = c",
    "embedding: x", "(cat:1,2)", "(cat1.3)", "cat:1.4", "{{x}}", "1.3::x::", "（猫：1.3", "【猫】",
    "(" * 60, ")" * 60, "photo (16:9)", "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1",
]  # fmt: skip


def test_every_issue_of_every_syntax_has_a_code():
    bare, codes = [], set()
    for syntax in SYNTAXES:
        for text in SLIPS:
            for issue in parse(text, syntax).issues:
                codes.add(issue.code)
                if not issue.code or " " in issue.code:
                    bare.append((syntax, text[:40], issue.message))
    assert not bare
    assert {"bracket", "break-weight", "not-encoded", "extra-network", "weight"} <= codes
