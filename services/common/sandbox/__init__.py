"""Files of strangers are decoded in processes of their own, which may crash.

1. ``pool.py``: :class:`MediaSandbox`, what services use; it starts the processes, waits for them
   within a time limit, and turns a crash, a hang or a lack of memory into one InvalidInput.
2. ``child.py``: the process: takes a file descriptor, decodes, answers. ``tasks.py`` is the work,
   ``limits.py`` what the process may use.
3. ``wire.py``: messages with file descriptors over a socket. They are JSON, so that a process
   which was taken over by its input cannot make its parent run anything.
"""

from services.common.sandbox.pool import MediaFacts, MediaSandbox, SandboxConfig

__all__ = ["MediaFacts", "MediaSandbox", "SandboxConfig"]
