"""The report escapes what it shows and needs nothing from outside."""

import datetime
import html.parser
import re

import pytest
from claim_results import make_result

from ctrnn_jax.reproduce import ClaimResult, Finding, Table, render_report

NASTY = "<script>alert(\"x\") & 'y'</script>"


class _Tags(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.links, self.images, self.stack = [], [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append(tag)
        self.links += [attributes[k] for k in ("src", "href") if k in attributes]
        if tag == "img":
            self.images.append(attributes)
        if tag not in ("meta", "img", "br", "link"):
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def test_every_value_is_escaped():
    page = render_report([make_result(key="C1", text=NASTY)])
    assert NASTY not in page
    assert "script" not in _Tags(page).tags
    assert page.count("&lt;script&gt;") >= 10


def test_nothing_comes_from_outside():
    page = render_report([make_result("C1"), make_result("C2")])
    tags = _Tags(page)
    assert {"script", "link", "iframe"}.isdisjoint(tags.tags)
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in tags.links)
    assert re.search(r"@import|url\(", page) is None


def test_tags_close_in_order_and_links_have_targets():
    page = render_report([make_result("C1"), make_result("C2")])
    tags = _Tags(page)
    assert tags.stack == []
    for link in tags.links:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in page


def test_every_picture_has_a_text_alternative():
    tags = _Tags(render_report([make_result("C1", text="what it shows")]))
    assert [image["alt"] for image in tags.images] == ["what it shows"]


def test_it_says_when_and_with_what_it_was_made():
    when = datetime.datetime(2025, 4, 13, 12, 30, tzinfo=datetime.UTC)
    page = render_report([make_result()], when=when)
    assert "2025-04-13 12:30 UTC" in page
    for name in ("ctrnn_jax", "jax", "diffrax", "Processor", "cores"):
        assert name in page


def test_a_quick_run_says_that_it_proves_little():
    assert "quick run" not in render_report([make_result()])
    assert "quick run" in render_report([make_result()], quick=True)


def test_it_says_where_limit_cycle_is_not_the_right_word():
    page = render_report([make_result()])
    assert "not the right word" in page


def test_a_result_survives_the_way_through_json():
    result = make_result(text=NASTY)
    pngs = {picture.name: picture.png for picture in result.pictures}
    assert ClaimResult.from_json(result.to_json(), pngs) == result


def test_an_unknown_verdict_and_an_uneven_table_are_refused():
    # Under the tests' type checker the annotation refuses it first.
    with pytest.raises((ValueError, TypeError), match="verdict"):
        Finding("statement", "maybe", "measured")
    with pytest.raises(ValueError, match="2 columns"):
        Table("title", ("a", "b"), (("1",),))
