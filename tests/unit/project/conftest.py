import pytest
from built_wheel import BuiltWheel, build_wheel, unpack


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> BuiltWheel:
    """The wheel of this tree, and a folder in which it is installed; one for the whole session."""
    path = build_wheel(tmp_path_factory.mktemp("wheel"))
    installed = tmp_path_factory.mktemp("installed")
    unpack(path, installed)
    return BuiltWheel(path, installed)
