"""The nodes, called as ComfyUI calls them: by the names in their mappings, with what INPUT_TYPES says."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from watermark.cli import main
from watermark.keystore import KeyFile

FOLDER = Path(__file__).parents[2] / "integrations" / "comfyui"


@pytest.fixture(scope="module")
def nodes():
    """ComfyUI loads a folder of custom_nodes as a package of any name."""
    spec = importlib.util.spec_from_file_location(
        "some_node_pack", FOLDER / "__init__.py", submodule_search_locations=[str(FOLDER)]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["some_node_pack"] = module
    spec.loader.exec_module(module)
    assert set(module.NODE_CLASS_MAPPINGS) == set(module.NODE_DISPLAY_NAME_MAPPINGS)
    return module.NODE_CLASS_MAPPINGS


@pytest.fixture(scope="module")
def image():
    """``(N, H, W, 3)`` float in [0, 1]."""
    crops = [data.coffee()[:192, x : x + 256] for x in (0, 256)]
    return torch.stack([torch.from_numpy(crop.copy()).float() / 255 for crop in crops])


def call(kind, **inputs):
    """With every required input, defaults where none is given; as the executor does."""
    required = kind.INPUT_TYPES()["required"]
    values = {name: inputs.get(name, _default(spec)) for name, spec in required.items()}
    found = getattr(kind(), kind.FUNCTION)(**values)
    found = found["result"] if isinstance(found, dict) else found
    assert len(found) == len(kind.RETURN_TYPES)
    return found


def _default(spec):
    return spec[1]["default"] if len(spec) > 1 else spec[0][0]


def test_what_embed_marks_detect_finds(nodes, image):
    marked, ids = call(nodes["RobustWatermarkEmbed"], image=image, provider_id=9, content_id=40)
    assert marked.shape == image.shape
    assert ids == "40\n41"
    saved = (marked * 255).round() / 255
    answer, every = call(nodes["RobustWatermarkDetect"], image=saved)
    assert every
    assert [line.split(" (")[0] for line in answer.splitlines()] == [
        f"marked, provider 9, content {i}" for i in (40, 41)
    ]
    answer, every = call(nodes["RobustWatermarkDetect"], image=image[:1])
    assert (answer, every) == ("not marked", False)


def test_a_random_id_is_another_one_each_time(nodes, image):
    kind = nodes["RobustWatermarkEmbed"]
    first, second = (call(kind, image=image[:1], scheme="dwt_dct")[1] for _ in range(2))
    assert first != second
    assert kind.IS_CHANGED(content_id=-1) != kind.IS_CHANGED(content_id=-1)  # NaN: runs again
    assert kind.IS_CHANGED(content_id=3) == kind.IS_CHANGED(content_id=3)


def test_trace_asks_the_registry(nodes, image, tmp_path):
    key, registry = str(tmp_path / "key.json"), str(tmp_path / "registry.db")
    KeyFile.new().save(Path(key))
    shared = ["--key-file", key, "--registry", registry]
    assert main(["registry", "add-slot", "9", "--code", "001100000000000000000010001", *shared]) == 0
    Image.fromarray((image[0].numpy() * 255).round().astype("uint8")).save(tmp_path / "in.png")
    assert main(["issue", str(tmp_path / "in.png"), str(tmp_path / "out.png"), "--provider", "9", *shared]) == 0
    issued = torch.from_numpy(np.asarray(Image.open(tmp_path / "out.png").convert("RGB")).copy()).float() / 255
    (answer,) = call(nodes["RobustWatermarkTrace"], image=issued[None], key_file=key, registry=registry)
    assert "match" in answer
    assert "provider 9" in answer
    with pytest.raises(RuntimeError, match=r"missing\.json"):
        call(nodes["RobustWatermarkTrace"], image=image[:1], key_file=str(tmp_path / "missing.json"), registry=registry)
    with pytest.raises(ValueError, match="key_file: expected the file of the key"):
        call(nodes["RobustWatermarkTrace"], image=image[:1], registry=registry)
