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


@dataclass(frozen=True, slots=True)
class DebianSource:
    """A Debian package, which of its files are wanted, and what its copyright file has to say.

    Args:
        root: the folder in the package below which files are looked for and keep their paths.
        wanted: the pattern of their names.
    """

    package: str
    root: str
    wanted: str
    licence: str


FLUENT_3D = Source("@lobehub/fluent-emoji-3d", "1.1.0", '"license": "MIT"')
FLUENT_FLAT = Source("@iconify-json/fluent-emoji-flat", "1.2.6", '"spdx": "MIT"')
NOTO_V1 = Source("@iconify-json/noto-v1", "1.2.5", '"spdx": "Apache-2.0"')
TWEMOJI = Source("@iconify-json/twemoji", "1.2.5", '"spdx": "CC-BY-4.0"')
NAMES = Source("emojibase-data", "17.0.0", "MIT License")
SOURCES = (FLUENT_3D, FLUENT_FLAT, NOTO_V1, TWEMOJI, NAMES)
LICENCE_FILES = ("license", "LICENSE", "LICENSE.md", "info.json", "package.json", "copyright")
NOTO = DebianSource(
    "fonts-noto-color-emoji",
    "usr/share/fonts/truetype/noto",
    "NotoColorEmoji.ttf",
    "SIL Open Font License",
)
OPENCLIPART = DebianSource(
    "openclipart-png",
    "usr/share/openclipart/png",
    "*.png",
    "creative commons Public Domain Dedication",
)


def run(command: Sequence[str], folder: Path) -> str:
    """Run a program in a folder; what it prints. Its own message is shown where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.strip()}")
    return done.stdout


def check_licence(package: str, licence: str, folder: Path) -> None:
    """Refuse a package whose own files do not say the licence that LICENSES.md counts on."""
    files = [folder / name for name in LICENCE_FILES if (folder / name).is_file()]
    if not any(licence in path.read_text(encoding="utf-8") for path in files):
        names = ", ".join(path.name for path in files) or "no licence file"
        raise SystemExit(
            f"{package}: {names} in {folder} do not say "
            f"{licence!r}. Read its licence before you train on it."
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
    check_licence(source.pinned, source.licence, folder)
    print(f"{source.pinned}: {folder}")


def fetch_debian(source: DebianSource, artwork: Path) -> None:
    """Unpack the wanted files of a Debian package with their paths, and its copyright file.

    Links are left out: each is another name of a file that is there. A folder that is there is
    kept.
    """
    folder = artwork / source.package
    if not folder.is_dir():
        with tempfile.TemporaryDirectory(dir=artwork) as place:
            run(["apt-get", "download", "-qq", source.package], Path(place))
            (archive,) = Path(place).glob("*.deb")
            unpacked, part = Path(place) / "unpacked", Path(place) / "part"
            run(["dpkg", "-x", str(archive), str(unpacked)], Path(place))
            root = unpacked / source.root
            found = [path for path in root.rglob(source.wanted) if not path.is_symlink()]
            if not found:
                raise SystemExit(f"{archive.name} has no {source.wanted} below {source.root}")
            for path in found:
                copy = part / path.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
            shutil.copy(unpacked / "usr/share/doc" / source.package / "copyright", part)
            part.rename(folder)
    check_licence(source.package, source.licence, folder)
    print(f"{source.package}: {folder}")


def main() -> None:
    """Fetch everything that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artwork", type=Path, default=ARTWORK)
    parser.add_argument("--clipart", action="store_true", help="openclipart too: 130 MB")
    options = parser.parse_args()
    options.artwork.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        fetch_npm(source, options.artwork)
    fetch_debian(NOTO, options.artwork)
    if options.clipart:
        fetch_debian(OPENCLIPART, options.artwork)


if __name__ == "__main__":
    main()
