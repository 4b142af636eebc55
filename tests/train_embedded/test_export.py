"""What the export writes next to weights, and what it keeps of an earlier one."""

import json
import math
from types import SimpleNamespace

import torch


def test_the_scale_of_cosines_is_written_and_the_other_towers_kept(scripts, tmp_path):
    import export

    path, config = tmp_path / "config.json", SimpleNamespace(width=7)
    path.write_text(
        json.dumps({"clipcond": {"logit_scale": {"embedded": 3.0, "embedded-zh": 34.0}}})
    )

    export.write_config(tmp_path, config, ["width"], "Model", "model")
    export.write_scale(path, "embedded", torch.tensor(math.log(81.96)))

    written = json.loads(path.read_text())
    assert written["width"] == 7
    assert written["clipcond"]["logit_scale"] == {"embedded": 82.0, "embedded-zh": 34.0}
    export.write_scale(path, "embedded", torch.tensor(9.0))  # held below 100, as in training
    assert json.loads(path.read_text())["clipcond"]["logit_scale"]["embedded"] == 100
