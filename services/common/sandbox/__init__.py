"""Files of strangers are decoded in processes of their own, which may crash.

1. ``pool.py``: :class:`MediaSandbox`, what services use. ``process.py`` starts a process, waits for
   it within a time limit, and turns a crash, a hang or a lack of memory into one InvalidInput;
   ``answers.py`` reads what it says.
2. ``child.py``: the process: takes a file descriptor, decodes, answers. ``tasks.py`` is the work,
   ``limits.py`` what the process may use.
3. ``wire.py``: messages with file descriptors over a socket. They are JSON, so that a process
   which was taken over by its input cannot make its parent run anything.
"""

from services.common.sandbox.answers import MediaFacts
from services.common.sandbox.pool import MediaSandbox
from services.common.sandbox.process import SandboxConfig

__all__ = ["MediaFacts", "MediaSandbox", "SandboxConfig"]
