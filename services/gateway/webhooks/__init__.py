"""Tells people's servers that their video is done, without being used against anybody.

``settings.py``: what is allowed. ``message.py``: what is sent, signed as Standard Webhooks
(https://www.standardwebhooks.com) and OpenAI's clients know it. ``sender.py``: delivers what the
outbox (:mod:`services.common.jobs.webhooks`) holds.
"""
