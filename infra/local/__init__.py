"""The whole system as processes of one machine: a table of parts, started by their needs, watched, stopped in reverse."""
