"""A moment of the game as 25 numbers, its setting, and a sampler of moments for each domain."""

from __future__ import annotations

import random
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, Literal, get_args

Domain = Literal["BVR", "WVR", "multi", "defensive", "support"]
DOMAINS: tuple[Domain, ...] = get_args(Domain)
AIRCRAFT = ("Kestrel", "Osprey", "Heron")
TARGETS = ("Viper", "Cobra", "Mamba")
WEATHER = ("clear", "cloud", "night")

Scenario = dict[str, Any]

# Kilometres between the aircraft when a domain's fight begins.
DISTANCES: dict[Domain, tuple[float, float]] = {
    "BVR": (15, 55),
    "WVR": (0.3, 9),
    "multi": (8, 40),
    "defensive": (2, 30),
    "support": (8, 45),
}


@dataclass(frozen=True)
class State:
    """The simulator's vector. Angles in degrees (compass: 0 is north, clockwise), shares from 0 to 1.

    `inbound_s`: seconds until a missile arrives, 0 for none; `inbound_heat`: 1 when it seeks heat, else radar;
    `ally_km`: distance of the ally to be helped, 0 for none; `locked`: 1 when the radar holds the target.
    """

    range_km: float
    altitude_km: float
    target_altitude_km: float
    speed_ms: int
    target_speed_ms: int
    heading_deg: int
    target_heading_deg: int
    bearing_deg: int
    pitch_deg: int
    roll_deg: int
    load_g: float
    throttle: float
    fuel: float
    damage: float
    target_damage: float
    radar_missiles: int
    heat_missiles: int
    gun_rounds: int
    locked: int
    inbound_s: int
    inbound_heat: int
    chaff: int
    flares: int
    hostiles: int
    ally_km: float

    def vector(self) -> list[float]:
        """The 25 numbers in the order above."""
        return [float(number) for number in astuple(self)]


NUMBERS = tuple(each.name for each in fields(State))
SETTING = ("aircraft", "target_aircraft", "weather")


@dataclass(frozen=True)
class Setting:
    """What doesn't change during a fight."""

    aircraft: str
    target_aircraft: str
    weather: str


def scenario_of(state: State, setting: Setting) -> Scenario:
    """All that the rule book reads: the numbers and the setting by their names."""
    return {**asdict(state), **asdict(setting)}


def domain_of(state: State) -> Domain:
    """What a moment is about, the most urgent first."""
    if state.inbound_s > 0:
        return "defensive"
    if state.ally_km > 0:
        return "support"
    if state.hostiles > 1:
        return "multi"
    return "WVR" if state.range_km < 10 else "BVR"


def sample_setting(draw: random.Random) -> Setting:
    """Aircraft and weather."""
    return Setting(draw.choice(AIRCRAFT), draw.choice(TARGETS), draw.choice(WEATHER))


def sample_state(domain: Domain, draw: random.Random) -> State:
    """A moment of a domain as the game could begin with it. The rule book's constraints may forbid it."""
    near, far = DISTANCES[domain]
    bearing = draw.randrange(360)
    threatened = domain == "defensive"
    return State(
        range_km=round(draw.uniform(near, far), 1),
        altitude_km=round(draw.uniform(2, 11), 1),
        target_altitude_km=round(draw.uniform(2, 11), 1),
        speed_ms=draw.randrange(180, 420, 5),
        target_speed_ms=draw.randrange(180, 420, 5),
        heading_deg=(bearing + _swing(domain, draw)) % 360,
        target_heading_deg=draw.randrange(360),
        bearing_deg=bearing,
        pitch_deg=draw.randint(-20, 20),
        roll_deg=draw.randint(-60, 60),
        load_g=round(draw.uniform(0.8, 6), 1),
        throttle=round(draw.uniform(0.4, 1), 2),
        fuel=round(draw.uniform(0.1, 1), 2),
        damage=draw.choice((0.0, 0.0, 0.1, 0.3)),
        target_damage=draw.choice((0.0, 0.0, 0.2, 0.5)),
        radar_missiles=draw.randint(0, 4),
        heat_missiles=draw.randint(0, 2),
        gun_rounds=draw.choice((0, 150, 300, 500)),
        locked=draw.randint(0, 1),
        inbound_s=draw.randint(1, 20) if threatened else 0,
        inbound_heat=draw.randint(0, 1) if threatened else 0,
        chaff=draw.choice((0, 4, 10)),
        flares=draw.choice((0, 4, 10)),
        hostiles=draw.randint(2, 6) if domain == "multi" else 1,
        ally_km=round(draw.uniform(3, 50), 1) if domain == "support" else 0.0,
    )


def _swing(domain: Domain, draw: random.Random) -> int:
    """Degrees from the nose to the target: anywhere in a close fight, mostly in front in a distant one."""
    if domain in ("WVR", "defensive"):
        return draw.randint(-180, 180)
    return round(draw.gauss(0, 35))
