"""What stands around the services: the servers below them, the gateway in front, a stand-in for the exchange."""
