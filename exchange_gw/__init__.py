"""The conversation with the exchange, both directions: prices and reports in, orders out. Its journal decides what is sent."""
