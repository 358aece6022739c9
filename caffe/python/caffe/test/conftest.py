"""What the tests of pycaffe share: prototxt files written from strings, a few small nets.

With CAFFE_TEST_MODE=gpu in the environment every test begins in GPU mode.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

SMALL_NET = """
name: 'small'
layer { name: 'data' type: 'DummyData' top: 'data' top: 'label'
  dummy_data_param { num: 5 channels: 2 height: 3 width: 4 num: 5 channels: 1 height: 1 width: 1
    data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  convolution_param { num_output: 11 kernel_size: 2 pad: 3
    weight_filler { type: 'gaussian' std: 1 } bias_filler { type: 'constant' value: 2 } }
  param { decay_mult: 1 } param { decay_mult: 0 } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'conv' top: 'ip_blob'
  inner_product_param { num_output: 6
    weight_filler { type: 'gaussian' std: 2.5 } bias_filler { type: 'constant' value: -3 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip_blob' bottom: 'label' top: 'loss' }
"""


@pytest.fixture(autouse=True)
def mode_of_tests() -> None:
    """Set anew before each test: some leave another behind."""
    if os.environ.get("CAFFE_TEST_MODE") == "gpu":
        import caffe

        caffe.set_mode_gpu()


@pytest.fixture
def prototxt(tmp_path: Path) -> Callable[..., str]:
    """Writes a text to a file of this test's own folder and gives its name."""

    def write(text: str, name: str = "net.prototxt") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def small_net(prototxt: Callable[..., str]) -> str:
    """The file of a net with data, a convolution, an inner product and a loss."""
    return prototxt(SMALL_NET, "small.prototxt")
