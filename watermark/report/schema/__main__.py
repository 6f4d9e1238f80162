"""``python -m watermark.report.schema`` writes the schema from the report's dataclasses to the file beside this one."""

import json
from pathlib import Path

from watermark.report.data import schema

FILE = Path(__file__).with_name("report.schema.json")

if __name__ == "__main__":
    FILE.write_text(json.dumps(schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
