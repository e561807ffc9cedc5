"""The commands, run as a user runs them, on real files."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.conftest import ALBERT, ROOT, assert_one_line_error, flip_bit, run_command
from tests.pages import Page, embedded, numbers, picture

pytestmark = pytest.mark.integration

TINY = ("--epochs", 2, "--steps-per-epoch", 2, "--batch-size", 1, "--patch", 16, "--no-progress")


# Where any model will do: its step is traced in a fifth of the time.
UNET = ("--model", "unet", "--set", "network.unet_width=4")


SPLIT = {"train": ["1", "2"], "validation": ["3"], "unlabeled": ["6", "7"], "test": ["4", "5"]}


@pytest.fixture(scope="module")
def split_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.json"
    path.write_text(json.dumps(SPLIT))
    return path


@pytest.fixture(scope="module")
def run(tiny_cohort, split_file, tmp_path_factory):
    """A finished run on the tiny cohort, and what the command printed."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    result = train(tiny_cohort.root, split_file, folder)
    assert result.returncode == 0, result.stderr
    return folder, result


def training(data, split, out, *more):
    return ("tf_msgan.train", "--data", data, "--split", split, "--out", out, *TINY, *more)


def train(*arguments):
    # In a process of its own: what makes a training repeatable, nothing in this process could undo.
    return run_command(*training(*arguments), "--deterministic")


def test_run_folder(run):
    folder, _ = run
    assert {path.name for path in folder.iterdir()} == {
        *("config.json", "model.keras", "history.csv", "tensorboard", "evaluation.json", "report.html", "figures"),
        *("checkpoints", "samples", "seconds.json"),
    }
    assert {path.name for path in (folder / "figures").iterdir()} == {
        *("curves.png", "health.png", "samples.png", "subject-4.png", "subject-5.png"),
    }
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"epoch-0001.npz", "epoch-0002.npz"}
    assert list((folder / "tensorboard").rglob("events.out.tfevents*"))


def test_another_model_in_place_of_an_earlier_run_for_minutes(run, tiny_cohort, split_file, tmp_path, call):
    """A model without stages and without a discriminator, stopped before its last epoch, goes through every command,
    and says what it lacks."""
    earlier, _ = run
    run = shutil.copytree(earlier, tmp_path / "unet")
    (run / "figures" / "stale.png").write_bytes(b"")
    limited = ("--max-minutes", "0.01", "--schedule", "poly", "--overwrite")
    result = call(*training(tiny_cohort.root, split_file, run, *UNET, "--set", "loss.prediction=0.2", *limited))
    assert result.returncode == 0, result.stderr
    assert "stopping: " in result.stdout and "go beyond 0.01" in result.stdout
    assert len((run / "history.csv").read_text().splitlines()) == 2
    assert not (run / "figures" / "stale.png").exists()
    recorded = json.loads((run / "config.json").read_text())["config"]
    assert (recorded["model"], recorded["network"]["unet_width"], recorded["loss"]["prediction"]) == ("unet", 4, 0.2)
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert evaluation["outline"] is None
    assert set(json.loads((run / "seconds.json").read_text())) == {"4", "5"}
    assert set(evaluation["mean"]["GM"]) == {"dice", "hd95_mm", "mhd_mm", "asd_mm", "avd_percent"}
    assert "unet, mean" in result.stdout and "mean HD95, mm" in result.stdout
    page = Page((run / "report.html").read_text())
    assert [row[0] for row in page.tables[0]] == ["subject", "4", "5", "unet, mean", "QDA, mean"]
    # There is no coarse stage to tell of.
    assert "The coarse stage's outline" not in page.text

    images = [tiny_cohort.root / f"subject-4-{modality}.hdr" for modality in ("T1", "T2")]
    wanted = ("--input", *images, "--output", tmp_path / "out")
    assert_one_line_error(call("tf_msgan.predict", run, *wanted, "--realness"), "--p-real", "discriminator")
    assert not (tmp_path / "out").exists()
    assert call("tf_msgan.predict", run, *wanted).returncode == 0
    assert list((tmp_path / "out").glob("*_dseg.nii.gz"))
    exported = call("tf_msgan.export", run, "--name", "unet", "--output", tmp_path / "saved")
    assert exported.returncode == 0, exported.stderr
    again = call(
        *training(tiny_cohort.root, split_file, run, "--resume", "--model", "unet", "--set", "loss.prediction=0.3")
    )
    assert_one_line_error(again, "--set", "loss.prediction=0.3")


def test_wrong_settings(tiny_cohort, split_file, tmp_path, call):
    for setting in ("loss.none=1", "training.lr=fast"):
        result = call(*training(tiny_cohort.root, split_file, tmp_path / "x", "--set", setting))
        assert_one_line_error(result, "--set", setting)


def test_history_has_a_row_an_epoch(run):
    with open(run[0] / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2
    supervised, adversarial = rows
    health = ("real_labelled", "real_unlabelled", "real_fake", "variants_apart", "lr")
    health += ("coarse_gradient", "noise_gradient", "refine_gradient", "discriminator_gradient")
    for name in ("d_loss", "g1_loss", "g2_loss", "g3_loss", "dice", "val_dice", "val_dice_CSF", "seconds", *health):
        assert np.isfinite(float(adversarial[name])), name
    # Before the adversarial phase nothing of it is reported.
    missing = {name for name, value in supervised.items() if not value}
    assert {"d_loss", "g2_loss", "real_fake", "noise_gradient"} < missing
    assert not missing & {"g1_loss", "g3_loss", "refine_gradient", "dice", "val_dice", "lr", "seconds"}


def test_evaluation_has_every_test_subject_and_the_reference(run):
    evaluation = json.loads((run[0] / "evaluation.json").read_text())
    for scores in (evaluation, evaluation["references"]["qda"]):
        assert set(scores["subjects"]) == {"4", "5"}
        for tissue in ("CSF", "GM", "WM"):
            dice = [scores["subjects"][subject_id][tissue]["dice"] for subject_id in ("4", "5")]
            assert all(0 <= value <= 1 for value in dice)
            assert scores["mean"][tissue]["dice"] == pytest.approx(np.mean(dice))
    # Intensity tells the tiny brains' tissues apart.
    assert evaluation["references"]["qda"]["mean"]["WM"]["dice"] > 0.9


def test_figures_are_those_of_the_label_maps(run, tmp_path):
    """Dice of what `tf_msgan.predict` writes and the truth's own codes, counted here."""
    folder, _ = run
    data = Path(json.loads((folder / "config.json").read_text())["data"]["root"])
    images = [data / f"subject-4-{modality}.img" for modality in ("T1", "T2")]
    result = run_command("tf_msgan.predict", folder, "--input", *images, "--output", tmp_path, "--no-progress")
    assert result.returncode == 0, result.stderr
    (found,) = tmp_path.glob("*_dseg.nii.gz")
    predicted = np.asanyarray(nib.load(found).dataobj)
    truth = np.asanyarray(nib.load(images[0].with_name("subject-4-label.img")).dataobj)[..., 0]
    scores = json.loads((folder / "evaluation.json").read_text())["subjects"]["4"]
    for number, (tissue, code) in enumerate({"CSF": 10, "GM": 150, "WM": 250}.items(), start=1):
        is_true, is_predicted = truth == code, predicted == number
        overlap = 2 * np.sum(is_true & is_predicted) / (is_true.sum() + is_predicted.sum())
        assert scores[tissue]["dice"] == pytest.approx(overlap), tissue
    assert any(of["dice"] > 0 for of in scores.values())


def dice_by_row(evaluation):
    """What the tables must say: the Dice of each tissue and their mean, by the row's name."""
    scores = {**evaluation["subjects"], "multi-stage, mean": evaluation["mean"]}
    scores |= {f"{name.upper()}, mean": of["mean"] for name, of in evaluation["references"].items()}
    dice = {name: [of[tissue]["dice"] for tissue in ("CSF", "GM", "WM")] for name, of in scores.items()}
    return {name: [*values, sum(values) / 3] for name, values in dice.items()}


def test_table_is_printed(run):
    folder, result = run
    evaluation = json.loads((folder / "evaluation.json").read_text())
    assert re.search(r"^test Dice +CSF +GM +WM +mean$", result.stdout, re.MULTILINE)
    for name, dice in dice_by_row(evaluation).items():
        (values,) = re.findall(rf"^{name}((?: +[01]\.\d{{3}}){{4}})$", result.stdout, re.MULTILINE)
        assert [float(value) for value in values.split()] == pytest.approx(dice, abs=0.0006), name
    (values,) = re.findall(r"^mean HD95, mm +(.*)$", result.stdout, re.MULTILINE)
    expected = [of["hd95_mm"] for of in evaluation["mean"].values()]
    assert [float(value) for value in values.split()] == pytest.approx(expected, abs=0.006)


def test_report_holds_the_evaluation_and_its_pictures(run):
    folder, _ = run
    page = Page((folder / "report.html").read_text())
    evaluation = json.loads((folder / "evaluation.json").read_text())
    scores, distances = page.tables
    assert scores[0] == ["subject", "CSF", "GM", "WM", "mean"]
    expected = dice_by_row(evaluation)
    assert [row[0] for row in scores[1:]] == list(expected)
    for name, values in map(numbers, scores[1:]):
        assert values == pytest.approx(expected[name], abs=0.0006), name
    assert distances[0] == ["mean over the subjects", "CSF", "GM", "WM"]
    assert len(distances) == 5
    metrics = ("hd95_mm", "mhd_mm", "asd_mm", "avd_percent")
    for metric, (_, values) in zip(metrics, map(numbers, distances[1:]), strict=True):
        assert values == pytest.approx([of[metric] for of in evaluation["mean"].values()], abs=0.006), metric
    assert f"mean Dice of {evaluation['outline']['mean']:.3f} with all that is labelled" in page.text
    assert (
        "train 1, 2; validation 3; unlabeled 6, 7; test 4, 5." in page.text and "figures on phantoms" not in page.text
    )

    # Curves, health, samples and two subjects, as they lie in the folder; nothing is fetched from elsewhere.
    names = ("curves", "health", "samples", "subject-4", "subject-5")
    assert len(page.pictures) == 5
    for name, source in zip(names, page.pictures.values(), strict=True):
        assert np.array_equal(embedded(source), picture(folder / "figures" / f"{name}.png")), name
    assert list(page.addresses) == list(page.pictures.values())
    assert "subject 4: T1, truth, prediction, errors in three planes" in page.pictures


def test_config_repeats_the_run(run, tiny_cohort):
    config = json.loads((run[0] / "config.json").read_text())
    assert config["data"]["split"] == SPLIT
    assert config["data"]["root"] == str(tiny_cohort.root)
    assert config["config"]["training"]["patch"] == 16
    assert {"python", "tensorflow", "keras", "numpy"} <= set(config["versions"])
    assert config["command"][-1] == "--deterministic" and config["config"]["training"]["seed"] == 0
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (config["git"] or {}).get("commit", "") == commit.stdout.strip()
    assert re.fullmatch(r"[0-9a-f]{64}", config["data"]["sha256"])
    assert set(config["data"]["subjects_sha256"]) == set("1234567")


def test_samples_are_in_tensorboard(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(run[0] / "tensorboard" / "samples"), size_guidance={"tensors": 0})
    events.Reload()
    names = {f"samples/{name}" for name in ("image", "variant", "other_variant", "coarse", "refined")}
    assert set(events.Tags()["tensors"]) == names
    assert [event.step for event in events.Tensors("samples/refined")] == [0, 1]


def weights_digest(result):
    return re.search(r"^weights at the end: SHA-256 ([0-9a-f]{64})$", result.stdout, re.MULTILINE)[1]


@pytest.mark.slow
def test_equal_seeds_give_equal_weights_from_memory_and_from_a_cache(run, tiny_folder, split_file, tmp_path):
    # Neither role nor cache may make anything of an unlabelled subject's labels.
    (tiny_folder / "subject-6-label.hdr").write_bytes(b"not a label map")
    cache = tmp_path / "cache"
    again = train(tiny_folder, split_file, tmp_path / "again", "--cache", cache)
    assert again.returncode == 0, again.stderr
    assert weights_digest(again) == weights_digest(run[1])
    # Two labelled, one validation, two unlabelled; none of a test subject.
    assert len(list(cache.glob("iseg-*/shard.json"))) == 5
    assert not list(cache.glob("iseg-[45]-*"))


def test_a_loss_that_is_not_finite_stops_the_run(tiny_cohort, split_file, tmp_path, call):
    """One line that names the term; the checkpoint before stands."""
    options = (*UNET, "--epochs", 4, "--warmup-steps", 1, "--lr", "1e30")
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", *options))
    assert_one_line_error(result, tmp_path / "run", "finite loss")
    assert re.search(r"epoch \d, step \d: found unet_loss = (nan|inf|-inf);", result.stderr)
    done = len(list((tmp_path / "run").glob("checkpoints/epoch-*.npz")))
    assert ("checkpoint of epoch" in result.stderr) == (done > 0)


def test_evaluate_repeats_the_evaluation_where_the_scans_have_moved(run, tiny_cohort, tmp_path, call):
    shutil.copytree(tiny_cohort.root, tmp_path / "moved")
    shutil.copytree(run[0], tmp_path / "run")
    for made in ("evaluation.json", "report.html"):
        (tmp_path / "run" / made).unlink()
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["data"]["root"] = str(tmp_path / "gone")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert_one_line_error(call("tf_msgan.evaluate", tmp_path / "run"), "gone", "no such folder")
    moved = ("tf_msgan.evaluate", tmp_path / "run", "--data", tmp_path / "moved", "--no-progress")
    result = call(*moved)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "evaluation.json").read_text() == (run[0] / "evaluation.json").read_text()
    assert (tmp_path / "run" / "report.html").exists()
    (tmp_path / "run" / "samples").rename(tmp_path / "samples")
    assert_one_line_error(call(*moved), tmp_path / "run" / "samples", "no epoch-")
    (tmp_path / "samples").rename(tmp_path / "run" / "samples")
    # Other scans of the same names are not the run's.
    flip_bit(tmp_path / "moved" / "subject-5-T1.img")
    assert_one_line_error(call(*moved), tmp_path / "moved", "other files for subject 5")


def test_evaluate_without_a_run(tmp_path, call):
    assert_one_line_error(call("tf_msgan.evaluate", tmp_path / "nothing"), tmp_path / "nothing", "no such file")


def test_dry_run_prints_the_plan_and_trains_nothing(tiny_cohort, split_file, tmp_path, call):
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", "--dry-run"))
    assert result.returncode == 0, result.stderr
    assert not (tmp_path / "run").exists()
    output = result.stdout
    assert re.search(r"^train +2 +1, 2$", output, re.MULTILINE)
    assert re.search(r"^test +2 +4, 5$", output, re.MULTILINE)
    assert "16×16×16 voxels, 1 labelled and 1 unlabelled a step" in output
    assert "2 epochs × 2 = 4" in output
    for network in ("coarse", "noise", "encoder", "refine", "discriminator"):
        assert re.search(rf"^{network} .*\d$", output, re.MULTILINE)
    assert re.search(r"^memory +about [\d,]+ MiB", output, re.MULTILINE)


def test_some_modalities_train(tiny_cohort, split_file, tmp_path, call):
    asked = ("--modalities", "T2", "--dry-run")
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", *asked))
    assert result.returncode == 0, result.stderr
    assert f"in {tiny_cohort.root}, T2\n" in result.stdout and "(·, ·, ·, ·, 1)" in result.stdout
    other = call("tf_msgan.train", "--data", tiny_cohort.root, "--modalities", "T2", "FLAIR", "--out", tmp_path / "run")
    assert_one_line_error(other, tiny_cohort.root, "no modality FLAIR", "T1, T2")
    report = json.loads(call("tf_msgan.doctor", tiny_cohort.root, "--modalities", "T2", "--json").stdout)
    assert report["modalities"] == ["T2"] and set(report["subjects"][0]["ranges"]) == {"T2"}
    assert not (tmp_path / "run").exists()


def test_dry_run_checks_as_training_would(tiny_folder, split_file, tmp_path, call):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep me")
    result = call(*training(tiny_folder, split_file, tmp_path / "mine", "--dry-run"))
    assert_one_line_error(result, tmp_path / "mine", "something there already")
    path = tiny_folder / "subject-6-T1.img"
    path.write_bytes(path.read_bytes()[:99])
    assert_one_line_error(
        call(*training(tiny_folder, split_file, tmp_path / "run", "--dry-run")), "subject-6-T1", "truncated"
    )


def test_dry_run_says_what_is_amiss(tiny_folder, tmp_path, call):
    for path in tiny_folder.glob("subject-7-T2.*"):
        path.unlink()
    roles = {"train": ["1"], "validation": [], "unlabeled": [], "test": ["2"]}
    (tmp_path / "split.json").write_text(json.dumps(roles))
    result = call(*training(tiny_folder, tmp_path / "split.json", tmp_path / "run", "--dry-run"))
    for remark in (
        "stand in for unlabelled ones",
        "without validation",
        "one subject trains; with --split all",
        "want of a modality: 1, ",
    ):
        assert remark in result.stdout, result.stdout + result.stderr


def test_wrong_folder(tmp_path, call):
    result = call("tf_msgan.train", "--data", tmp_path / "absent", "--out", tmp_path / "run")
    assert_one_line_error(result, tmp_path / "absent", "no such folder")


def test_missing_modality(tiny_folder, split_file, tmp_path, call):
    for path in tiny_folder.glob("subject-6-T2.*"):
        path.unlink()
    assert_one_line_error(
        call(*training(tiny_folder, split_file, tmp_path / "run")), tiny_folder, "no T2 for subject 6"
    )
    assert not (tmp_path / "run").exists()


def test_unknown_label_value(tiny_folder, split_file, tmp_path, call):
    path = tiny_folder / "subject-2-label.img"
    codes = bytearray(path.read_bytes())
    codes[len(codes) // 2] = 77
    path.write_bytes(codes)
    result = call(*training(tiny_folder, split_file, tmp_path / "run"))
    assert_one_line_error(result, "subject-2-label.hdr", "[77]", "[0, 10, 150, 250]")
    assert not (tmp_path / "run").exists()


def test_truncated_file(tiny_folder, split_file, tmp_path):
    path = tiny_folder / "subject-7-T1.img"
    path.write_bytes(path.read_bytes()[:1000])
    result = train(tiny_folder, split_file, tmp_path / "run")
    assert_one_line_error(result, "subject-7-T1.hdr", "truncated")
    assert not (tmp_path / "run").exists()


def test_wrong_flags(tiny_cohort, split_file, tmp_path, call):
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", "--patch", 20))
    assert_one_line_error(result, "--patch", "20", "multiple of 8")
    result = call(*training(tiny_cohort.root, "nonsense", tmp_path / "run"))
    assert_one_line_error(result, "nonsense", "iseg-few-shot")
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", *UNET, "--gan-loss", "lsgan"))
    assert_one_line_error(result, "--gan-loss", "lsgan", "adversarial")
    result = call(*training(tiny_cohort.root, "all", tmp_path / "run", "--patience", 3))
    assert_one_line_error(result, "--patience", "3", "validation")
    # A run folder is emptied when its run begins.
    result = call(*training(tiny_cohort.root, split_file, tmp_path / "run", "--cache", tmp_path / "run" / "shards"))
    assert_one_line_error(result, "--cache", "outside")
    assert not (tmp_path / "run").exists()


def test_folder_in_use_is_kept(tiny_cohort, split_file, tmp_path):
    (tmp_path / "mine.txt").write_text("keep me")
    assert_one_line_error(train(tiny_cohort.root, split_file, tmp_path), tmp_path, "--overwrite")
    assert_one_line_error(train(tiny_cohort.root, split_file, tmp_path, "--overwrite"), tmp_path, "no config.json")
    assert (tmp_path / "mine.txt").exists()


def test_help_is_quick_to_import():
    """TensorFlow must not load for --help."""
    result = run_command("tf_msgan.train", "--help")
    assert result.returncode == 0 and "--dry-run" in result.stdout
    code = "import sys, tf_msgan.train; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
def test_forty_steps_on_the_real_neonates(albert, tmp_path):
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["01"], "validation": ["02"], "unlabeled": ["08"], "test": ["03"]}))
    result = run_command(
        *("tf_msgan.train", "--layout", "albert", "--data", ALBERT, "--split", split, "--out", tmp_path / "run"),
        *("--epochs", 1, "--steps-per-epoch", 40, "--batch-size", 2, "--no-progress"),
    )
    assert result.returncode == 0, result.stderr
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert set(evaluation["subjects"]) == {"03"}
    # Forty steps learn something of the tissue that fills most of the brain.
    assert evaluation["mean"]["GM"]["dice"] > 0.4


@pytest.mark.slow
def test_first_run_on_the_embedded_cohort(tmp_path):
    """No arguments but the run's length: the phantoms are drawn into the cache folder, once, and named as what they
    are."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    arguments = ("--out", tmp_path / "run", "--epochs", 1, "--steps-per-epoch", 5, "--overwrite")
    first = run_command("tf_msgan.train", *arguments, env=environment)
    assert first.returncode == 0, first.stderr
    assert "drawing the embedded phantoms: done" in first.stdout
    assert "figures on phantoms" in first.stdout
    assert "figures on <b>phantoms</b>" in (tmp_path / "run" / "report.html").read_text()
    assert set(json.loads((tmp_path / "run" / "evaluation.json").read_text())["subjects"]) == set("456789") | {"10"}
    second = run_command("tf_msgan.train", "--dry-run", env=environment)
    assert second.returncode == 0 and "drawing" not in second.stdout
    # Whoever empties the cache loses no run.
    shutil.rmtree(tmp_path / "cache")
    third = run_command("tf_msgan.train", "--resume", "--out", tmp_path / "run", env=environment)
    assert third.returncode == 0, third.stderr
    assert "drawing the embedded phantoms: done" in third.stdout and "resuming: 1 of 1" in third.stdout
