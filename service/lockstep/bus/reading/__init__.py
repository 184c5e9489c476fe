"""What is read of a stream without taking it: a consumer for as long as that takes, and no acks."""
