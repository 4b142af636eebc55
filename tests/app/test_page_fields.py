"""What visitors put into fields by mistake, and what is drawn in other tabs, in Chromium."""

import pytest
from PIL import Image

from tests.own_model import SIDE

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@pytest.fixture
def files(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [("plain.png", "'plain.png' does not say"), ("text.png", "'text.png' is no picture")],
)
def test_files_that_are_no_pictures_of_ours(visit, files, name, message):
    visit.tab("read")
    visit.page.set_input_files("#cp-picture input[type=file]", files / name)
    wrong = visit.page.wait_for_selector("#cp-info-wrong .cp-error")

    assert wrong.inner_text().startswith(message)
    shown = visit.page.inner_text("body")
    assert "Traceback" not in shown
    assert "clipcond-" not in shown
    assert visit.page.locator(".toast-wrap .toast-body").count() == 0


def test_what_was_found_in_a_picture_goes_with_it(visit, files):
    visit.tab("read")
    visit.page.set_input_files("#cp-picture input[type=file]", files / "plain.png")
    visit.page.click("#cp-classify")
    visit.page.wait_for_selector("#cp-classified th")
    visit.page.click("#cp-interrogate")
    visit.page.wait_for_function(
        "() => document.querySelector('#cp-interrogated textarea').value !== ''"
    )
    visit.page.get_by_role("button", name="Remove Image").or_(
        visit.page.locator("#cp-picture button[aria-label*=lear]")
    ).first.click()
    visit.page.wait_for_selector("#cp-classified th", state="detached")

    assert visit.page.input_value("#cp-interrogated textarea") == ""
    assert visit.page.inner_text("#cp-info-wrong").strip() == ""


@pytest.mark.parametrize(
    ("field", "number", "message"),
    [
        ("#cp-seed input", "1.5", "seed is a whole number, not 1.5"),
        ("#cp-seed input", "-7", "seed is a number from 0 to"),
        ("#cp-count input", "99", "count is a number from 1 to 16 here, not 99"),
    ],
)
def test_numbers_that_are_out_of_range(visit, field, number, message):
    visit.type("a cat")
    visit.page.fill(field, number)
    visit.page.keyboard.press("Tab")
    visit.page.click("#cp-draw")
    wrong = visit.page.wait_for_selector("#cp-status .cp-error")

    assert message in wrong.inner_text()
    assert visit.page.locator(".toast-wrap .toast-body").count() == 0


def test_inspect_shows_where_each_word_drew(visit):
    visit.type("a red apple")
    visit.tab("inspect")
    visit.page.click("#cp-heat-draw")
    visit.page.wait_for_selector("#cp-heat-shown img")

    width = visit.page.eval_on_selector("#cp-heat-shown img", "e => e.naturalWidth")
    assert width > 3 * SIDE  # the picture, red, apple
    assert "Saved in" in visit.page.inner_text("#cp-heat-status")
    assert not visit.complaints
