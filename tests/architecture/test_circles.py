"""Imports have no cycles, not even lazy imports or imports for types: every module can be read by itself."""

from graphlib import TopologicalSorter

import grimp

from tests.repository import PACKAGES


def test_no_imports_go_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) - {module} for module in graph.modules}
    assert len(imports) > 500
    TopologicalSorter(imports).prepare()  # a CycleError names the modules
