"""The package must serve anybody's marks: it may not know ours."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ATTACKS = Path(__file__).parents[2] / "attacks"
ALLOWED = {"attacks", "torch", "numpy", "scipy", "PIL", "skimage", "pywt", "safetensors", "cv2"}
EXTRAS = {"video.py": {"av"}, "compression.py": {"pillow_jxl"}}  # imported where they are used


@pytest.mark.parametrize("path", sorted(ATTACKS.rglob("*.py")), ids=lambda path: str(path.relative_to(ATTACKS)))
def test_only_the_stated_libraries_are_imported(path):
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add(str(node.module).split(".")[0])
    assert found - ALLOWED - EXTRAS.get(path.name, set()) - sys.stdlib_module_names == set()


def test_importing_the_attacks_loads_neither_watermark_nor_opencv_nor_torchs_compiler():
    """OpenCV comes in with the first picture, so that asking for help stays quick; the compiler takes seconds."""
    unwanted = {"watermark", "hydra", "cv2", "torchvision", "torch._dynamo"}
    code = f"import sys, attacks; print({unwanted} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
