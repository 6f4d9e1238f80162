"""``python -m watermark``: the command, also where its folder is not on the path."""

import sys

from watermark.cli import main

sys.exit(main())
