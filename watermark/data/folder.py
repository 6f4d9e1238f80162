"""Your own pictures: every readable file below a folder."""

import hashlib
from pathlib import Path

from PIL import Image

from watermark.data.images import ImageInfo, ImageSet
from watermark.data.spread import spread
from watermark.errors import UserError
from watermark.files import find_pictures, header_of, load_8bit, read_bytes
from watermark.files.folders import passed_over_line


class FolderImages(ImageSet):
    """A folder, searched with its sub-folders; the name of a direct sub-folder is the class of the pictures in it.

    Args:
        path: the folder.
        max_side: px; larger pictures are reduced to it. None: native size.
        limit: use only so many, spread evenly over the sorted names.

    Raises:
        UserError: if the folder is missing or holds no picture.
    """

    def __init__(self, path: str, max_side: int | None = None, limit: int | None = None) -> None:
        self.path = Path(path).expanduser()
        super().__init__(self.path.resolve().name, max_side, limit)
        if not self.path.is_dir():
            kind = "a file" if self.path.exists() else "nothing there"
            raise UserError(f"expected a folder of pictures, got {path} ({kind})")
        found = list(find_pictures(self.path))
        if not found:
            raise UserError(f"expected a folder of pictures, found none below {path}")
        self.paths = [found[i] for i in spread(limit, len(found))]

    @property
    def notes(self) -> list[str]:
        """Files in which no picture was looked for, and what every set says."""
        passed_over = passed_over_line(self.path)
        return [*([passed_over] if passed_over else []), *super().notes]

    def describe(self) -> list[ImageInfo]:
        """Sizes from the headers, hashes of the files; what cannot be marked has size 0 and fails when it is loaded."""
        return [self._info(path) for path in self.paths]

    def open(self, index: int) -> Image.Image:
        """The picture, upright, in 8 bits a channel."""
        return load_8bit(self.paths[index])

    def _info(self, path: Path) -> ImageInfo:
        inside = path.relative_to(self.path)
        content, width, height, bits = b"", 0, 0, 8
        try:
            content = read_bytes(path)
            header = header_of(content, path)
            height, width = self.fitted(header.size[1], header.size[0])
            bits = header.bits
        except (UserError, ValueError):
            width = height = 0
        image_class = inside.parts[0] if len(inside.parts) > 1 else "photo"
        digest = hashlib.sha256(content).hexdigest()
        return ImageInfo(inside.as_posix(), image_class, width, height, digest, bits)
