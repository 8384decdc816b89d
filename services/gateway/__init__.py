"""The public API: jobs in, progress and videos out. It runs no model and needs no broker.

1. ``video_servicer.py`` and ``operations_servicer.py``: convert, call, convert.
2. ``videos.py``: what a caller can do with videos, without gRPC.
3. ``resolve.py`` (with ``check_fields.py``, ``check_media.py``, ``output_format.py``): checks a
   request in full and fills in every default, so that a job row says exactly what to run.
4. ``upload.py``, ``download.py``, ``inspect_media.py``: bytes in, bytes out.
5. ``capabilities.py``: what the served models say they can do.
6. ``watch.py``: progress from SQL, so any replica can serve any watcher.
"""
