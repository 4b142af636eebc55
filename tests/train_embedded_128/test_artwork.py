"""Fetched files keep their paths, and a package its licence."""

from pathlib import Path

import pytest
from train_embedded_128 import fetch_artwork, pack
from train_embedded_128.fetch_artwork import OPENCLIPART, fetch_debian

README = Path(pack.__file__).with_name("README.md")
LICENCE = f"This is under the {OPENCLIPART.licence}.\n"


@pytest.fixture
def debian(monkeypatch):
    """Answer for apt-get and dpkg: a package whose files are `contents`, by path."""
    contents = {f"usr/share/doc/{OPENCLIPART.package}/copyright": LICENCE.encode()}

    def run(command, folder):
        if command[0] == "apt-get":
            (folder / f"{command[-1]}_1_all.deb").touch()
        else:
            for path, each in contents.items():
                (Path(command[-1]) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(command[-1]) / path).write_bytes(each)
            unpacked = Path(command[-1]) / OPENCLIPART.root
            if unpacked.is_dir():
                (unpacked / "link.png").symlink_to("icons/key.png")
        return ""

    monkeypatch.setattr(fetch_artwork, "run", run)
    return contents


def below(path):
    return f"{OPENCLIPART.root}/{path}"


def test_files_of_one_name_in_two_folders_stay_apart(debian, tmp_path):
    debian[below("tools/key.png")] = b"a tool"
    debian[below("icons/key.png")] = b"an icon"
    debian[below("icons/key.txt")] = b"not a picture"
    debian["usr/share/other/key.png"] = b"somewhere else"
    fetch_debian(OPENCLIPART, tmp_path)

    folder = tmp_path / OPENCLIPART.package
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    copyright = LICENCE.encode()
    assert found == {
        "tools/key.png": b"a tool",
        "icons/key.png": b"an icon",
        "copyright": copyright,
    }
    assert list(tmp_path.iterdir()) == [folder]


def test_a_debian_package_without_its_licence_or_files_is_refused(debian, tmp_path):
    with pytest.raises(SystemExit, match=r"has no \*.png below usr/share/openclipart/png"):
        fetch_debian(OPENCLIPART, tmp_path)
    assert list(tmp_path.iterdir()) == []

    debian[below("icons/key.png")] = b"an icon"
    debian[f"usr/share/doc/{OPENCLIPART.package}/copyright"] = b"All rights reserved."
    with pytest.raises(SystemExit, match=r"openclipart-png: copyright in .* do not say 'creative"):
        fetch_debian(OPENCLIPART, tmp_path)
