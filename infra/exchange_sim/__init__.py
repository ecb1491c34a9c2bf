"""The stand-in for the exchange: a FIX 4.4 acceptor in its own process, with seeded prices and a ledger that is the truth."""
