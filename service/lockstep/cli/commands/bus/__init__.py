"""Streams, consumer groups and buckets on the bus."""
