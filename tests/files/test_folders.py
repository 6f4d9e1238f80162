import os

import pytest

from watermark.errors import UserError
from watermark.files import find_pictures, passed_over_line, targets


def pairs(folder, names, target):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return targets(list(find_pictures(folder)), folder, target)


@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("names", [("a.gif", "a.png"), ("sub/a.GIF", "sub/A.png"), ("a.png", "a.gif", "b.png")])
def test_two_pictures_that_would_become_one_are_refused(tmp_path, names, in_place):
    source = tmp_path / "in"
    with pytest.raises(UserError, match=r"would (both )?be written"):
        pairs(source, names, source if in_place else tmp_path / "out")


def test_the_same_stem_with_two_writable_suffixes_is_two_pictures(tmp_path):
    made = pairs(tmp_path / "in", ("a.jpg", "a.png", "b.gif", "c.mpo", "d.jpe"), tmp_path / "out")
    assert sorted(path.name for path in made.values()) == ["a.jpg", "a.png", "b.png", "c.jpg", "d.jpe"]


def test_what_is_not_looked_at_is_counted(tmp_path):
    for name in ("a.png", "b.nef", "c.nef", "notes.txt", "README", ".hidden", "x.cr2"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "elsewhere").symlink_to(tmp_path.parent)
    (tmp_path / "broken.png").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.png")
    line = passed_over_line(tmp_path)
    for part in (
        "8 files not looked at",
        "1 no regular file",
        "1 .cr2",
        "2 .nef",
        "1 .txt",
        "1 no suffix",
        "1 linked folder",
        "1 broken",
    ):
        assert part in line
    assert passed_over_line(tmp_path / "a.png") is None
