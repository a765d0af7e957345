"""The parts of a fit by themselves: sampling, split, batches, augmentation, checkpoints, settings."""

import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
import torch

from spinelab.core import InputError, Run, TaskError
from spinelab.train import ImageSettings, Prepared, checkpoint, cross_entropy, letterbox
from spinelab.train.augment import mild
from spinelab.train.batches import Films, Handfuls, PlainBatches, TrainingBatches
from spinelab.train.precision import choose_device, choose_precision
from spinelab.train.sampling import resample
from spinelab.train.seeds import epoch_seed, seeded
from spinelab.train.split import validation_split

LABELS = np.array([0] * 20 + [1] * 6 + [2] * 4)


@pytest.mark.parametrize(
    ("sampling", "sizes"), [("under", (4, 4, 4)), ("over", (20, 20, 20)), ("combined", (10, 10, 10)), ("none", (20, 6, 4)), ("weighted", (20, 6, 4))]
)
def test_class_sizes_after_sampling(sampling, sizes):
    drawn = resample(LABELS, sampling, seed=3)
    assert tuple(Counter(LABELS[drawn].tolist())[c] for c in range(3)) == sizes
    assert np.array_equal(drawn, resample(LABELS, sampling, seed=3))
    if sampling in ("over", "combined"):
        assert {*drawn.tolist()} >= {*range(20, 30)}


def test_sampling_of_one_class_or_equal_classes_changes_nothing():
    assert resample([1, 1, 1], "over", seed=0).tolist() == [0, 1, 2]
    assert resample([0, 1, 0, 1], "under", seed=0).tolist() == [0, 1, 2, 3]
    with pytest.raises(TaskError, match="smote"):
        resample([0, 1], "smote", seed=0)


def test_validation_keeps_patients_whole_and_classes_in_proportion():
    groups = [f"p{i // 2}" for i in range(200)]
    labels = np.array([0] * 160 + [1] * 40)
    split = validation_split(labels, groups, 0.2, seed=1)
    assert split.why is None
    inside = {groups[i] for i in split.validation}
    assert not inside & {groups[i] for i in split.train}
    assert sorted([*split.train, *split.validation]) == list(range(200))
    assert Counter(labels[split.validation].tolist()) == {0: 32, 1: 8}


def test_rare_classes_stay_in_the_training_part():
    labels = np.array([0] * 20 + [1] * 20 + [2] * 2)
    split = validation_split(labels, [str(i) for i in range(42)], 0.3, seed=0)
    assert set(labels[split.validation].tolist()) == {0, 1}
    assert validation_split(labels, [str(i) for i in range(42)], 0.0, seed=0).why == "no validation part was asked for"
    assert "too few patients" in str(validation_split(np.array([0, 0, 1, 1]), ["a", "b", "c", "d"], 0.2, seed=0).why)


def films(n=11, side=8):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (n, 1, side, side)).astype(np.uint8)
    return Films(pixels, np.ones((n, 1), bool), np.arange(n))


@pytest.mark.parametrize(("n", "sizes"), [(11, [4, 4, 3]), (9, [4, 5]), (8, [4, 4]), (1, [1]), (3, [3])])
def test_a_pass_shows_every_film_once_and_never_one_alone(n, sizes):
    batches = TrainingBatches(films(n), np.arange(n), batch_size=4, seed=0, augment=False)
    shown = [batch[2].tolist() for batch in batches]
    assert [len(rows) for rows in shown] == sizes
    assert len(batches) == len(sizes)
    assert sorted(label for rows in shown for label in rows) == list(range(n))
    assert shown == [batch[2].tolist() for batch in batches]
    batches.epoch = 1
    if n > 3:
        assert shown != [batch[2].tolist() for batch in batches]


def test_handfuls_are_the_same_batches():
    batches = TrainingBatches(films(11), np.arange(11), batch_size=2, seed=0, augment=False)
    handfuls = Handfuls(batches, 4)
    assert [len(h) for h in handfuls] == [4, 1]
    assert len(handfuls) == 2
    assert [b[2].tolist() for h in handfuls for b in h] == [b[2].tolist() for b in batches]


def test_several_devices_share_a_pass_in_equal_steps():
    seen = []
    for rank in range(2):
        batches = TrainingBatches(films(11), np.arange(11), batch_size=4, seed=0, augment=False)
        batches.rank, batches.world = rank, 2
        shares = list(batches)
        assert len(shares) == len(batches) == 2
        seen += [label for batch in shares for label in batch[2].tolist()]
    assert set(seen) == set(range(11))


def test_plain_batches_keep_the_order_and_the_films():
    data = films(5)
    batches = list(PlainBatches(data, [4, 2, 0], batch_size=2))
    assert [b[2].tolist() for b in batches] == [[4, 2], [0]]
    assert batches[0][0].dtype == torch.uint8
    np.testing.assert_array_equal(batches[0][0].numpy(), data.pixels[[4, 2]])


def test_mild_augmentation_is_mild_repeats_and_keeps_black_black():
    film = np.zeros((1, 1, 64, 64), np.uint8)
    film[0, 0, 20:44, 20:44] = 128
    one, again = (mild(film, np.random.default_rng(4)) for _ in range(2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, film)
    assert one[0, 0, 0].max() == 0
    many = mild(np.repeat(film, 100, axis=0), np.random.default_rng(0))[:, 0]
    middle = np.array([[np.average(np.arange(64), weights=m.sum(axis=a)) for a in (1, 0)] for m in many.astype(float)])
    assert np.abs(middle - 31.5).max() < 0.05 * 64 + 1
    assert np.abs(many.max(axis=(1, 2)).astype(int) - 128).max() <= 27


def test_augmentation_never_mirrors():
    film = np.zeros((200, 1, 64, 64), np.uint8)
    film[:, :, 20:44, 10:20] = 200
    mass = mild(film, np.random.default_rng(0))[:, 0].astype(float)
    assert (mass[:, :, :32].sum(axis=(1, 2)) > mass[:, :, 32:].sum(axis=(1, 2))).all()


def test_checkpoint_there_and_back_and_only_for_its_own_job(tmp_path):
    saved = checkpoint.Checkpoint("job", {"model.a": torch.arange(3.0), "best.a": torch.tensor(2)}, {"history": [{"epoch": 1}]})
    checkpoint.save(tmp_path, saved)
    back = checkpoint.load(tmp_path, "job")
    assert back.facts == saved.facts
    assert torch.equal(back.part("model")["a"], torch.arange(3.0))
    assert checkpoint.load(tmp_path, "other") is None
    file = tmp_path / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:-4])
    assert checkpoint.load(tmp_path, "job") is None
    checkpoint.remove(tmp_path)
    checkpoint.remove(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(InputError, match="cannot be written"):
        checkpoint.save(tmp_path / "work", checkpoint.Checkpoint("job", {"a": torch.zeros(1)}))


def test_seeds_repeat_inside_and_leave_nothing_outside():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with seeded(1):
        first = torch.rand(3)
    with seeded(1):
        assert torch.equal(first, torch.rand(3))
    assert torch.equal(before, torch.get_rng_state())
    assert len({epoch_seed(s, e, r) for s in range(3) for e in range(3) for r in range(3)}) == 27


def test_precision_follows_the_hardware_and_says_why(monkeypatch):
    from spinelab.train import precision

    monkeypatch.setattr(precision, "cpu_flags", lambda: frozenset({"amx_bf16"}))
    assert choose_precision("auto", "cpu")["used"] == "bf16"
    monkeypatch.setattr(precision, "cpu_flags", frozenset)
    chosen = choose_precision("auto", "cpu")
    assert (chosen["used"], chosen["lightning"]) == ("32", "32-true")
    assert "AMX" in chosen["why"]
    assert "slower" in choose_precision("bf16", "cpu")["why"]
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: False)
    assert choose_precision("auto", "cuda")["lightning"] == "16-mixed"


def test_unknown_accelerator_is_refused():
    with pytest.raises(TaskError, match="tpu"):
        choose_device(Run(accelerator="tpu"))


def test_weights_of_the_loss_average_to_one_over_examples():
    weight = cross_entropy([30, 10]).weight
    torch.testing.assert_close(weight, torch.tensor([40 / 60, 40 / 20]))
    assert float((weight * torch.tensor([30.0, 10.0])).sum()) / 40 == pytest.approx(1)
    assert cross_entropy([5, 0]).weight.isfinite().all()


def test_letterbox_keeps_proportions():
    square = letterbox(np.full((100, 50), 200, np.uint8), 64)
    assert (square[:, 16:48] == 200).all()
    assert not square[:, :16].any()
    assert not square[:, 48:].any()
    assert letterbox(np.full((1, 900), 9, np.uint8), 32).shape == (32, 32)


def test_prepared_films_are_checked():
    assert not Prepared(np.zeros((2, 4, 4), np.uint8), np.zeros(2, bool)).available.any()
    with pytest.raises(InputError, match="float64"):
        Prepared(np.zeros((1, 4, 4)), np.ones(1, bool))


def test_settings_are_documented_and_limited():
    assert all(row["help"] for row in ImageSettings().describe())
    for key, value in (("batch_size", 1), ("lr", 0), ("dropout", 1), ("sampling", "smote"), ("validation_fraction", 0.6)):
        with pytest.raises(TaskError, match=key):
            ImageSettings().with_overrides({key: value})


def test_importing_the_package_does_not_import_torch():
    code = "import sys, spinelab.train; sys.exit('torch' in sys.modules or 'lightning' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
