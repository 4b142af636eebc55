"""Every word of the pages of reports is there in Chinese, and none that no page says."""

import warnings
from itertools import pairwise

from clipcond import Conditioner
from clipcond.cli.chinese_report import REPORT
from clipcond.cli.chinese_tables import TABLES
from clipcond.conditioning.pages.wording import MAX_CHARACTERS
from tests.conditioning.conditioners import pair, single


class Words(dict):
    """What stands for the words of a page or a table, and which of them were asked for."""

    def __init__(self, known) -> None:
        super().__init__(known)
        self.asked = set()

    def get(self, key, default=None):
        self.asked.add(key)
        return super().get(key, default)


def reports():
    """One or more of everything that a report can have."""
    parts = " AND ".join(f"p{i}" for i in range(60))
    return [
        pair().explain("a (red:1.3) [cat:dog:0.5] BREAK x AND snow :0.7", "bad", movement=True),
        pair().explain("a", ""),
        single().explain("a", movement=True),
        single().explain("", "(x:1.2) " * 3000),
        single().explain(f"[cat|dog] AND {parts}" + ") " * 60 + "x" * MAX_CHARACTERS),
        single(dialect="sd_embed", clip_skip=3, pooled=True).explain("a (b:1.2)"),
        single(dialect="compel", pooled=True).explain("a (b)1.2"),
        single().explain(" BREAK ".join(f"a{i})" for i in range(60))),
    ]


def comparisons():
    """One or more of everything that can differ."""
    first, second = (pair().explain(text, "bad", movement=True) for text in ("a (b:1.2) c", "c d"))
    yield from (first.against(second), first.against(first))
    longer = pair().explain("a BREAK b", movement=True)
    yield longer.against(first)
    texts = ("cat " * 2100, "dog " * 2100, "a BREAK cat", "a cat", "a BREAK (cat)", "(a) cat")
    made = [single().explain(text) for text in texts]
    yield from (a.against(b) for a, b in pairwise(made))
    yield single().explain("cat " * 50).against(single().explain("cat " * 50 + "dog"))


def test_every_word_of_a_page_is_in_chinese():
    words = Words(REPORT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shown in (*reports(), *comparisons()):
            for page in (shown.html(words=words), shown.html_fragment(words=words)):
                assert 'lang="zh-Hans"' in page

    assert words.asked == set(REPORT)
    assert all(a.count("{}") == b.count("{}") for a, b in REPORT.items())


def test_every_word_of_a_table_is_in_chinese():
    words = Words({**REPORT, **TABLES})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for shown in (*reports(), *comparisons()):
            table = shown.table(words=words, width=200)
            assert table != shown.table(width=200)

    assert words.asked - {*REPORT} == {*TABLES} - {*REPORT}
    assert words.asked <= {*REPORT, *TABLES}
    for english, chinese in TABLES.items():
        assert chinese.count("{") == english.count("{"), english


def test_a_page_is_english_without_words():
    page = Conditioner(*pair().towers).explain("a").html()

    assert 'lang="en"' in page
    assert not any(each in page for each in REPORT.values() if each != "zh-Hans")
