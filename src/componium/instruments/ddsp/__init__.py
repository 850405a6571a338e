"""The instrument `ddsp`; see `componium.instruments.ddsp.model`."""

from componium.instruments.ddsp.model import DDSP, DDSPConfig

__all__ = ["DDSP", "DDSPConfig"]
