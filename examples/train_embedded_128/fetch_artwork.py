"""Fetch the artists' pictures into a folder that is never committed: npm packages, and a font.

`python -m train_embedded_128.fetch_artwork` needs `npm`, and `apt-get` and `dpkg` for the font;
both use whatever registries they are set up for. LICENSES.md says what may be done with each.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ARTWORK = Path(__file__).parent / "artwork"
FONT_PACKAGE = "fonts-noto-color-emoji"
CLIPART_PACKAGE = "openclipart-png"


@dataclass(frozen=True, slots=True)
class Source:
    """An npm package at a version, and what its licence has to say for it to be used."""

    package: str
    version: str
    licence: str

    @property
    def pinned(self) -> str:
        """What npm calls it."""
        return f"{self.package}@{self.version}"

    @property
    def folder(self) -> Path:
        """Where it is, below the artwork's folder."""
        return Path(self.package.replace("@", "").replace("/", "-"))


FLUENT_3D = Source("@lobehub/fluent-emoji-3d", "1.1.0", '"license": "MIT"')
FLUENT_FLAT = Source("@iconify-json/fluent-emoji-flat", "1.2.6", '"spdx": "MIT"')
NOTO_V1 = Source("@iconify-json/noto-v1", "1.2.5", '"spdx": "Apache-2.0"')
TWEMOJI = Source("@iconify-json/twemoji", "1.2.5", '"spdx": "CC-BY-4.0"')
NAMES = Source("emojibase-data", "17.0.0", "MIT License")
SOURCES = (FLUENT_3D, FLUENT_FLAT, NOTO_V1, TWEMOJI, NAMES)
LICENCE_FILES = ("license", "LICENSE", "LICENSE.md", "info.json", "package.json")


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program in a folder; what it prints. Its own message is shown where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def check_licence(source: Source, folder: Path) -> None:
    """Refuse a package whose own files do not say the licence that LICENSES.md counts on."""
    files = [folder / name for name in LICENCE_FILES if (folder / name).is_file()]
    if not any(source.licence in path.read_text(encoding="utf-8") for path in files):
        names = ", ".join(path.name for path in files) or "no licence file"
        raise SystemExit(
            f"{source.pinned}: {names} in {folder} do not say "
            f"{source.licence!r}. Read its licence before you train on it."
        )


def fetch_npm(source: Source, artwork: Path) -> None:
    """Unpack one npm package below `artwork`; one that is there is kept."""
    folder = artwork / source.folder
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=artwork) as place:
            name = run(["npm", "pack", "--silent", source.pinned], Path(place))
            with tarfile.open(Path(place) / name.split()[-1]) as archive:
                archive.extractall(place, filter="data")
            (Path(place) / "package").rename(folder)
    check_licence(source, folder)
    print(f"{source.pinned}: {folder}")


def fetch_debian(package: str, artwork: Path, wanted: str) -> None:
    """Unpack the files of a Debian package that match `wanted`, and its copyright file."""
    folder = artwork / package
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=artwork) as place:
            run(["apt-get", "download", "-qq", package], Path(place))
            (archive,) = Path(place).glob("*.deb")
            unpacked = Path(place) / "unpacked"
            run(["dpkg", "-x", str(archive), str(unpacked)], Path(place))
            part = Path(place) / "part"
            part.mkdir()
            found = [*unpacked.rglob(wanted), *unpacked.glob(f"usr/share/doc/{package}/copyright")]
            for path in found:
                if path.is_file():
                    shutil.copy(path, part / path.name)
            part.rename(folder)
    print(f"{package}: {folder}")


def main() -> None:
    """Fetch everything that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artwork", type=Path, default=ARTWORK)
    parser.add_argument("--clipart", action="store_true", help="openclipart too: 130 MB")
    options = parser.parse_args()
    options.artwork.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        fetch_npm(source, options.artwork)
    fetch_debian(FONT_PACKAGE, options.artwork, "NotoColorEmoji.ttf")
    if options.clipart:
        fetch_debian(CLIPART_PACKAGE, options.artwork, "*.png")


if __name__ == "__main__":
    main()
