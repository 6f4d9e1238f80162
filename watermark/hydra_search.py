"""What Hydra is told about our search path; imported only where Hydra composes something."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import OmegaConf

from watermark.config import CONFIG_DIR, config_folders, package_folders


class Folders(SearchPathPlugin):
    """Everything behind our own folder, for whatever Hydra composes in this process."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Called by Hydra before it looks for files."""
        for folder in config_folders()[1:]:
            search_path.append("watermark", f"file://{folder}")


def register() -> None:
    """Make Hydra look where ``config_folders`` says."""
    Plugins.instance().register(Folders)


def composed(group: str, name: str, more: Sequence[Path]) -> dict[str, Any]:
    """A file with a ``defaults`` list, as Hydra puts it together.

    Raises:
        ValueError: if it does not compose; one line.
    """
    register()
    search = ",".join(f"'file://{folder}'" for folder in more)
    try:
        with _nothing_running(), initialize_config_dir(str(CONFIG_DIR), version_base="1.3"):
            found: Any = compose(f"{group}/{name}", overrides=[f"hydra.searchpath=[{search}]"])
    except HydraException as error:
        raise ValueError(f"{group}/{name}: {str(error).splitlines()[0]}") from None
    for part in f"{group}/{name}".split("/")[:-1]:
        found = found[part]
    return OmegaConf.to_container(found, resolve=True)  # type: ignore[return-value]


def running_folders() -> list[Path]:
    """The folders that the words of a running Hydra command added: ``hydra.searchpath=[...]``."""
    sources = [one for one in HydraConfig.get().runtime.config_sources if one.provider != "hydra"]
    files = [Path(one.path) for one in sources if one.schema == "file"]
    return files + [folder for one in sources if one.schema == "pkg" for folder in package_folders(one.path)]


@contextmanager
def _nothing_running() -> Iterator[None]:
    """Hydra knows one running application per process; it is set aside meanwhile."""
    state = GlobalHydra.instance()
    running = state.hydra
    state.clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = running
