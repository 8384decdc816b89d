"""The wire contract: generated protocol buffer messages and gRPC stubs."""
