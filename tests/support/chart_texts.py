"""What a chart would say where only a cluster hears it: notes, and templates called by name."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.support.charts import OMNIREEL, Object, helm, merged

_PROBE = """
{{- define "probe" -}}
%s
{{- end }}
kind: Probe
metadata: {name: probe}
text: {{ include "probe" . | quote }}
"""


def notes(folder: Path, *parts: Object, chart: Path = OMNIREEL) -> str:
    """What ``helm install`` shows at its end."""
    return evaluated((chart / "templates/NOTES.txt").read_text(), folder, *parts, chart=chart)


def evaluated(
    template: str, folder: Path, *parts: Object, chart: Path = OMNIREEL, kubernetes: str = "v1.37.1"
) -> str:
    """What ``template`` gives within a copy of the chart, which is made in ``folder``.

    Raises:
        HelmRefused: it, or the chart, fails.
    """
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    (copy / "templates/probe.yaml").write_text(_PROBE % template)
    arguments = ("template", "r", str(copy), "-n", "ns", "--kube-version", kubernetes)
    text = helm(*arguments, "-s", "templates/probe.yaml", values=merged(*parts))
    found: str = yaml.safe_load(text)["text"]
    return found
