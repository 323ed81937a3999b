"""The same work on task libraries; the programs here run in an environment of their own, .cache/peers."""
