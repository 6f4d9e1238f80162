"""Mark or read pictures by the million: a plan is written first, and every shard is a pure function of it.

Whoever executes the shards (processes of this machine, Ray) may die at any moment: what is there is whole, and the same
command goes on.
"""

from watermark.pipeline.plan import Plan
from watermark.pipeline.run import Job, Outcome, run
from watermark.pipeline.shards import Done

__all__ = ["Done", "Job", "Outcome", "Plan", "run"]
