"""The engine on Ray, on a cluster of this machine."""

import contextlib
import os
import signal
import socket
import threading
from importlib.metadata import version

import pytest

from affectory.core.engine import ray as ray_engine
from affectory.core.engine.choice import EngineChoice
from affectory.core.engine.ray import Ray
from affectory.core.errors import AffectoryError, InputError
from tests import clusters

pytest.importorskip("ray", reason="needs the extra cluster: pip install 'affectory[cluster]'")


@pytest.fixture(scope="module")
def cluster():
    with clusters.cluster() as started:
        yield started


@pytest.mark.long
def test_results_come_in_the_order_of_the_items_and_errors_are_those_of_the_work(
    cluster, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.txt").write_text("read")
    with Ray(cluster.address) as engine:
        assert list(engine.map(divmod, range(7, 12), 3)) == [(2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
        assert list(engine.map(pow, [2, 3], 2, ahead=0)) == [4, 9]
        assert list(engine.map(abs, [])) == []
        assert list(engine.map(clusters.relative, ["here.txt"])) == ["read"]
        for ahead, taken in [(0, 1), (3, 4), (None, 9)]:
            items = iter(range(100))
            assert next(engine.map(abs, items, ahead=ahead)) == 0
            assert next(items) == taken
        with pytest.raises(clusters.TwoPartError, match=r"^no: 5$") as caught:
            list(engine.map(clusters.refuse, [5]))
        assert type(caught.value) is clusters.TwoPartError
        assert list(engine.map(abs, [-1])) == [1]  # an error ends its map alone


@pytest.mark.long
@pytest.mark.parametrize("actors", [False, True], ids=["tasks", "actors"])
def test_work_of_a_killed_node_is_run_again(cluster, tmp_path, actors):
    with cluster.node() as kill, Ray(cluster.address, actors=actors) as engine:

        def kill_in_mid_run():
            clusters.wait_for(lambda: len({path.name.split("-")[1] for path in tmp_path.iterdir()}) == 2)
            begun = [path.name.split("-") for path in tmp_path.iterdir()]
            kill()
            [held] = clusters.wait_for(lambda: [one for one in begun if clusters.ended(one[1])])
            process = int(held[2])  # it would go on until it notices
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            clusters.wait_for(lambda: clusters.ended(process))
            (tmp_path / "go").touch()

        killer = threading.Thread(target=kill_in_mid_run)
        killer.start()
        try:
            assert list(engine.map(clusters.held, range(8), tmp_path)) == [n * n for n in range(8)]
        finally:
            killer.join()
    assert len(list(tmp_path.iterdir())) == 8 + 1 + 1  # one ran twice


@pytest.mark.long
def test_a_node_that_lacks_a_package_or_does_not_see_a_folder_is_one_line(cluster, tmp_path):
    node = f"the node {cluster.address.partition(':')[0]} of the Ray cluster"
    with pytest.raises(AffectoryError) as caught, Ray(cluster.address, packages={"none-such": "2"}):
        pass
    assert str(caught.value) == f"{node} lacks the package none-such: install none-such==2 there"
    with pytest.raises(AffectoryError) as caught, Ray(cluster.address, folders=[tmp_path, tmp_path / "none"]):
        pass
    assert str(caught.value) == (
        f"{node} doesn't see the folder '{tmp_path}/none': use a folder that all nodes share"
    )
    found = version("pyarrow")
    with pytest.raises(AffectoryError) as caught, Ray(cluster.address, packages={"pyarrow": "0.1"}):
        pass
    assert str(caught.value) == (
        f"{node} has pyarrow {found}, not 0.1 as this machine: install pyarrow==0.1 there"
    )


def test_an_address_without_a_cluster_is_one_line_at_once():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(AffectoryError) as caught, Ray(address):
        pass
    assert str(caught.value) == (
        f"no Ray cluster answers at {address} (Connection refused): start one with ray start --head, or "
        "correct --address"
    )


@pytest.mark.parametrize("address", ["auto", "10.0.0.1", "ray://10.0.0.1:10001", "10.0.0.1:x", ""])
def test_an_address_of_another_form_is_one_line(address):
    with pytest.raises(InputError) as caught:
        EngineChoice("ray", address).check()
    assert str(caught.value) == (
        f"--address {address!r} isn't HOST:PORT, such as 10.0.0.1:6379, which ray start --head prints"
    )


def test_an_address_for_the_local_engine_is_one_line():
    with pytest.raises(InputError) as caught:
        EngineChoice("local", "10.0.0.1:6379").check()
    assert str(caught.value) == "--address 10.0.0.1:6379 is that of a Ray cluster: add --engine ray"


def test_a_missing_ray_is_one_line_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(ray_engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as caught:
        EngineChoice("ray").check()
    assert str(caught.value) == (
        "--engine ray needs the package ray: pip install 'affectory[cluster]' (or uv sync --extra cluster)"
    )
