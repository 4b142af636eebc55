"""Pages of very long prompts say what is missing, and take no longer than the prompt is long."""

import pytest

from clipcond.checkpoints.describing import describe_tower
from clipcond.conditioning.explaining import Explainer
from clipcond.conditioning.pages.wording import MAX_CHARACTERS, MAX_TOKENS
from tests.calls import n_calls
from tests.conditioning.read_pages import read_page, tables
from tests.failures import failures_of


@pytest.fixture(scope="module")
def explainer():
    return Explainer((describe_tower("embedded"),))


def test_a_page_of_a_very_long_prompt_says_what_is_missing(explainer):
    n = 6000
    report = explainer.explain("(cat:1.1) " * n + "<" * MAX_CHARACTERS, "cat")
    page = read_page(report.html())
    rows = tables(page)
    n_chunks = MAX_TOKENS // 77

    assert len(report.html()) < 1_000_000
    assert [len(each) for each in rows] == [78] * n_chunks + [
        4,
        3,
    ]  # then the negative, and its empty chunks
    left = len(report.chunks) - n_chunks
    n_left = sum(each.chunk.content for each in report.chunks[n_chunks:])
    assert f"… and {left} more chunks with {n_left} tokens, which" in page.text()
    prompt = page.all("p", "cc-prompt")[0].text()
    n_more = len(report.parsed.source) - MAX_CHARACTERS
    assert prompt == report.parsed.source[:MAX_CHARACTERS] + f" … and {n_more} more characters"


def test_a_page_takes_no_longer_than_its_prompt_is_long(explainer):
    """In calls of functions; of what is shown, which has a limit, it is always the same."""

    def calls(text, n):
        report = explainer.explain(text * n)
        return n_calls(report.html)

    def check(text):
        calls(text, 4)
        few, many = calls(text, 1000), calls(text, 4000)
        assert many < 4.4 * few

    texts = ["cat ", "(red:1.2) ", "a AND ", "[a:b:0.5] ", ")", "<", "xylo "]
    assert not failures_of(check, texts)
