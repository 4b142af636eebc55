"""Pictures with captions in plain English, as the image adapter is trained from."""

import numpy as np
from PIL import Image

from clipcond.training import read_captions


def test_each_picture_is_of_the_scene_that_its_caption_says(scripts, tmp_path, monkeypatch):
    import captioned
    from world import COLOURS, NOUNS

    drawn = []

    def render(scene, rng):  # the font may not be here
        drawn.append(scene)
        return np.full((64, 64, 3), COLOURS[scene.background], dtype=np.uint8)

    monkeypatch.setattr(captioned, "render", render)
    monkeypatch.setattr("sys.argv", ["captioned.py", "--n", "40", "-o", str(tmp_path)])
    captioned.main()

    pairs = read_captions(tmp_path / "captions.tsv").pairs
    assert len(pairs) == len(drawn) == 40
    for pair, scene in zip(pairs, drawn, strict=True):
        assert pair.tower.endswith(f"{scene.background} background")
        names = [NOUNS[thing.noun].names[0] for thing in scene.things]
        places = [pair.tower.index(name) for name in names]
        assert places == sorted(places)
        with Image.open(pair.image) as image:
            assert image.getpixel((0, 0)) == COLOURS[scene.background]
    assert {len(scene.things) for scene in drawn} >= {1, 2}
