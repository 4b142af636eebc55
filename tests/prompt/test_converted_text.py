"""What another syntax reads otherwise than the one that a prompt was written in."""

from clipcond.prompt.conversion import convert_with_issues
from tests.failures import failures_of

LOST = (
    ("a #1 cat", "comfyui", "a1111", "comment", "#1 cat"),
    ("a cat, item #3, blue", "diffusers", "a1111", "comment", "#3, blue"),
    ("(cat)1.2 # a comment", "compel", "a1111", "comment", "# a comment"),
    ("embedding:EasyNegative, cat", "comfyui", "a1111", "embedding", "embedding:EasyNegative"),
    ("a cat (embedding:bad:1.2)", "comfyui", "a1111", "embedding", "embedding:bad"),
    ("embedding:bad, cat", "comfyui", "compel", "embedding", "embedding:bad"),
)
KEPT = (
    ("a red cat", "comfyui", "a1111"),
    ("a #1 cat", "comfyui", "compel"),
    ("embedding:bad, cat", "comfyui", "comfyui"),
    ("a #1 cat", "a1111", "a1111"),
)


def codes(prompt, source, target):
    return {issue.code: issue for issue in convert_with_issues(prompt, source, target)[1]}


def test_text_that_is_lost_there_is_named():
    def check(case):
        prompt, source, target, code, words = case
        issue = codes(prompt, source, target)[code]
        assert prompt[issue.position :].startswith(words)
        assert issue.remedy

    assert not failures_of(check, LOST)
    assert not [case for case in KEPT if codes(*case).keys() & {"comment", "embedding"}]
