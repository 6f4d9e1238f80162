"""One file per part of the report: each turns a ``Run`` into plain JSON values, and knows nothing of HTML."""
