"""Where things are: the repository, its catalogue, and the folder that a command is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from . import catalog
from .errors import UsageError


@dataclass(frozen=True)
class Project:
    """The repository and its catalogue, and the chosen folder: '' at the root, 'all', or a layer's or sample's path."""

    root: Path
    catalogue: catalog.Catalogue
    folder: str = ""

    @property
    def dist(self) -> Path:
        """Where built zips go."""
        return self.root / "dist"

    @property
    def cache(self) -> Path:
        """Where everything goes that can be made again: tools, downloads, state, temporary files."""
        return self.root / ".cache"

    def layers(self) -> tuple[catalog.Layer, ...]:
        """The layers that the chosen folder is about: its own, or all at the root; none in a sample."""
        if self.folder in ("", "all"):
            return tuple(self.catalogue.layers.values())
        return self.catalogue.layers_in(self.folder)

    def is_sample(self) -> bool:
        """Whether the chosen folder is a sample."""
        return (self.root / self.folder / "template.yaml").is_file() and bool(self.folder)


def find_root() -> Path:
    """The repository that this package lies in."""
    return Path(__file__).resolve().parents[2]


def folders(root: Path, catalogue: catalog.Catalogue) -> tuple[str, ...]:
    """Every folder that has a run.sh: the layers' in the catalogue's order, then the samples' by name."""
    samples = sorted(str(p.parent.relative_to(root)) for p in root.glob("sample-apps/*/template.yaml"))
    return (*dict.fromkeys(layer.folder for layer in catalogue.layers.values()), *samples)


def open_project(folder: str = "", root: Path | None = None) -> Project:
    """The project with `folder` chosen; UsageError when that is no folder of it."""
    root = root or find_root()
    catalogue = catalog.load(root / "layers.toml")
    known = folders(root, catalogue)
    if folder not in ("", "all", *known):
        raise UsageError(f"unknown folder {folder!r}", remedy=f"one of {', '.join(known)}, or all")
    return Project(root, catalogue, folder)
