"""The super-resolver service: one base video in, a larger one out, with progress."""
