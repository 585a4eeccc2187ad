"""What may be spent and what was: funds, holds and how they end, in memory or in SQLite. Entries are only appended."""
