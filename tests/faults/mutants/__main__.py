"""python -m tests.faults.mutants <mutant> <service>: run the real service, with the flaw if it is this service's."""

import importlib
import runpy
import sys

from tests.faults.mutants import MUTANTS


def main() -> None:
    """Put the flaw in and become the service."""
    name, service = sys.argv[1:3]
    if MUTANTS[name].service == service:
        importlib.import_module(f"tests.faults.mutants.{name}").apply()
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
