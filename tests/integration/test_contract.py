"""The contract is compared with the last release's, and what would break its readers is found."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from grpc_tools import protoc  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).parent / "buf"
ORDER = "trading/v1/order.proto"


def image(protos: Path, target: Path) -> Path:
    """Compile a folder of protos into an image."""
    files = [str(path) for path in sorted(protos.glob("trading/v1/*.proto"))]
    libraries = Path(sysconfig.get_path("purelib"))
    folders = [f"-I{folder}" for folder in (protos, libraries, libraries / "grpc_tools" / "_proto")]
    assert protoc.main(["protoc", *folders, "--include_imports", f"--descriptor_set_out={target}", *files]) == 0
    return target


def complaints(new: Path) -> str:
    """Return what `buf breaking` finds in an image, in the words that `make lint` calls it with."""
    against = ROOT / "protos" / "released.binpb"
    command = [str(BUF), "breaking", str(new), "--against", str(against), "--path", "trading/v1"]
    found = subprocess.run(  # noqa: S603 - our own words
        command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert found.returncode in {0, 100}, found.stderr
    return found.stdout


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the protos that a test may change."""
    for path in (ROOT / "protos").glob("trading/v1/*.proto"):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path / "protos"


def test_todays_contract_can_be_read_by_who_knows_the_last_release(tmp_path: Path) -> None:
    assert complaints(image(ROOT / "protos", tmp_path / "new.binpb")) == ""


def test_a_field_that_changes_its_number_is_found(changed: Path, tmp_path: Path) -> None:
    path = changed / ORDER
    text = path.read_text(encoding="utf-8")
    assert text.count("string client_order_id = 2;") >= 1
    path.write_text(text.replace("string client_order_id = 2;", "string client_order_id = 999;", 1), encoding="utf-8")

    assert "client_order_id" in complaints(image(changed, tmp_path / "new.binpb"))
