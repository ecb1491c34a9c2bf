"""Owns the client's socket: frames, sessions, subscriptions, fan-out. Decides nothing about orders or prices and stores nothing."""
