"""Whatever bytes come in through a door: they mean something, or are refused by the refusal that is meant for them."""
