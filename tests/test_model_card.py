"""The generated parts of the model card."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_sets import write_davis

from segflow import model_card
from segflow.errors import DataError
from segflow.evaluation import evaluate_segmentation
from segflow.readers.davis import Davis
from segflow.readers.flow_sets import FlowPair
from segflow.readers.image import read_image, read_mask, write_mask

TOOL = Path(__file__).resolve().parents[1] / "tools" / "model_card.py"
CARD = "\n".join(
    [
        "# Card",
        "<!-- masks: written by tools/model_card.py -->",
        "old",
        "<!-- end -->",
        "prose",
        "<!-- flow: written by tools/model_card.py -->",
        "<!-- end -->",
        "",
    ]
)


@pytest.fixture
def davis(tmp_path):
    return Davis(write_davis(tmp_path / "davis"))


@pytest.fixture
def masks(davis, tmp_path):
    """Perfect masks of alpha, masks moved by 9 pixels of beta."""
    for name, shift in (("alpha", 0), ("beta", 9)):
        (tmp_path / "masks" / name).mkdir(parents=True)
        for file in davis.sequence(name).mask_files:
            mask = np.roll(read_mask(file), shift, axis=1)
            write_mask(tmp_path / "masks" / name / file.name, mask)
    return tmp_path / "masks"


def test_the_table_has_a_row_a_sequence_and_the_mean_last(davis, masks):
    report = evaluate_segmentation(davis, masks)
    lines = model_card.masks_table(report, report).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["alpha", "beta", "mean"]
    alpha = [cell.strip() for cell in lines[2].split("|")[1:-1]]
    assert alpha[1] == "1.000" and alpha[-2] == "1.000"
    mean = lines[-1].split("|")[2]
    assert float(mean) == pytest.approx(report.overall.J_mean, abs=5e-4)


def test_good_and_bad_examples_are_frames_of_median_similarity(davis, masks):
    report = evaluate_segmentation(davis, masks)
    good, bad = model_card.examples(davis, masks, report, count=1)
    assert good[0].sequence == "alpha" and good[0].similarity == 1
    assert bad[0].sequence == "beta" and 0 < bad[0].similarity < 1
    picture = model_card.examples_picture([good, bad], size=(60, 104))
    assert picture.shape == (120, 104, 3)
    # Above the caption: the object of the frame is tinted red.
    disc = davis.sequence("alpha").mask(int(good[0].frame))[:40] > 0
    assert (picture[:40][disc][:, 0] > picture[:40][disc][:, 2]).mean() > 0.9


def test_too_few_sequences_for_examples_are_refused(davis, masks):
    with pytest.raises(DataError, match="need 6 sequences"):
        model_card.examples(davis, masks, evaluate_segmentation(davis, masks))


class KnownPair(FlowPair):
    """A pair whose flow is (3, 4) everywhere."""

    def images(self):
        return np.zeros((4, 6, 3), np.uint8), np.zeros((4, 6, 3), np.uint8)

    def flow(self):
        return np.tile(np.float32([3, 4]), (4, 6, 1))


def test_the_flow_table_compares_with_a_flow_of_zero():
    pairs = [KnownPair(f"chairs/{i}", *[Path()] * 3) for i in range(2)]
    table = model_card.flow_table(pairs, lambda a, b: np.tile(np.float32([3, 0]), (4, 6, 1)))
    assert table.splitlines()[-1] == "| chairs | 2 | 4.00 | 5.00 |"


def test_a_block_is_replaced_and_the_rest_stays():
    card = model_card.put_block(CARD, "masks", "new\n")
    assert card == CARD.replace("old", "new")
    assert model_card.put_block(card, "masks", "new") == card
    with pytest.raises(DataError, match="no block from <!-- curves"):
        model_card.put_block(CARD, "curves", "x")


def test_the_command_writes_card_and_picture(davis, masks, tmp_path):
    for twin in range(2):  # six sequences: three good, three bad
        for name in ("alpha", "beta"):
            for folder in (davis.root / "JPEGImages/480p", davis.root / "Annotations/480p", masks):
                copy = folder / f"{name}{twin}"
                copy.mkdir()
                for file in (folder / name).iterdir():
                    (copy / file.name).write_bytes(file.read_bytes())
    for file in (davis.root / "ImageSets/480p").iterdir():
        file.unlink()  # without lists, every folder is a sequence
    card, picture = tmp_path / "card.md", tmp_path / "masks.png"
    card.write_text(CARD)
    command = [sys.executable, TOOL, "--davis", davis.root, "--results", masks]
    command += ["--card", card, "--picture", picture]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| alpha1 | 1.000 |" in card.read_text() and "old" not in card.read_text()
    assert read_image(picture).shape == (360, 960, 3)
