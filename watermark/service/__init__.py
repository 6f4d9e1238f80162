"""Detection over HTTP: a page, an API and C2PA's look-up in front of worker processes that hold the keys."""
