"""Generated from protos/ by `make proto`, committed, never edited by hand."""
