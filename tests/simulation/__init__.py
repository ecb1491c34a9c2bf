"""The order path in virtual time: the real code among models of its neighbours, with every fault that a seed can think of."""
