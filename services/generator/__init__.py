"""The generator service: one base video per call, with progress, on one device."""
