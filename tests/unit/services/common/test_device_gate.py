from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest

from omnireel.errors import Cancelled, ResourceExhausted, Unavailable
from services.common.device_errors import memory_errors_fail_one_job
from services.common.device_gate import DeviceGate
from services.common.pulse import Patience


def never() -> bool:
    return False


def wait_until(condition) -> None:
    tick = threading.Event()
    for _ in range(2000):
        if condition():
            return
        tick.wait(0.005)
    raise AssertionError("it did not happen")


def test_one_at_a_time_in_the_order_of_arrival():
    gate = DeviceGate(max_waiting=3, max_wait_s=60)
    order: list[int] = []
    inside = []

    def job(number: int) -> None:
        with gate.hold(never):
            inside.append(number)
            assert len(inside) == 1
            order.append(number)
            inside.remove(number)

    threads = []
    with gate.hold(never):
        for number in range(3):
            threads.append(threading.Thread(target=job, args=(number,)))
            threads[-1].start()
            wait_until(lambda expected=number + 2: gate.occupied == expected)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert gate.occupied == 0


def test_a_full_line_refuses_at_once_and_says_when_to_retry():
    gate = DeviceGate(max_waiting=0, max_wait_s=60)
    with gate.hold(never):
        with pytest.raises(ResourceExhausted) as caught, gate.hold(never):
            pass
        assert caught.value.retry_after_s == pytest.approx(1.0)
    with gate.hold(never):
        pass


def test_a_line_that_does_not_move_refuses():
    gate = DeviceGate(max_waiting=1, max_wait_s=0.0)
    with gate.hold(never), pytest.raises(ResourceExhausted), gate.hold(never):
        pass
    assert gate.occupied == 0


def test_cancel_leaves_the_line():
    gate = DeviceGate(max_waiting=1, max_wait_s=60)
    with gate.hold(never), pytest.raises(Cancelled), gate.hold(lambda: True):
        pass
    assert gate.occupied == 0


def test_an_error_frees_the_device():
    gate = DeviceGate(max_waiting=0, max_wait_s=60)
    with pytest.raises(ZeroDivisionError), gate.hold(never):
        _ = 1 / 0
    with gate.hold(never):
        pass


def test_jobs_of_one_kind_have_the_device_together():
    gate = DeviceGate(max_waiting=1, max_wait_s=0.0)
    with gate.hold(never, kind="small", places=2), gate.hold(never, kind="small", places=2):
        assert gate.occupied == 2
        for kind, places in (("small", 2), ("large", 2), ("small", 1)):
            with pytest.raises(ResourceExhausted), gate.hold(never, kind=kind, places=places):
                pass
    assert gate.occupied == 0


def test_nobody_overtakes_one_of_another_kind():
    gate = DeviceGate(max_waiting=2, max_wait_s=60)
    order = []

    def job(kind: str) -> None:
        with gate.hold(never, kind=kind, places=2):
            order.append(kind)

    threads = []
    with gate.hold(never, kind="small", places=2):
        for number, kind in enumerate(("large", "small"), start=2):
            threads.append(threading.Thread(target=job, args=(kind,)))
            threads[-1].start()
            wait_until(lambda expected=number: gate.occupied == expected)
        assert order == []
    for thread in threads:
        thread.join()
    assert order == ["large", "small"]


class OutOfMemoryError(RuntimeError):
    """As torch calls it."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_running_out_of_memory_fails_one_job(error):
    with (
        pytest.raises(ResourceExhausted, match=r"make settings\.format smaller") as caught,
        memory_errors_fail_one_job("settings.format"),
    ):
        raise error
    assert caught.value.reason == "OUT_OF_MEMORY"
    assert caught.value.retry_after_s is None


def test_the_memory_is_free_when_the_error_leaves():
    def job() -> None:
        large = np.zeros(10)
        kept.append(weakref.ref(large))
        raise MemoryError

    kept: list[weakref.ref] = []
    with pytest.raises(ResourceExhausted), memory_errors_fail_one_job("x"):
        job()
    assert kept[0]() is None


def test_torch_itself_running_out_of_memory():
    import torch

    with pytest.raises(ResourceExhausted, match="smaller"), memory_errors_fail_one_job("x"):
        torch.empty(1 << 50)  # 4 PiB: more than a process can address
    assert torch.ones(3).sum() == 3


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shape"), memory_errors_fail_one_job("x"):
        raise RuntimeError("shape mismatch")


class Device:
    """Works until it is told not to."""

    works = True

    def __call__(self) -> bool:
        return self.works


def test_a_broken_device_lets_nobody_in_any_more():
    device, told = Device(), []
    gate = DeviceGate(max_waiting=1, max_wait_s=60, works=device)
    gate.when_broken(lambda: told.append("broken"))
    with pytest.raises(RuntimeError, match="shape"), gate.hold(never):
        raise RuntimeError("shape mismatch")
    assert gate.alive and not told

    waiting: list[BaseException] = []

    def wait() -> None:
        with pytest.raises(Unavailable) as refused, gate.hold(never):
            pass
        waiting.append(refused.value)

    thread = threading.Thread(target=wait)
    with pytest.raises(Unavailable) as broke, gate.hold(never):
        thread.start()
        wait_until(lambda: gate.occupied == 2)
        device.works = False
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    thread.join()
    with pytest.raises(Unavailable) as later, gate.hold(never):
        pass
    for error in (broke.value, waiting[0], later.value):
        assert error.reason == "DEVICE_BROKEN"  # type: ignore[attr-defined]
    assert not gate.alive and gate.occupied == 0 and told == ["broken"]


def test_running_out_of_memory_does_not_ask_the_device():
    device = Device()
    device.works = False
    gate = DeviceGate(max_waiting=1, max_wait_s=60, works=device)
    with pytest.raises(ResourceExhausted), gate.hold(never), memory_errors_fail_one_job("x"):
        raise MemoryError
    assert gate.alive


def test_without_a_gpu_the_device_works():
    import torch

    from services.common.device_errors import device_works

    assert device_works() or torch.cuda.is_available()


def test_only_a_job_that_hangs_makes_the_gate_dead():
    gate = DeviceGate(max_waiting=1, max_wait_s=60, patience=Patience(part_s=0.0))
    assert gate.alive
    with gate.hold(never):
        wait_until(lambda: not gate.alive)
    assert gate.alive
