"""An ONNX file says what a network computes, and nothing of the machine that wrote it."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from tagstream.settings import REPOSITORY
from training.onnx.origin import forget_origin

TRACE = "/home/somebody/network.py, line 7"
SHIPPED = sorted((REPOSITORY / "triton_models").glob("*/*/*.onnx"))


def noted(part):
    part.doc_string = TRACE
    part.metadata_props.add(key="stack_trace", value=TRACE)
    return part


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A graph whose one node is a branch, with a note wherever one can be."""
    outer = noted(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]))
    branches = []
    for name, value in (("then", 1.0), ("else", 2.0)):
        inner = noted(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]))
        constant = noted(helper.make_node("Constant", [], [name], value_floats=[value]))
        branches.append(noted(helper.make_graph([constant], name, [], [inner])))
    node = noted(helper.make_node("If", ["x"], ["y"], then_branch=branches[0], else_branch=branches[1]))
    asked = noted(helper.make_tensor_value_info("x", TensorProto.BOOL, []))
    graph = noted(helper.make_graph([node], "whole", [asked], [outer]))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(noted(model), tmp_path / "branch.onnx")
    return tmp_path / "branch.onnx"


def test_notes_are_taken_out_everywhere_and_the_answers_stay(written: Path) -> None:
    assert TRACE.encode() in written.read_bytes()
    forget_origin(written)
    assert TRACE.encode() not in written.read_bytes()
    session = onnxruntime.InferenceSession(written)
    assert session.run(None, {"x": np.array(True)})[0].tolist() == [1.0]
    assert session.run(None, {"x": np.array(False)})[0].tolist() == [2.0]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parts[-3]}-{path.name}")
def test_what_ships_names_no_file_of_the_machine_that_wrote_it(path: Path) -> None:
    # Longer than what weights spell by chance.
    content = path.read_bytes()
    assert b"stack_trace" not in content
    assert b"site-packages" not in content
