"""The demo, as a whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2


def test_demo_does_everything_it_says(caudal: Callable[..., Any], tmp_path: Path) -> None:
    """Data, records, rates, accuracies and pictures are there, and running it again replaces them."""
    import pipeline

    root = tmp_path / "demo"
    outcome = caudal("demo", "--out", root, "--json", "--quick")
    assert outcome.status == 0, outcome.err
    results = json.loads(outcome.out)
    assert pipeline.inspect(root / "digits" / "train").num_examples == 1437
    assert pipeline.inspect(root / "digits" / "validation").num_examples == 360
    assert len(pipeline.inspect(root / "photographs").classes) == 2
    assert pipeline.verify(root / "digits-tfrecord" / "train") == ()
    assert set(results["images_per_second"]) == {"Caudal", "Python generator", "Keras PyDataset"}
    assert all(rate > 0 for rates in results["images_per_second"].values() for rate in rates)
    accuracies = results["validation_accuracy"]
    assert set(accuracies) == {"without augmentation", "with augmentation"}
    assert all(accuracy > 0.2 for accuracy in accuracies.values())  # chance is 0.1; the quick run has two epochs
    for picture in results["pictures"]:
        assert cv2.imread(picture).shape[1] > 400
    assert json.loads((root / "caudal-demo.json").read_text()) == results
