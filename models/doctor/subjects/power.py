"""What ends a long run from outside: sleep, and an empty battery."""

from __future__ import annotations

from models.doctor.facts import Facts, System
from models.doctor.finding import Finding

# Runs of this many minutes are usual.
LONG_RUN = 180
NEVER_SLEEP: dict[System, str] = {
    "linux": "gsettings set org.gnome.settings-daemon.plugins.power sleep-inactive-ac-type nothing",
    "wsl": "powercfg.exe /change standby-timeout-ac 0",
    "windows": "powercfg /change standby-timeout-ac 0",
    "mac": "sudo pmset -c sleep 0",
}


def find(facts: Facts) -> list[Finding]:
    return [*_battery(facts), *_sleep(facts)]


def _battery(facts: Facts) -> list[Finding]:
    if not facts.on_battery:
        return []
    why = "Card and processor are slowed down then, and the run ends with the battery."
    return [Finding("Power", "notice", "The machine runs on its battery.", why, todo="Plug it in before you train.")]


def _sleep(facts: Facts) -> list[Finding]:
    setting = facts.tried.sleep if facts.tried else None
    if setting is None:
        return []
    if setting.minutes is None:
        return [Finding("Sleep", "good", "The machine doesn't go to sleep by itself.")]
    seen = f"The machine goes to sleep after {setting.minutes} minutes without a key or the mouse."
    if setting.minutes >= LONG_RUN:
        return [Finding("Sleep", "good", seen)]
    why = "A run that goes on by itself stops then, until the machine is woken."
    return [Finding("Sleep", "notice", seen, why, NEVER_SLEEP[facts.system])]
