"""Examiners that stand in for the real one in worker processes, and a pool without processes."""

import os
import time

from watermark.service.process import Finding, answer


class Slow:
    """Sleeps as many seconds as the content says, or dies, or errs; answers with its process."""

    def __init__(self, *_arguments):
        self.seen = 0

    def examine(self, kind, content):
        self.seen += 1
        if content == b"die":
            os.kill(os.getpid(), 9)
        if content == b"err":
            raise RuntimeError("a secret")
        time.sleep(float(content))
        return Finding({"pid": os.getpid(), "seen": self.seen}, "no mark", "phash64:" + "0" * 16)


class Unbuildable:
    def __init__(self):
        from watermark.errors import UserError

        raise UserError("no registry at nowhere")


class InlinePool:
    """Answers in this process, one after the other."""

    def __init__(self, examiner):
        self.examiner, self.ready, self.waiting, self.working, self.retry_after = examiner, 1, 0, 0, 1
        self.counts = type("Counts", (), {"started": 1, "timed_out": 0, "lost": 0})()

    async def run(self, kind, content):
        return answer(self.examiner, kind, content), 0.1

    def close(self):
        pass
