"""Runs one job at a time per slot through the three model services.

1. ``dispatcher.py`` rings the doorbell (Celery) for waiting jobs, as many as there are free slots.
2. ``runner.py`` answers: claims the job in SQL, which makes this worker its only writer.
3. ``plan.py`` says which stages the job has; ``stage.py`` runs one as a streaming gRPC call.
4. ``lease_keeper.py`` renews the lease beside it and stops the call when the caller cancels, the
   deadline passes, the worker drains or somebody else holds the job.
5. ``progress.py`` writes every step to SQL, where any gateway replica reads it.
"""
