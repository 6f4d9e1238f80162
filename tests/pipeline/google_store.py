"""A server that speaks Google's storage protocol: it prints its port and runs until it is killed.

A process of its own, for pyarrow holds the interpreter's lock while it asks how large a file is.
"""

import threading
from http import server

server.HTTPServer = server.ThreadingHTTPServer  # a download that is not read to its end would block the next question
from gcp_storage_emulator.server import create_server  # noqa: E402

from watermark.lifeline import end_with_parent  # noqa: E402

if __name__ == "__main__":
    end_with_parent()
    running = create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket")
    running.start()
    print(running._api._httpd.server_port, flush=True)  # noqa: T201
    threading.Event().wait()
