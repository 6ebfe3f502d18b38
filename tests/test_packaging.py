"""Image, compose files, Prometheus and dashboard: checked by the tools that know their rules, and by ours."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from serving.metrics import Metrics

PROJECT = Path(__file__).resolve().parents[1]
PACKAGING = PROJECT / "packaging"
DASHBOARD = PACKAGING / "grafana" / "dashboards" / "hearth.json"
COMPOSE, COMPOSE_GPU = PROJECT / "compose.yaml", PROJECT / "compose.gpu.yaml"
PACKAGED = (
    PROJECT / "Dockerfile",
    PROJECT / ".dockerignore",
    COMPOSE,
    COMPOSE_GPU,
    *(path for path in sorted(PACKAGING.rglob("*")) if path.is_file()),
)
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::([?-])([^}]*))?\}")


def read(path: Path) -> Any:
    """A YAML file with its anchors put in place."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def merged(base: Any, over: Any) -> Any:
    """What compose makes of two files: mappings are joined, anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return {**base, **{name: merged(base.get(name), value) for name, value in over.items()}}


def interpolated(path: Path) -> Any:
    """A compose file as it is read where everything is set that it asks for, and nothing else."""
    return yaml.safe_load(VARIABLE.sub(lambda found: found[3] if found[2] == "-" else "set", path.read_text()))


COMPOSED = {
    "on the CPU": interpolated(COMPOSE),
    "on a card": merged(interpolated(COMPOSE), interpolated(COMPOSE_GPU)),
}


# The image


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions in order, with continued lines joined: (FROM, python:… AS packages)."""
    lines = [line for line in (PROJECT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in joined if line.strip()]


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    command = [str(Path(sys.executable).with_name("hadolint")), str(PROJECT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_stage_that_runs_ends_as_an_ordinary_user() -> None:
    user, stage = "root", ""
    ended: dict[str, str] = {}
    for name, rest in instructions():
        if name == "FROM":
            base, _, stage = rest.partition(" AS ")
            user = ended.get(base, "root")
        user = rest if name == "USER" else user
        ended[stage] = user
    assert ended["cpu"] == ended["gpu"] == "1000"
    assert instructions()[-1] == ("FROM", "${DEVICE}")
    assert {"cpu", "gpu"} <= ended.keys(), "both values of the build argument DEVICE are stages"


def test_the_image_is_made_of_what_is_there_and_keeps_its_state_in_volumes() -> None:
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and "--from" not in rest]
    assert all((PROJECT / source).exists() for sources in copied for source in sources)
    volumes = json.loads(next(rest for name, rest in instructions() if name == "VOLUME"))
    settings = dict(re.findall(r"(\w+)=(\S+)", " ".join(rest for name, rest in instructions() if name == "ENV")))
    assert {settings["HEARTH_WORKSPACE"], settings["HEARTH_CACHE"]} == set(volumes)
    command = json.loads(next(rest for name, rest in instructions() if name == "CMD"))
    assert (PROJECT / command[1]).is_file()


def ignored(path: str) -> bool:
    """Whether a line of .dockerignore keeps a path, or a folder above it, out of the image."""
    lines = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    places = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    return any(
        fnmatch.fnmatch(place, line) or (line.startswith("**/") and fnmatch.fnmatch(Path(place).name, line[3:]))
        for place in places
        for line in lines
    )


@pytest.mark.parametrize(
    "path", [".env", "prod.env", "keys/server.pem", "workspace/keys.sqlite", ".git/config", ".venv/bin/python"]
)
def test_secrets_history_and_what_a_person_made_stay_out_of_the_image(path: str) -> None:
    assert ignored(path)


@pytest.mark.parametrize(
    "path",
    [
        "app.py",
        "cli.py",
        "serving/metrics.py",
        "recipes/snake/data.yaml",
        "ui/style.css",
        "evaluation/report/report.js",
    ],
)
def test_what_runs_gets_into_the_image(path: str) -> None:
    assert not ignored(path)


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.name)
def test_no_file_holds_a_secret_or_names_a_package_registry(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"pypi\.|pythonhosted|index-url \S*://|docker\.io|ghcr\.io|quay\.io|://[^/\s]*:[^/\s]*@", text)
    for line in text.splitlines():
        given = re.search(r"(?i)(?:password|auth|token|secret)\w*\s*[:=]\s*(.+)", line)
        if given and not line.lstrip().startswith("#"):
            assert given[1].strip(" \"'").startswith("${"), f"a value of its own: {line}"


# Compose


@pytest.mark.parametrize("composed", COMPOSED.values(), ids=COMPOSED.keys())
def test_compose_files_follow_the_compose_specification(composed: dict[str, Any]) -> None:
    from compose_spec import PyCompose

    known = PyCompose.from_json(json.dumps(composed)).to_spec()
    assert set(known.services or {}) == {"app", "server", "ollama", "prometheus", "grafana"}


@pytest.mark.parametrize("composed", COMPOSED.values(), ids=COMPOSED.keys())
def test_every_port_is_open_to_this_machine_alone_and_every_volume_is_there(composed: dict[str, Any]) -> None:
    used = set()
    for service in composed["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for mount in service["volumes"]:
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (PROJECT / source).exists(), source
                assert mount.endswith(":ro")
            else:
                used.add(source)
    assert used == set(composed["volumes"])


def test_a_login_is_asked_for_and_images_of_others_are_pinned() -> None:
    services = read(COMPOSE)["services"]
    for service, name in (("app", "HEARTH_AUTH"), ("grafana", "GF_SECURITY_ADMIN_PASSWORD")):
        found = VARIABLE.fullmatch(services[service]["environment"][name])
        assert found is not None and found[2] == "?", f"{name} has to be given by whoever starts it"
    for name in ("ollama", "prometheus", "grafana"):
        assert re.fullmatch(r"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+", services[name]["image"])
    for name in ("app", "server"):
        assert services[name]["cap_drop"] == ["ALL"] and not services[name].get("privileged")


def test_on_a_card_page_server_and_ollama_get_it_and_the_image_is_the_one_built_for_it() -> None:
    services = COMPOSED["on a card"]["services"]
    for name in ("app", "server", "ollama"):
        (device,) = services[name]["deploy"]["resources"]["reservations"]["devices"]
        assert device["driver"] == "nvidia" and "gpu" in device["capabilities"]
    for name in ("app", "server"):
        assert services[name]["image"] == "hearth:gpu"
        assert services[name]["build"]["args"]["DEVICE"] == "gpu"
        assert services[name]["build"]["context"] == "."


def test_stopping_is_as_gentle_as_ctrl_c_and_waits_for_running_answers() -> None:
    from serving.spec import ServeSpec

    drain = ServeSpec.load(PACKAGING / "serve.yaml").limits.drain_seconds
    assert ("STOPSIGNAL", "SIGINT") in instructions()
    for name in ("app", "server"):
        service = read(COMPOSE)["services"][name]
        assert service["init"] is True and service["stop_signal"] == "SIGINT"
        assert float(service["stop_grace_period"].removesuffix("s")) > drain


def test_the_servers_spec_is_one_that_hearth_serves_to_others() -> None:
    from serving.spec import ServeSpec

    spec = ServeSpec.load(PACKAGING / "serve.yaml")
    server = read(COMPOSE)["services"]["server"]
    assert spec.keys and spec.host == "0.0.0.0"
    assert server["ports"] == [f"127.0.0.1:{spec.port}:{spec.port}"]
    assert f"http://127.0.0.1:{spec.port}/health" in server["healthcheck"]["test"][-1]
    assert any(mount.endswith(f":{server['command'][3]}:ro") for mount in server["volumes"])


# Prometheus and the dashboard


def test_prometheus_asks_the_server_where_compose_runs_it() -> None:
    (job,) = read(PACKAGING / "prometheus.yaml")["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    host, _, port = target.partition(":")
    assert host in read(COMPOSE)["services"] and port == "8000" and job["metrics_path"] == "/metrics"


def test_grafana_reads_the_prometheus_that_compose_runs_and_the_dashboard_names_it() -> None:
    (source,) = read(PACKAGING / "grafana/provisioning/datasources/hearth.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    assert {target["datasource"]["uid"] for target in targets()} == {source["uid"]}
    (provider,) = read(PACKAGING / "grafana/provisioning/dashboards/hearth.yaml")["providers"]
    mounts = [mount.split(":") for mount in read(COMPOSE)["services"]["grafana"]["volumes"]]
    assert [source for source, place, *_ in mounts if place == provider["options"]["path"]] == [
        f"./{DASHBOARD.parent.relative_to(PROJECT)}"
    ]


def targets() -> Iterator[dict[str, Any]]:
    """Every query of the dashboard."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        yield from panel["targets"]


def exported() -> dict[str, set[str]]:
    """What the server shows: the names of all samples, each with its labels."""
    metrics = Metrics()
    metrics.watch_queue(lambda: 0, lambda: 0)
    for counter in (metrics.requests, metrics.tokens):
        counter.labels("model", "kind").inc()
    for histogram in (metrics.seconds, metrics.first_token):
        histogram.labels("model").observe(1)
    metrics.rejected.labels("queue").inc()
    metrics.circuit_open.labels("model").set(0)
    samples: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, set()).update(sample.labels)
    return samples


def figures_in(query: str) -> list[Any]:
    """The places where a query names a figure. Fails for what is no PromQL."""
    import promql_parser

    found: list[Any] = []

    def keep(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.append(node)

    promql_parser.walk(promql_parser.parse(query), keep)
    return found


def test_every_query_of_the_dashboard_is_promql_on_figures_and_labels_that_the_server_shows() -> None:
    shown = exported()
    asked = set()
    for target in targets():
        query = target["expr"].replace("$__rate_interval", "1m").replace("$__range", "1h").replace("$model", "a")
        selectors = figures_in(query)
        assert selectors, query
        for selector in selectors:
            asked.add(selector.name)
            assert selector.name in shown, f"{selector.name} in {query}"
            labels = {matcher.name for matcher in selector.matchers.matchers}
            assert labels <= shown[selector.name], query
        for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
            assert any(label in shown[selector.name] for selector in selectors), f"{label} in {query}"
    assert len(asked) >= 11, "the dashboard shows all that the server measures"


def test_the_dashboards_panels_have_names_words_and_places_that_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"] and panel["description"].endswith(".")
        place = panel["gridPos"]
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells and place["x"] + place["w"] <= 24
        cells |= own
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
