"""What an NVIDIA card says of itself, asked of its driver's own library: no process is started, nothing is imported that is not there."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

_LIBRARY = "libnvidia-ml.so.1"
_CORE = 0
"""``NVML_TEMPERATURE_GPU``."""


@dataclass(frozen=True, slots=True)
class CardReading:
    """The first card now; None where it does not say."""

    temperature_c: float | None
    power_w: float | None
    memory_bytes: int | None
    """In use, by whomever."""
    busy: float | None
    """Share of the time in which it computed, 0 to 1."""


class _Memory(ctypes.Structure):
    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class _Busy(ctypes.Structure):
    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class Card:
    """The first card of this machine, if there is one; reading it takes well under a millisecond."""

    def __init__(self, library: Any = None) -> None:
        """
        Args:
            library: NVML; the driver's own when None.
        """
        self._library = library
        self._handle: ctypes.c_void_p | None = None
        self._tried = False

    def read(self) -> CardReading | None:
        """Temperature, power, memory and load now; None where no card or no driver is."""
        handle = self._open()
        if handle is None or self._library is None:
            return None
        number, memory, busy = ctypes.c_uint(), _Memory(), _Busy()
        temperature = self._ask("nvmlDeviceGetTemperature", handle, _CORE, ctypes.byref(number))
        degrees = float(number.value) if temperature else None
        power = (
            float(number.value) / 1000 if self._ask("nvmlDeviceGetPowerUsage", handle, ctypes.byref(number)) else None
        )
        used = int(memory.used) if self._ask("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory)) else None
        load = busy.gpu / 100 if self._ask("nvmlDeviceGetUtilizationRates", handle, ctypes.byref(busy)) else None
        return CardReading(degrees, power, used, load)

    def _open(self) -> ctypes.c_void_p | None:
        if self._tried:
            return self._handle
        self._tried = True
        try:
            self._library = self._library or ctypes.CDLL(_LIBRARY)
        except OSError:
            return None
        handle = ctypes.c_void_p()
        if self._ask("nvmlInit_v2") and self._ask("nvmlDeviceGetHandleByIndex_v2", 0, ctypes.byref(handle)):
            self._handle = handle
        return self._handle

    def _ask(self, name: str, *args: Any) -> bool:
        """Call one function; whether it succeeded. A library too old to have it counts as one that does not know."""
        call = getattr(self._library, name, None)
        return call is not None and call(*args) == 0
