"""Monitoring: what every request came to, figures by model and version, and whether quality differs between groups."""

from serving.monitoring.figures import Figures, figures
from serving.monitoring.groups import GroupQuality, by_group
from serving.monitoring.request_log import RequestLog, RequestRecord, forget_before

__all__ = ["Figures", "GroupQuality", "RequestLog", "RequestRecord", "by_group", "figures", "forget_before"]
