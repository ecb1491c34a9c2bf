"""Real processes are killed, frozen, cut off and lied to; an offline checker compares what everybody tells of it."""
