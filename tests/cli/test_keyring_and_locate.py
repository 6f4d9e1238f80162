import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from watermark.cli import main

PICTURE = Image.fromarray(data.coffee()).resize((320, 256), Image.Resampling.LANCZOS)


@pytest.fixture
def keys(tmp_path):
    """A folder with the keys of two providers, and a key that they share."""
    (tmp_path / "keys").mkdir()
    for name in ("keys/7.key", "keys/provider-9.json", "shared.key"):
        assert main(["key", "new", str(tmp_path / name)]) == 0
    PICTURE.save(tmp_path / "in.png")
    return tmp_path


def words(*said):
    return [str(word) for word in said]


@pytest.mark.parametrize("shared", [True, False])
def test_a_folder_of_keys_says_whose_proved_the_mark(keys, capsys, shared):
    common = ["--scheme", "dwt_dct", *(["--sync-key-file", keys / "shared.key"] if shared else [])]
    made = words("embed", keys / "in.png", keys / "out.png", "--provider", 9, "--content", 5, *common)
    assert main([*made, "--key-file", str(keys / "keys" / "provider-9.json")]) == 0
    capsys.readouterr()
    asked = words("detect", keys / "out.png", "--keyring", keys / "keys", *common)
    assert main(asked) == 0
    assert "marked, provider 9, content 5" in capsys.readouterr().out
    assert main(words("detect", keys / "in.png", "--keyring", keys / "keys", *common)) == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("nobody.key", "expected a key file named after its one provider, such as 7.key; nothing else may lie in a"),
        ("007.key", "7.key: expected one key for each provider, got 007.key too"),
        ("99999.key", "a provider must be an integer from 0 to 4095, got 99999"),
    ],
)
def test_a_folder_that_is_no_keyring_is_one_line(keys, capsys, wrong, said):
    main(["key", "new", str(keys / "keys" / wrong)])
    capsys.readouterr()
    assert main(words("detect", keys / "in.png", "--scheme", "dwt_dct", "--keyring", keys / "keys")) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert said in told.replace(f"{keys / 'keys'}/", "")


def test_no_folder_an_empty_one_and_two_ways_to_say_it_are_one_line(keys, capsys):
    (keys / "empty").mkdir()
    for folder, said in (
        (keys / "gone", "expected a folder of key files, got nothing"),
        (keys / "in.png", "expected a folder of key files, got a file"),
        (keys / "empty", "expected key files in this folder, such as 7.key, got none"),
    ):
        assert main(words("detect", keys / "in.png", "--keyring", folder)) == 2
        assert said in capsys.readouterr().err
    both = words("detect", keys / "in.png", "--keyring", keys / "keys", "--key-file", keys / "shared.key")
    assert main(both) == 2
    assert "expected --keyring or --key-file, got both" in capsys.readouterr().err


def test_the_map_is_drawn_over_the_picture(keys, capsys):
    key = str(keys / "keys" / "7.key")
    main(words("embed", keys / "in.png", keys / "out.png", "--provider", 7, "--content", 5, "--key-file", key))
    edited = np.array(Image.open(keys / "out.png"))
    edited[80:200, 150:290] = np.asarray(Image.fromarray(data.astronaut()).resize((140, 120)))
    Image.fromarray(edited).save(keys / "edited.png")
    capsys.readouterr()
    asked = words("locate", keys / "edited.png", "--out", keys / "map.png", "--key-file", key)
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provider_id"] == 7
    assert told["marked"] + told["edited"] + told["unknown"] == pytest.approx(1, abs=1e-3)
    assert 0.1 < told["edited"] < 0.25  # 20.5 % of the picture; the key, and with it the map, is another each time
    with Image.open(keys / "map.png") as shown:
        assert shown.size == PICTURE.size
        red, green, _ = np.asarray(shown, dtype=int)[140, 220]
    assert red > green  # orange over the edit
    assert main(asked) == 2
    assert "exists already" in capsys.readouterr().err
    assert main([*asked, "--overwrite"]) == 0
    assert "provider 7, content 5, marked " in capsys.readouterr().out
    assert main(words("locate", keys / "in.png", "--key-file", key)) == 1
    assert "not marked" in capsys.readouterr().out
