"""Speed, measured on the whole system; every figure is printed beside a baseline of the same run, as machines are noisy."""
