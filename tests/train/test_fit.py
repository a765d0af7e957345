"""A fit on the toy task: it learns, it repeats, it says what it did."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinelab.core import Fact, InputError, NotSureError, Run, TaskError


def probabilities(results):
    return np.array([r.findings[0].probabilities["square"] for r in results])


def test_learns_the_toy_and_answers_alike_one_by_one_and_in_batches(toy, make, settings, run):
    seen, others = make(64), make(30, seed=1)
    model = toy.fit(seen, settings.with_overrides({"epochs": 6}), run)
    many = toy.predict_many(model, others, run)
    assert [r.study for r in many] == [e.id for e in others]
    assert np.mean([r.findings[0].label == label for r, label in zip(many, others.labels("label"), strict=True)]) > 0.9
    one = [toy.predict(model, e.open()) for e in others[:5]]
    np.testing.assert_allclose(probabilities(one), probabilities(many[:5]), atol=1e-5)


def test_record_tells_how_the_model_came_to_be(toy, make, settings, run):
    model = toy.fit(make(40, films_a_patient=2), settings.with_overrides({"sampling": "over"}), run)
    record = model.record
    assert record["epochs"] == len(record["history"]) == 4
    assert set(record["history"][0]) == {"epoch", "train_loss", "validation_loss", "validation_accuracy", "lr", "seconds"}
    assert record["stopped"] == "last-epoch"
    assert 1 <= record["best_epoch"] <= 4
    assert record["train"]["patients"] + record["validation"]["patients"] == record["patients"] == 20
    assert record["train"]["examples"] == 2 * record["train"]["patients"]
    assert record["images"] == {"none": 20, "square": 20}
    assert record["weights"]["used"] == "scratch"
    assert {"used", "why"} <= set(record["precision"])
    assert record["peak_memory_mb"] > 0
    assert {"spinelab", "torch", "python"} <= set(record["versions"])
    assert len(record["data_digest"]) == 64


def test_examples_without_a_picture_are_left_out_and_counted(toy, make, settings, run):
    def empty(example):
        study = example.open()
        return replace(study, images=(), facts={"site": Fact("A", "table")})

    seen = make(40)
    spoiled = [replace(example, open=lambda example=example: empty(example)) if i in (3, 7) else example for i, example in enumerate(seen)]
    notes = toy.fit(replace(seen, items=tuple(spoiled)), settings.with_overrides({"epochs": 1}), run).record["notes"]
    assert notes[0] == "2 examples without a picture were left out."


def test_same_seed_same_weights_and_the_world_outside_undisturbed(toy, make, settings, run):
    torch.manual_seed(123)
    before = torch.get_rng_state()
    first = toy.fit(make(32), settings.with_overrides({"epochs": 2, "augment": "mild"}), run)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(7)
    second = toy.fit(make(32), settings.with_overrides({"epochs": 2, "augment": "mild"}), run)
    other = toy.fit(make(32), settings.with_overrides({"epochs": 2, "augment": "mild", "seed": 1}), run)
    for name, tensor in first.tensors.items():
        np.testing.assert_array_equal(tensor, second.tensors[name])
    assert any(not np.array_equal(t, other.tensors[n]) for n, t in first.tensors.items())


class Killed(Exception):
    pass


@pytest.mark.parametrize(("optimizer", "scheduler"), [("adam", "plateau"), ("adamw", "cosine"), ("sgd", "none")])
def test_a_resumed_fit_equals_an_uninterrupted_one(toy, make, settings, run, tmp_path, monkeypatch, optimizer, scheduler):
    from spinelab.train import loop

    monkeypatch.setattr(loop, "WRITING_SHARE", 1e9)
    chosen = settings.with_overrides({"optimizer": optimizer, "scheduler": scheduler, "epochs": 4, "patience": 2})
    whole = toy.fit(make(32), chosen, run)

    save = loop.checkpoints.save
    written = []

    def save_twice_then_die(folder, state):
        save(folder, state)
        written.append(state)
        if len(written) == 2:
            raise Killed

    monkeypatch.setattr(loop.checkpoints, "save", save_twice_then_die)
    work = replace(run, workdir=tmp_path / "work", resume=True)
    with pytest.raises(Killed):
        toy.fit(make(32), chosen, work)
    monkeypatch.setattr(loop.checkpoints, "save", save)
    epochs = []
    resumed = toy.fit(make(32), chosen, replace(work, progress=lambda done, total, text: epochs.append(text)))
    assert not any("epoch 1 " in text or "epoch 2 " in text for text in epochs)
    assert [row["train_loss"] for row in resumed.record["history"]] == [row["train_loss"] for row in whole.record["history"]]
    for name, tensor in whole.tensors.items():
        np.testing.assert_array_equal(tensor, resumed.tensors[name])
    assert not list((tmp_path / "work").iterdir())


def test_a_checkpoint_of_other_data_is_not_continued(toy, make, settings, run, tmp_path, monkeypatch):
    from spinelab.train import loop

    work = replace(run, workdir=tmp_path / "work", resume=True)
    monkeypatch.setattr(loop, "WRITING_SHARE", 1e9)
    monkeypatch.setattr("spinelab.train.fitting.checkpoints.remove", lambda folder: None)
    toy.fit(make(32), settings.with_overrides({"epochs": 1}), work)
    assert (tmp_path / "work" / "checkpoint.safetensors").is_file()
    other = toy.fit(make(34), settings.with_overrides({"epochs": 1}), work)
    assert other.record["train"]["examples"] + other.record["validation"]["examples"] == 34
    assert other.record["epochs"] == 1


def test_early_stopping_gives_back_the_best_weights(toy, make, settings, run):
    chosen = settings.with_overrides({"epochs": 40, "patience": 2, "lr": 0.05})
    model = toy.fit(make(40), chosen, run)
    losses = [row["validation_loss"] for row in model.record["history"]]
    assert model.record["best_epoch"] == int(np.argmin(losses)) + 1
    if model.record["stopped"] == "early":
        assert model.record["epochs"] == model.record["best_epoch"] + 2


def test_too_few_patients_for_a_validation_part_is_said(toy, make, settings, run):
    model = toy.fit(make(4), settings.with_overrides({"epochs": 2}), run)
    assert model.record["validation"]["examples"] == 0
    assert model.record["epochs"] == model.record["best_epoch"] == 2
    assert any("validation part" in note for note in model.record["notes"])


def test_one_class_is_refused(toy, make, settings, run):
    with pytest.raises(InputError, match="Only one class"):
        toy.fit(make(8, squares=0), settings, run)


def test_a_loss_that_explodes_is_refused_with_advice(toy, make, settings, run):
    with pytest.raises(TaskError, match="smaller learning rate"):
        toy.fit(make(32), settings.with_overrides({"lr": 1e9, "optimizer": "sgd", "epochs": 6}), run)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_not_replaced_silently(toy, make, settings, run):
    with pytest.raises(TaskError, match="GPU"):
        toy.fit(make(8), settings, replace(run, accelerator="gpu"))
    with pytest.raises(TaskError, match="precision=16"):
        toy.fit(make(8), settings.with_overrides({"precision": "16"}), run)


@pytest.mark.parametrize("precision", ["32", "bf16"])
@pytest.mark.parametrize("sampling", ["none", "under", "combined", "weighted"])
def test_every_precision_and_sampling_trains(toy, make, settings, run, precision, sampling):
    model = toy.fit(make(24, squares=0.25), settings.with_overrides({"epochs": 1, "precision": precision, "sampling": sampling}), run)
    assert model.record["precision"]["used"] == precision
    drawn = model.record["train"]["drawn_per_class"]
    if sampling in ("under", "combined"):
        assert drawn["none"] == drawn["square"]
    assert model.record["images"] == {"none": 18, "square": 6}


@pytest.mark.parametrize("clip", [0.0, 0.01])
def test_steps_here_and_steps_by_lightning_give_the_same_weights(toy, make, settings, run, monkeypatch, clip):
    from spinelab.train import fitting

    chosen = settings.with_overrides({"epochs": 2, "batch_size": 4, "gradient_clip": clip, "precision": "bf16"})
    here = toy.fit(make(44), chosen, run)
    make_loop = fitting._loop
    monkeypatch.setattr(fitting, "_loop", lambda *args, direct: make_loop(*args, direct=False))
    lightnings = toy.fit(make(44), chosen, run)
    for name, tensor in here.tensors.items():
        np.testing.assert_array_equal(tensor, lightnings.tensors[name])


def test_dual_learns_only_from_complete_examinations_and_says_when_it_cannot_answer(toy, make, settings, run):
    chosen = settings.with_overrides({"views": 2, "mode": "dual", "epochs": 1, "validation_fraction": 0})
    both, single = make(20, views=(0, 1)), make(3, seed=5)
    mixed = replace(both, items=(*both.items, *(replace(e, id=f"s{i}") for i, e in enumerate(single))))
    model = toy.fit(mixed, chosen, run)
    assert model.record["train"]["examples"] == 20
    assert any("3 examples" in note for note in model.record["notes"])
    results = toy.predict_many(model, mixed, run)
    assert all(r.findings for r in results[:20])
    assert not any(r.findings for r in results[20:])
    assert "view 1 is missing" in results[20].notes[0]


def test_an_examination_that_is_refused_costs_no_other_its_answer(toy, make, settings, run, monkeypatch):
    model, others = toy.fit(make(16), settings.with_overrides({"epochs": 1}), run), make(4, seed=5)
    expected, prepare = toy.predict_many(model, others, run), type(toy).prepare

    def picky(self, study, settings):
        if study.id == "e1":
            raise NotSureError("a drawing", expected="a film", action="give the film")
        return prepare(self, study, settings)

    monkeypatch.setattr(type(toy), "prepare", picky)
    apart = replace(run, cache=run.cache / "apart")
    results = toy.predict_many(model, others, apart)
    assert [r.findings for r in results] == [r.findings if i != 1 else () for i, r in enumerate(expected)]
    assert "a drawing" in results[1].notes[0]
    assert [r.findings for r in toy.predict_many(model, others.subset([1]), apart)] == [()]


def test_progress_never_goes_back(toy, make, settings, run):
    seen = []
    toy.fit(make(32), settings.with_overrides({"epochs": 2}), replace(run, progress=lambda done, total, text: seen.append((done / total, text))))
    shares = [share for share, text in seen if text.startswith("epoch")]
    assert shares == sorted(shares)
    assert seen[-1][0] == 1


def test_a_second_fit_decodes_nothing(toy, make, settings, run):
    toy.fit(make(16), settings.with_overrides({"epochs": 1}), run)
    before = type(toy).prepared
    model = toy.fit(make(16), settings.with_overrides({"epochs": 1, "lr": 1e-3}), run)
    toy.predict_many(model, make(16), run)
    assert type(toy).prepared == before


def test_explains_with_one_heatmap_a_view_that_exists(toy, make, settings, run):
    model = toy.fit(make(24, views=(0, 1)), settings.with_overrides({"views": 2, "mode": "hybrid", "epochs": 1}), run)
    both = toy.explain(model, make(1, views=(0, 1))[0].open())
    assert [e.view for e in both] == ["0", "1"]
    (single,) = toy.explain(model, make(1, views=(1,))[0].open())
    assert single.view == "1"
    assert single.heat.shape == single.picture.shape == (32, 32)
    assert 0 <= single.heat.min() <= single.heat.max() <= 1


def test_default_run_is_what_the_contract_says():
    assert Run().accelerator == "auto"
