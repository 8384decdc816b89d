"""``/v1/videos`` as OpenAI's clients, and the video servers that follow them, speak it.

``requests.py``: their request -> ours. ``objects.py``: our video -> theirs. ``routes.py`` joins
the two over the same application as every other door.
"""
