"""The prompt enhancer service: what a person typed in, the precise prompt out."""
