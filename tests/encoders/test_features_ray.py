"""Image features computed on a Ray cluster."""

import hashlib

import numpy as np
import pytest

from affectory.core.engine.choice import EngineChoice
from affectory.encoders.image.backbones import load_backbone
from affectory.encoders.image.features import ImageRef, extract
from tests import clusters
from tests.curation.stores import Picture

pytest.importorskip("ray", reason="needs the extra cluster: pip install 'affectory[cluster]'")


def image(number):
    data = Picture(number).bytes()
    return ImageRef(f"post-{number}", hashlib.sha256(data).hexdigest(), lambda: data)


@pytest.mark.long
def test_features_of_a_cluster_are_those_of_this_machine_and_are_kept(tmp_path):
    network = load_backbone("resnet18", "random", side=64)
    images = [image(number) for number in range(7)]
    here = extract(images, network, tmp_path / "here", batch=2)
    with clusters.cluster(gpus=1) as started:  # the node claims so: an actor then takes its core
        engine = EngineChoice("ray", started.address)
        there = extract(images, network, tmp_path / "there", batch=2, engine=engine)
        np.testing.assert_array_equal(there, here)
    again = extract(images, network, tmp_path / "there", engine=engine)  # the cluster has ended
    np.testing.assert_array_equal(again, here)
