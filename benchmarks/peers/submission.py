"""What a peer's submitter says of itself on standard output."""

import msgspec


class Submitted(msgspec.Struct, frozen=True):
    """Tasks accepted, when the first was sent and when the last was accepted (seconds since 1970)."""

    tasks: int
    began_at: float
    accepted_at: float
