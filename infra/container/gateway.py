"""Writes what the gateway's own container needs into a folder that both share: `python -m infra.container.gateway <folder>`.

Addresses come from the same variables as on one machine: ENVOY_HOST, ENVOY_PORT, EDGE_HOST, PRICE_SVC_HOST and so on. The
container starts Envoy with `--config-path <folder>/envoy.yaml --config-yaml "$(cat <folder>/figures.yaml)"`, which adds the second
to the first.
"""

import shutil
import sys
from pathlib import Path
from string import Template

from infra.local import gateway
from infra.local.settings import LocalSettings

FIGURES = Path(__file__).with_name("envoy-figures.yaml")


def write(settings: LocalSettings, folder: Path) -> tuple[Path, Path]:
    """Write configuration, script and descriptors, which name one another by their paths in this folder.

    Returns the configuration and what is to be added to it.
    """
    configuration = gateway.render(settings, folder)
    descriptors = folder / gateway.DESCRIPTORS.name
    shutil.copyfile(gateway.DESCRIPTORS, descriptors)
    text = configuration.read_text(encoding="utf-8").replace(str(gateway.DESCRIPTORS), str(descriptors))
    configuration.write_text(text, encoding="utf-8")
    figures = folder / "figures.yaml"
    words = {"ADMIN_PORT": settings.envoy_admin_port}
    figures.write_text(Template(FIGURES.read_text(encoding="utf-8")).substitute(words), encoding="utf-8")
    return configuration, figures


def main() -> int:
    """Write, and say where."""
    sys.stdout.write(f"{write(LocalSettings(), Path(sys.argv[1]))[0].parent}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
