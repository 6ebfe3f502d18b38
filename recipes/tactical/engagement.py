"""The simulator: fights of the game, played second by second, flown by whoever advises.

Far simpler than a flight model, as it only has to lead from one moment to a next one that fits: headings turn towards
what the move wants, as fast as the limit allows; heights and speeds follow; missiles fly at one speed.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace
from typing import Any

from recipes.tactical.doctrine import doctrine
from recipes.tactical.seeds import sample_scenario
from recipes.tactical.state import NUMBERS, SETTING, Domain, Scenario, Setting, State, domain_of, scenario_of

SECONDS = 60
TURN_DEG = 12  # in one second, at the limit
CLIMB_KM = 0.12
MISSILE_KM_S = 1.0
LOWEST_KM, HIGHEST_KM = 0.4, 13.5
SLOWEST_MS, FASTEST_MS = 150, 450
HIT = 0.5
# Where the nose shall point, in degrees from the target, for moves that don't point at it.
AWAY = {"extend": 180, "dive": 150, "notch": 90, "chaff": 90, "break": 90, "flare": 120, "split": 45}
UP, DOWN = {"climb", "press"}, {"dive", "break", "extend"}
THROWN_OFF_BY = ("flare", "chaff", "break")


@dataclass(frozen=True)
class Moment:
    """A second of a fight: its number, the state and its domain."""

    second: int
    state: State
    setting: Setting

    @property
    def domain(self) -> Domain:
        return domain_of(self.state)

    @property
    def scenario(self) -> Scenario:
        return scenario_of(self.state, self.setting)

    @property
    def values(self) -> dict[str, Any]:
        """All facts of the moment, and what the rule book says to it."""
        return doctrine(self.domain).values(self.scenario)


class Fight:
    """A fight that begins in a domain; the same beginning and the same luck for the same seed."""

    def __init__(self, domain: Domain, seed: int) -> None:
        self._draw = random.Random(f"fight {seed} {domain}")
        start = sample_scenario(doctrine(domain), self._draw)
        setting = Setting(*(start[name] for name in SETTING))
        self.began_as = domain
        self.now = Moment(0, State(**{name: start[name] for name in NUMBERS}), setting)

    @property
    def won(self) -> bool:
        return self.now.state.target_damage >= 1

    @property
    def lost(self) -> bool:
        return self.now.state.damage >= 1

    @property
    def is_over(self) -> bool:
        """Decided, or a minute old, or apart for good."""
        state = self.now.state
        return self.won or self.lost or self.now.second >= SECONDS or not 0.2 <= state.range_km <= 60

    def advance(self, move: str) -> None:
        """Fly a move for a second. A word that is no move flies on towards the target."""
        state = _shoot(self.now, move, self._draw.random() < HIT)
        state = _fly(_steer(state, move, self._draw.randint(-40, 40)))
        state = _radar(_inbound(state, move, self._draw.random()))
        self.now = Moment(self.now.second + 1, state, self.now.setting)


def play(domain: Domain, seed: int) -> list[Moment]:
    """The moments of a fight that is flown by the rule book."""
    fight = Fight(domain, seed)
    moments = [fight.now]
    while not fight.is_over:
        fight.advance(fight.now.values["recommendation"])
        moments.append(fight.now)
    return moments


def _shoot(now: Moment, move: str, lucky: bool) -> State:
    """What a shot, flare or chaff uses up, and the damage where the weapon was ready and luck was with it."""
    state = now.state
    if move == "gun":
        rounds = max(0, state.gun_rounds - 50)
        return _hit(replace(state, gun_rounds=rounds), lucky and now.values["gun_ready"])
    if move == "fire":
        close = now.domain == "WVR" or state.radar_missiles == 0
        kind = "heat_missiles" if close else "radar_missiles"
        ready = now.values["heat_ready"] if close else now.values["is_locked"] and now.values["in_reach"]
        left = max(0, getattr(state, kind) - 1)
        return _hit(replace(state, **{kind: left}), lucky and ready)
    return replace(
        state, flares=max(0, state.flares - (move == "flare")), chaff=max(0, state.chaff - (move == "chaff"))
    )


def _hit(state: State, hits: bool) -> State:
    """One hostile fewer; the last one takes half the damage that ends it."""
    if not hits:
        return state
    if state.hostiles > 1:
        return replace(state, hostiles=state.hostiles - 1)
    return replace(state, target_damage=min(1.0, state.target_damage + 0.5))


def _steer(state: State, move: str, wobble: int) -> State:
    """New headings, speed, height and controls. The target flies at us, but for a wobble in degrees."""
    turn = _towards(state.heading_deg, state.bearing_deg + AWAY.get(move, 0))
    climb = CLIMB_KM * ((move in UP) - (move in DOWN))
    speed = state.speed_ms + (5 if climb <= 0 else -4) - abs(turn) // 3
    speed = min(max(speed, SLOWEST_MS), FASTEST_MS)
    chase = _towards(state.target_heading_deg, state.bearing_deg + 180 + wobble)
    return replace(
        state,
        heading_deg=(state.heading_deg + turn) % 360,
        target_heading_deg=(state.target_heading_deg + chase) % 360,
        altitude_km=round(min(max(state.altitude_km + climb, LOWEST_KM), HIGHEST_KM), 2),
        speed_ms=speed,
        pitch_deg=round(math.degrees(math.asin(climb * 1000 / speed))),
        roll_deg=turn * 6,
        load_g=round(1 + abs(turn) / 3, 1),
        throttle=0.3 if move == "flare" else 1.0,
        fuel=round(max(0.0, state.fuel - 0.002), 3),
    )


def _towards(heading: int, wanted: int) -> int:
    """Degrees to turn in this second to come nearer to a wanted heading."""
    gap = (wanted - heading + 180) % 360 - 180
    return max(-TURN_DEG, min(TURN_DEG, gap))


def _fly(state: State) -> State:
    """Where both are after a second: range and bearing from the difference of their ways over ground."""
    east, north = _way(state.range_km, state.bearing_deg)
    own_east, own_north = _way(state.speed_ms / 1000, state.heading_deg)
    its_east, its_north = _way(state.target_speed_ms / 1000, state.target_heading_deg)
    east, north = east + its_east - own_east, north + its_north - own_north
    return replace(
        state,
        range_km=round(math.hypot(east, north), 1),
        bearing_deg=round(math.degrees(math.atan2(east, north))) % 360,
    )


def _way(length: float, compass: float) -> tuple[float, float]:
    return length * math.sin(math.radians(compass)), length * math.cos(math.radians(compass))


def _inbound(state: State, move: str, chance: float) -> State:
    """Their missile comes nearer, is thrown off by the right move, or is fired."""
    if state.inbound_s > 0:
        if move in THROWN_OFF_BY and chance < 0.4:
            return replace(state, inbound_s=0, inbound_heat=0)
        damage = min(1.0, round(state.damage + (0.5 if state.inbound_s == 1 else 0.0), 1))
        return replace(state, inbound_s=state.inbound_s - 1, damage=damage)
    if 2 <= state.range_km <= 25 and chance < 0.05:
        flight = max(2, round(state.range_km / MISSILE_KM_S))
        return replace(state, inbound_s=flight, inbound_heat=int(state.range_km < 6))
    return state


def _radar(state: State) -> State:
    """The radar holds what is in front of it and near enough."""
    off_nose = abs((state.bearing_deg - state.heading_deg + 180) % 360 - 180)
    return replace(state, locked=int(off_nose <= 45 and state.range_km <= 50))
