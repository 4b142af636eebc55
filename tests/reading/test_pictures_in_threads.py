"""Files that are read in threads leave the process as it was."""

import warnings

from clipcond.reading import load_encoder
from tests.reading.made import pictures_at


def test_the_filters_of_warnings_stay(tmp_path):
    encoder, files = load_encoder("embedded"), pictures_at(tmp_path)
    before = list(warnings.filters)

    encoder.encode_image(files * 20)

    assert warnings.filters == before
