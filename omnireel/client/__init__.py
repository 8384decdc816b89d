"""Python client of the public API, blocking and asyncio.

Results are the messages of `omnireel.api.v1`, errors those of `omnireel.errors`. Read in this
order: `request` (what a caller says -> message), `sync`, `watching`, `transfer`, `errors`,
`channel`; `aio` mirrors `sync`. `progress_bar` is for people.
"""

from omnireel.client.aio import AsyncOmnireelClient
from omnireel.client.channel import DEFAULT_ADDRESS, default_address
from omnireel.client.credentials import stack_key, tls_credentials, tls_from_environment
from omnireel.client.errors import NO_ANSWER, error_from_rpc, error_from_status, finished
from omnireel.client.progress_bar import ProgressBar
from omnireel.client.request import Draft, MediaSource, VideoOptions, draft
from omnireel.client.retrying import RetryPolicy
from omnireel.client.sync import OmnireelClient, ProgressCallback
from omnireel.client.watching import FINAL_STATES, ReconnectPolicy

__all__ = [
    "DEFAULT_ADDRESS",
    "FINAL_STATES",
    "NO_ANSWER",
    "AsyncOmnireelClient",
    "Draft",
    "MediaSource",
    "OmnireelClient",
    "ProgressBar",
    "ProgressCallback",
    "ReconnectPolicy",
    "RetryPolicy",
    "VideoOptions",
    "default_address",
    "draft",
    "error_from_rpc",
    "error_from_status",
    "finished",
    "stack_key",
    "tls_credentials",
    "tls_from_environment",
]
