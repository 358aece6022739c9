"""The module and class name by which published prototxt files ask for the DAVIS data layer."""

from segflow_davis_pair_layer import SegFlowDavisPairLayer


class SegFlowDAVISFgBgDataLayer(SegFlowDavisPairLayer):
    """See segflow_davis_pair_layer."""
