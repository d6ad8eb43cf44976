"""compose.yaml, the Kubernetes manifests, the ECS task, the alerts and the dashboard: against their schemas, and against weir and each other."""

import json
import pathlib
import re
import shutil
import subprocess
import urllib.parse

import botocore.session
import botocore.validate
import compose_spec
import kubernetes_validate
import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from places import PACKAGING, ROOT, settings_problems, weir
from test_image import USER, instruction, words

KUBERNETES = "1.33"
HEALTH = words(instruction("HEALTHCHECK")[0])


def load(path):
    return yaml.safe_load((PACKAGING / path).read_text())


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text).group(1))


DEFAULTS = yaml.safe_load(weir("print-config").stdout)
LONGEST_DRAIN = seconds(DEFAULTS["timeouts"]["drain_delay"]) + seconds(DEFAULTS["timeouts"]["drain"]) + 1


# ---- compose.yaml

def test_compose_follows_the_compose_specification():
    compose_spec.PyCompose.from_json(json.dumps(load("compose.yaml"))).validate()


def test_compose_runs_weir_twice_and_prometheus_sees_both(tmp_path):
    services = load("compose.yaml")["services"]
    gateways = {name: service for name, service in services.items() if service["image"] == "weir"}
    assert len(gateways) == 2 and "prometheus" in services
    text = (PACKAGING / "compose/weir.yaml").read_text()
    assert settings_problems(text, tmp_path) == ""
    settings = yaml.safe_load(text)
    port, admin = settings["listen"].split(":")[1], settings["admin"].split(":")[1]
    assert set(settings["allowed_hosts"]) == set(gateways)
    for name, service in gateways.items():
        assert service["ports"][0].endswith(f":{port}") and service["ports"][0].startswith("127.0.0.1:")
        assert seconds(service["stop_grace_period"]) > LONGEST_DRAIN
        assert f"{name}:/var/lib/weir" in service["volumes"]  # a state of its own
    scrapes = load("compose/prometheus.yaml")["scrape_configs"][0]["static_configs"][0]["targets"]
    assert scrapes == [f"{name}:{admin}" for name in gateways]
    for service in services.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (PACKAGING / source).exists(), source


def store_of(settings):
    return urllib.parse.urlsplit(settings["shared"]["url"])


def test_the_gateways_share_the_store_of_the_same_file():
    services = load("compose.yaml")["services"]
    settings = yaml.safe_load((PACKAGING / "compose/weir.yaml").read_text())
    assert store_of(settings).hostname == "cache" and "cache" in services
    assert "quota_share" not in settings  # else both together would have a part of the quota


# ---- Kubernetes

MANIFESTS = {path.name: yaml.safe_load(path.read_text()) for path in sorted((PACKAGING / "kubernetes").glob("*.yaml"))}
DEPLOYMENT = MANIFESTS["deployment.yaml"]
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
CONFIGURATION = MANIFESTS["configmap.yaml"]["data"]["weir.yaml"]


@pytest.mark.parametrize("name", [name for name in MANIFESTS if name != "kustomization.yaml"])
def test_a_manifest_follows_its_schema(name):
    kubernetes_validate.validate(MANIFESTS[name], KUBERNETES, strict=True)


def test_the_schema_finds_a_misspelt_field():
    wrong = json.loads(json.dumps(DEPLOYMENT))
    wrong["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, KUBERNETES, strict=True)


def test_the_kustomization_lists_every_manifest_once():
    kustomization = MANIFESTS["kustomization.yaml"]
    assert sorted(kustomization["resources"]) == sorted(set(MANIFESTS) - {"kustomization.yaml"})
    names = {kustomization["namespace"], MANIFESTS["namespace.yaml"]["metadata"]["name"]}
    for name, manifest in MANIFESTS.items():
        if name not in ("kustomization.yaml", "namespace.yaml"):
            names.add(manifest["metadata"]["namespace"])
    assert len(names) == 1


def test_the_manifests_agree_with_each_other():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    for selector in (DEPLOYMENT["spec"]["selector"]["matchLabels"], MANIFESTS["service.yaml"]["spec"]["selector"],
                     MANIFESTS["poddisruptionbudget.yaml"]["spec"]["selector"]["matchLabels"],
                     MANIFESTS["networkpolicy.yaml"]["spec"]["podSelector"]["matchLabels"],
                     POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    assert POD["serviceAccountName"] == MANIFESTS["serviceaccount.yaml"]["metadata"]["name"]
    assert POD["volumes"][0]["configMap"]["name"] == MANIFESTS["configmap.yaml"]["metadata"]["name"]
    assert CONTAINER["volumeMounts"][0]["name"] == POD["volumes"][0]["name"]
    ports = {port["name"] for port in CONTAINER["ports"]}
    used = {CONTAINER[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    used |= {MANIFESTS["service.yaml"]["spec"]["ports"][0]["targetPort"]}
    used |= {port["port"] for rule in MANIFESTS["networkpolicy.yaml"]["spec"]["ingress"] for port in rule["ports"]}
    assert used == ports


def test_the_pod_is_what_weir_and_its_image_are(tmp_path):
    assert settings_problems(CONFIGURATION, tmp_path) == ""
    settings = yaml.safe_load(CONFIGURATION)
    ports = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}
    assert settings["listen"] == f"0.0.0.0:{ports['http']}" and settings["admin"] == f"0.0.0.0:{ports['admin']}"
    assert DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == str(ports["admin"])
    assert CONTAINER["args"] == words(instruction("CMD")[0])
    assert CONTAINER["args"][-1].startswith(CONTAINER["volumeMounts"][0]["mountPath"] + "/")
    security = POD["securityContext"]
    assert f"{security['runAsUser']}:{security['runAsGroup']}" == USER
    assert POD["terminationGracePeriodSeconds"] > LONGEST_DRAIN
    memory = int(CONTAINER["resources"]["limits"]["memory"].removesuffix("Mi"))
    assert settings["limits"]["max_buffered"] == f"{memory // 2}MiB"
    assert settings["quota_share"] == 1 / DEPLOYMENT["spec"]["replicas"]
    service, namespace = (MANIFESTS["service.yaml"]["metadata"][key] for key in ("name", "namespace"))
    full = f"{service}.{namespace}.svc.cluster.local"
    assert set(settings["allowed_hosts"]) == {service, f"{service}.{namespace}", f"{service}.{namespace}.svc", full}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        path = CONTAINER[probe]["httpGet"]["path"]
        assert f"`GET {path}`" in (ROOT / "docs/operations.md").read_text()


def test_the_sidecar_follows_its_schema_and_is_weirs_image_beside_a_program():
    sidecar = load("kubernetes/sidecar/deployment.yaml")
    kubernetes_validate.validate(sidecar, KUBERNETES, strict=True)
    pod = sidecar["spec"]["template"]["spec"]
    (weir_container,), (app,) = pod["initContainers"], pod["containers"]
    assert weir_container["restartPolicy"] == "Always" and weir_container["args"] == CONTAINER["args"]
    assert str(weir_container["securityContext"]["runAsUser"]) == USER.split(":")[0]
    for probe in ("startupProbe", "livenessProbe"):
        assert weir_container[probe]["exec"]["command"] == HEALTH
    assert {entry["name"]: entry["value"] for entry in app["env"]}["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] == f"http://{DEFAULTS['listen'][0]}"
    assert pod["terminationGracePeriodSeconds"] > 2 * LONGEST_DRAIN


# ---- Kubernetes, one quota

SHARED = PACKAGING / "kubernetes/shared"
STORE = list(yaml.safe_load_all((SHARED / "valkey.yaml").read_text()))
STORE_PASSWORD = {"WEIR_STORE_PASSWORD": "a:b/c@d"}


def test_the_store_follows_its_schemas_and_only_weir_reaches_it():
    for manifest in STORE:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    deployment, service, policy = STORE
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (deployment["spec"]["selector"]["matchLabels"], service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert selector == labels
    (sources,) = [rule["from"] for rule in policy["spec"]["ingress"]]
    assert sources == [{"podSelector": DEPLOYMENT["spec"]["selector"]}]
    kustomization = yaml.safe_load((SHARED / "kustomization.yaml").read_text())
    assert kustomization["kind"] == "Component" and kustomization["resources"] == ["valkey.yaml"]


def test_the_pods_share_the_store_and_are_otherwise_the_same(tmp_path):
    patch = yaml.safe_load((SHARED / "configmap.yaml").read_text())
    text = patch["data"]["weir.yaml"]
    assert settings_problems(text, tmp_path, STORE_PASSWORD) == ""
    shared, alone = yaml.safe_load(text), yaml.safe_load(CONFIGURATION)
    service = STORE[1]
    store = store_of(shared)
    assert store.hostname == service["metadata"]["name"] and store.port == service["spec"]["ports"][0]["port"]
    del shared["shared"], alone["quota_share"]
    assert shared == alone and patch["metadata"] == MANIFESTS["configmap.yaml"]["metadata"]
    (container,) = yaml.safe_load((SHARED / "deployment.yaml").read_text())["spec"]["template"]["spec"]["containers"]
    (secret,) = container["env"]
    assert container["name"] == CONTAINER["name"] and f"${{{secret['name']}}}" in text
    assert secret in STORE[0]["spec"]["template"]["spec"]["containers"][0]["env"]


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_the_component_goes_on_top_of_the_manifests(tmp_path):
    shutil.copytree(PACKAGING / "kubernetes", tmp_path / "kubernetes")
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text("resources: [../kubernetes]\ncomponents: [../kubernetes/shared]\n")
    built = subprocess.run(["kubectl", "kustomize", overlay], capture_output=True, text=True, check=True).stdout
    manifests = {(m["kind"], m["metadata"]["name"]): m for m in yaml.safe_load_all(built)}
    for manifest in manifests.values():
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert "shared:" in manifests["ConfigMap", "weir"]["data"]["weir.yaml"]
    (container,) = manifests["Deployment", "weir"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == CONTAINER["image"] and container["env"][0]["name"] == "WEIR_STORE_PASSWORD"
    assert ("Deployment", "weir-store") in manifests


# ---- ECS

def test_the_task_definition_is_one_and_checks_the_sidecars_health():
    task = load("ecs/task-definition.json")
    model = botocore.session.get_session().get_service_model("ecs").operation_model("RegisterTaskDefinition")
    report = botocore.validate.ParamValidator().validate(task, model.input_shape)
    assert not report.has_errors(), report.generate_report()
    app, weir_container = task["containerDefinitions"]
    assert app["dependsOn"] == [{"containerName": weir_container["name"], "condition": "HEALTHY"}]
    assert weir_container["healthCheck"]["command"] == ["CMD", *HEALTH]
    assert weir_container["command"] == words(instruction("CMD")[0]) and weir_container["user"] == USER
    assert LONGEST_DRAIN < weir_container["stopTimeout"] <= 120
    address = {entry["name"]: entry["value"] for entry in app["environment"]}["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"]
    assert address == f"http://{DEFAULTS['listen'][0]}"


def test_the_tasks_share_a_store_whose_password_is_a_secret(tmp_path):
    text = (PACKAGING / "ecs/weir.yaml").read_text()
    assert settings_problems(text, tmp_path, STORE_PASSWORD) == ""
    assert store_of(yaml.safe_load(text)).scheme == "rediss"
    _, weir_container = load("ecs/task-definition.json")["containerDefinitions"]
    assert [f"${{{secret['name']}}}" in text for secret in weir_container["secrets"]] == [True]


# ---- Prometheus and Grafana

# What a place in the dashboard stands for, as Grafana would fill it in.
VARIABLES = {"$__rate_interval": "1m", "$region": ".*", "$model": ".*"}
DASHBOARD = json.loads((PACKAGING / "grafana/weir.json").read_text())


def rules(kind):
    files = [load(f"prometheus/{name}.yaml") for name in ("rules", "alerts")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"] if kind in rule]


def expressions_of_the_dashboard():
    found = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    found += [(note["name"], note["expr"]) for note in DASHBOARD["annotations"]["list"]]
    return found


def reads_what_there_is(expression):
    """Each metric is one of weir's in docs/operations.md, or one that a rule records."""
    page = (ROOT / "docs/operations.md").read_text()
    recorded = {rule["record"] for rule in rules("record")}
    metrics = re.findall(r"\bweir[:_][a-z0-9_:]+", expression)
    for metric in metrics:
        assert metric in recorded or f"`{metric.removesuffix('_bucket')}" in page, metric
    return bool(metrics)


def test_the_rules_read_metrics_that_there_are():
    handbook = (ROOT / "docs/operations.md").read_text()
    for rule in rules("alert"):
        assert f"`{rule['alert']}`" in handbook, rule["alert"]
    for rule in rules("expr"):
        assert reads_what_there_is(rule["expr"]) or "up{" in rule["expr"]


def test_the_dashboard_reads_metrics_that_there_are():
    for title, expression in expressions_of_the_dashboard():
        assert reads_what_there_is(expression) or "process_" in expression, title


def test_grafana_knows_the_dashboards_members():
    """Read by Grafana's own types and written again, nothing is lost or of another name."""
    again = json.loads(JSONEncoder().encode(Dashboard.from_json(DASHBOARD)))
    assert [panel["title"] for panel in again["panels"]] == [panel["title"] for panel in DASHBOARD["panels"]]
    for before, after in zip(DASHBOARD["panels"], again["panels"], strict=True):
        assert after["gridPos"] == before["gridPos"]
        assert [t["expr"] for t in after.get("targets", [])] == [t["expr"] for t in before.get("targets", [])]
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_grafana_is_told_where_all_of_it_is():
    (source,) = load("grafana/provisioning/datasources/prometheus.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in load("compose.yaml")["services"]
    (provider,) = load("grafana/provisioning/dashboards/weir.yaml")["providers"]
    volumes = load("compose.yaml")["services"]["grafana"]["volumes"]
    assert f"./grafana/weir.json:{provider['options']['path']}/weir.json:ro" in volumes
    mounted = {volume.split(":")[1] for volume in load("compose.yaml")["services"]["prometheus"]["volumes"]}
    assert mounted >= set(load("compose/prometheus.yaml")["rule_files"])


@pytest.fixture(scope="module")
def promtool():
    tool = shutil.which("promtool") or ROOT / "build/prometheus/usr/bin/promtool"
    if not pathlib.Path(tool).exists():
        pytest.skip("promtool is not installed, and Debian's package prometheus could not be fetched")
    return lambda *args: subprocess.run([tool, *args], check=True, timeout=60)


def test_prometheus_accepts_its_files(promtool):
    promtool("check", "rules", PACKAGING / "prometheus/rules.yaml", PACKAGING / "prometheus/alerts.yaml")
    promtool("check", "config", "--syntax-only", PACKAGING / "compose/prometheus.yaml")


def test_alerts_ring_when_they_should_and_not_before(promtool):
    promtool("test", "rules", ROOT / "tests/packaging/alerts.test.yaml")


def test_prometheus_understands_the_dashboard(promtool, tmp_path):
    recorded = []
    for number, (_, expression) in enumerate(expressions_of_the_dashboard()):
        for name, value in VARIABLES.items():
            expression = expression.replace(name, value)
        assert "$" not in expression, expression
        recorded.append({"record": f"panel_{number}", "expr": expression})
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    promtool("check", "rules", file)
