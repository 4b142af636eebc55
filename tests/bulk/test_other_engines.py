"""CaptionEncoder in Daft's and webdataset's own pipelines gives what it gives alone."""

import io
import tarfile

import numpy as np
import pytest

from clipcond.bulk import CaptionEncoder

CAPTIONS = ["a cat", "a (red:1.3) dog", "x " * 90, "a cat", "a dog"]


@pytest.fixture(scope="module")
def alone():
    return CaptionEncoder(pooled=True)({"caption": np.array(CAPTIONS, object)})


def close(made, expected):
    np.testing.assert_allclose(np.asarray(made, np.float32), expected.astype(np.float32), atol=2e-3)


def test_columns_of_other_kinds_are_read(alone):
    made = CaptionEncoder(pooled=True)({"caption": CAPTIONS, "key": [*"abcde"]})
    assert made["key"] == [*"abcde"]
    for name in ("embeds", "rows", "pooled"):
        assert all(map(np.array_equal, made[name], alone[name]))


@pytest.mark.slow
def test_daft(alone):
    daft = pytest.importorskip("daft", reason="Daft is not installed")
    rows = {
        "embeds": daft.DataType.tensor(daft.DataType.float16()),
        "rows": daft.DataType.list(daft.DataType.int32()),
        "pooled": daft.DataType.list(daft.DataType.float16()),
        "error": daft.DataType.string(),
    }

    @daft.cls
    class Encode:
        def __init__(self, **choices):
            self.encoder = CaptionEncoder(**choices)

        @daft.method.batch(return_dtype=daft.DataType.struct(rows), batch_size=2)
        def __call__(self, captions):
            made = self.encoder({"caption": captions})
            return [
                dict(zip(rows, row, strict=True))
                for row in zip(*(made[name] for name in rows), strict=True)
            ]

    table = daft.from_pydict({"caption": CAPTIONS})
    found = table.with_column("made", Encode(pooled=True)(table["caption"])).to_pydict()
    assert found["caption"] == CAPTIONS
    for i, row in enumerate(found["made"]):
        close(row["embeds"], alone["embeds"][i])
        close(row["pooled"], alone["pooled"][i])
        assert row["rows"] == alone["rows"][i].tolist()
        assert row["error"] == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of webdataset's own files
def test_webdataset(alone, tmp_path):
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed")
    with tarfile.open(tmp_path / "captions.tar", "w") as tar:
        for i, caption in enumerate(CAPTIONS):
            member = tarfile.TarInfo(f"{i:04d}.txt")
            member.size = len(caption)
            tar.addfile(member, io.BytesIO(caption.encode()))
    encoder = CaptionEncoder(pooled=True, column="txt")
    data = wds.WebDataset(str(tmp_path / "captions.tar"), shardshuffle=False).decode()
    batches = [*data.batched(2).map(encoder)]
    assert [len(batch["txt"]) for batch in batches] == [2, 2, 1]
    for name in ("embeds", "pooled"):
        for made, expected in zip(
            (each for batch in batches for each in batch[name]), alone[name], strict=True
        ):
            close(made, expected)
    assert [key for batch in batches for key in batch["__key__"]] == [f"{i:04d}" for i in range(5)]
