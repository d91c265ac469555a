"""An experiment's file: all that is wrong with it is said at once, with table and key, before anything is loaded."""

import re
import tomllib

import pytest

from minis2s import experiment, runs
from minis2s.data.tasks import TASKS
from minis2s.experiment import Experiment, check, prepare, read

GOOD = """
[task]
name = "addition"
source_tokens = "characters"
target_tokens = "characters"
train = 60
valid = 4
test = 5

[model]
embedding_size = 4
hidden_size = 6

[training]
lr = 1e-2
epochs = 1

[evaluation]
width = 1
"""

# table, what is put into it (a key that is there is replaced, "-key" taken away), what is said
BAD = [
    ("task", "-name", r"\[task\] does not say name"),
    ("task", "-source_tokens", r"\[task\] does not say source_tokens"),
    ("task", 'name = "sums"', r"\[task\] name must be one of copy, .*; got 'sums'"),
    ("task", "name = [1]", r"\[task\] name must be one of copy, .*; got \[1\]"),
    ("task", 'target_tokens = "bytes"', r"\[task\] target_tokens must be one of characters, .*; got 'bytes'"),
    ("task", "digit = 3", r"\[task\] has the unknown key digit; it may have .*digits"),
    ("task", 'directory = "/"', r"\[task\] has the unknown key directory"),
    ("task", 'digits = "3"', r"\[task\] digits must be a whole number, got '3'"),
    ("task", "min_count = 0", r"\[task\] min_count must be a whole number above 0, got 0"),
    ("task", "max_size = 4", r"\[task\] max_size must be above 4"),
    ("task", "train = 0", r"\[task\] train must be a whole number above 0, got 0"),
    ("task", "valid = 0", r"\[task\] valid must be a whole number above 0, got 0"),
    ("task", "test = 0", r"\[task\] test must be a whole number above 0, got 0"),
    ("task", "test = true", r"\[task\] test must be a whole number, got True"),
    ("model", "hiden_size = 6", r"\[model\] has the unknown key hiden_size; it may have .*hidden_size"),
    ("model", "input_size = 6", r"\[model\] has the unknown key input_size"),
    ("model", 'hidden_size = "x"', r"\[model\] hidden_size must be a whole number, got 'x'"),
    ("model", "hidden_size = 0", r"\[model\] hidden_size must be a whole number above 0, got 0"),
    ("model", "embedding_size = 1.5", r"\[model\] embedding_size must be a whole number, got 1\.5"),
    ("model", "bidirectional = 1", r"\[model\] bidirectional must be true or false, got 1"),
    ("model", 'cell = "gnu"', r"\[model\] cell must be one of .*; got 'gnu'"),
    ("model", 'context = "state"', r"\[model\] context \(with attention 'additive'\) must be one of .*; got 'state'"),
    ("model", 'attention = "position"', r"\[model\] attention 'position' needs max_length"),
    ("model", "dropout = 1.0", r"\[model\] .*dropout.* must lie in \[0, 1\), got 1\.0"),
    ("training", "-lr", r"\[training\] does not say lr"),
    ("training", "-epochs", r"\[training\] does not say epochs"),
    ("training", "learning_rate = 1.0", r"\[training\] has the unknown key learning_rate; it may have lr, "),
    ("training", "report = 1", r"\[training\] has the unknown key report"),
    ("training", 'lr = "x"', r"\[training\] lr must be a number, got 'x'"),
    ("training", "lr = nan", r"\[training\] lr .*must be above 0, got nan"),
    ("training", "lr = true", r"\[training\] lr must be a number, got True"),
    ("training", 'clip = "x"', r"\[training\] clip must be a number, got 'x'"),
    ("training", "clip = 0", r"\[training\] clip must be above 0, got 0"),
    ("training", "batch_size = 0", r"\[training\] batch_size must be a whole number above 0, got 0"),
    ("training", "epochs = 0", r"\[training\] epochs must be a whole number above 0, got 0"),
    ("training", "epochs = 1.5", r"\[training\] epochs must be a whole number, got 1\.5"),
    ("training", "minutes = 0", r"\[training\] minutes must be above 0, got 0"),
    ("training", "minutes = -1.0", r"\[training\] minutes must be above 0, got -1\.0"),
    ("training", 'patience = "x"', r"\[training\] patience must be a whole number, got 'x'"),
    ("training", "patience = 0", r"\[training\] patience must be a whole number above 0, got 0"),
    ("training", "good_enough = 99", r"\[training\] good_enough must lie between 0 and 1, got 99"),
    ("training", 'choose_by = "bleu"', r"\[training\] choose_by must be one of exact_match, loss; got 'bleu'"),
    ("training", 'teacher_forcing = "x"', r"\[training\] teacher_forcing must be a number or a list, got 'x'"),
    ("training", "teacher_forcing = 2", r"\[training\] teacher_forcing must lie between 0 and 1, got 2"),
    (
        "training",
        "teacher_forcing = [1.0, 0.5]",
        r"\[training\] teacher_forcing does not fit falling\(start, end, steps\): .*'steps'; got \[1\.0, 0\.5\]",
    ),
    ("training", 'teacher_forcing = [1.0, "x", 3]', r"\[training\] teacher_forcing does not fit .*: it takes numbers"),
    ("training", "teacher_forcing = [1.0, 2, 3]", r"\[training\] teacher_forcing does not fit .* got 2"),
    ("training", "teacher_forcing = [1.0, 0.5, 0]", r"\[training\] teacher_forcing does not fit .*steps must be"),
    ("training", 'schedule = "cosine"', r"\[training\] schedule must be a list, got 'cosine'"),
    ("training", "schedule = []", r"\[training\] schedule must be one of warmup, halving, cosine; got None"),
    ("training", 'schedule = ["sine", 3]', r"\[training\] schedule must be one of warmup, .*; got 'sine'"),
    ("training", 'schedule = [["cosine"]]', r"\[training\] schedule must be one of warmup, .*; got \['cosine'\]"),
    ("training", 'schedule = ["cosine"]', r"\[training\] schedule does not fit cosine\(steps, floor=0\.0\): .*'steps'"),
    ("training", 'schedule = ["warmup", 1, 2]', r"\[training\] schedule does not fit warmup\(steps\): too many"),
    ("training", 'schedule = ["halving", "x", 2]', r"\[training\] schedule does not fit halving.*: it takes numbers"),
    ("training", 'schedule = ["warmup", 1.5]', r"\[training\] schedule does not fit .*: steps must be .* got 1\.5"),
    ("evaluation", "beam = 2", r"\[evaluation\] has the unknown key beam; it may have metrics, width, length_penalty$"),
    ("evaluation", 'metrics = "bleu"', r"\[evaluation\] metrics must be a list, got 'bleu'"),
    ("evaluation", 'metrics = ["blue"]', r"\[evaluation\] metrics must be one of exact_match, .*; got 'blue'"),
    ("evaluation", 'metrics = ["per"]', r"\[evaluation\] metrics hold 'per', which needs references"),
    ("evaluation", "width = 0", r"\[evaluation\] width must be a whole number above 0, got 0"),
    ("evaluation", "length_penalty = -1", r"\[evaluation\] length_penalty must be a number from 0 upwards, got -1"),
    ("evaluation", "length_penalty = nan", r"\[evaluation\] length_penalty must be a number from 0 upwards, got nan"),
]


def changed(table, line):
    """GOOD with one line of one table put in, replaced or taken away."""
    tables = tomllib.loads(GOOD)
    if line.startswith("-"):
        del tables[table][line[1:]]
    else:
        tables[table] |= tomllib.loads(line)
    return Experiment("changed", *tables.values())


@pytest.fixture
def nothing_is_loaded(monkeypatch):
    def load_task(*_, **__):
        raise AssertionError("the task was loaded")

    monkeypatch.setattr(experiment, "load_task", load_task)


@pytest.mark.parametrize(("table", "line", "message"), BAD, ids=[f"{table}: {line}" for table, line, _ in BAD])
def test_a_mistake_is_said_before_anything_is_loaded_or_written(table, line, message, tmp_path, nothing_is_loaded):
    with pytest.raises(ValueError, match=f"^{message}") as refused:
        runs.train(changed(table, line), tmp_path / "run")
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0}, r"minutes must be above 0, got 0"),
        ({"seed": -1}, "^seed must be a whole number from 0 upwards, got -1"),
        ({"seed": "1"}, "^seed must be a whole number from 0 upwards, got '1'"),
        ({"seed": True}, "^seed must be a whole number from 0 upwards, got True"),
    ],
)
def test_what_is_said_beside_the_file_is_checked_too(options, message, nothing_is_loaded):
    with pytest.raises(ValueError, match=message):
        prepare(changed("task", "train = 60"), **options)


@pytest.mark.parametrize("section", ["task", "model", "training", "evaluation"])
def test_a_section_that_is_no_table_is_refused(section, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f"{section} = 3\n" + re.sub(rf"(?m)^\[{section}\]", "[other]", GOOD), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"mine\.toml.*({section}|must have the tables)"):
        read(path)


def written(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_may_say_only_what_differs(tmp_path):
    base = read("tatoeba")
    changed = read(written(tmp_path, 'extends = "tatoeba"\n[model]\nattention = "none"\n[evaluation]\nwidth = 2\n'))
    assert changed.name == "mine" and changed.task == base.task and changed.training == base.training
    assert changed.model == base.model | {"attention": "none"}
    assert changed.evaluation == base.evaluation | {"width": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "tatoba"', "mine.toml: extends must be one of .*; got 'tatoba'"),
        ("extends = 3", "mine.toml: extends must be one of .*; got 3"),
        ('extends = "tatoeba-fixed"', "mine.toml extends tatoeba-fixed, which extends tatoeba: one step is the most"),
        ('extends = "tatoeba"\nmodel = 3', r"mine.toml: \[model\] must be a table, got 3"),
        ('extends = "tatoeba"\n[modle]', "mine.toml must have the tables .*, got .*modle"),
    ],
)
def test_what_cannot_be_extended_is_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read(written(tmp_path, text))


@pytest.mark.parametrize("name", [name for name in experiment.names() if name.endswith("-fixed")])
def test_a_twin_differs_in_its_attention_alone(name):
    twin, attends = read(name), read(name.removesuffix("-fixed"))
    assert twin.task == attends.task and twin.training == attends.training
    assert twin.model == attends.model | {"attention": "none", "context": "every step and output"}
    assert set(attends.evaluation.get("metrics", [])) - set(twin.evaluation.get("metrics", [])) <= {"alignment"}


@pytest.mark.parametrize("name", experiment.names())
def test_every_experiment_can_be_read_and_built(name, nothing_is_loaded):
    """Config, model, optimiser and schedule are made, for a vocabulary of one letter; corpora need not be there."""
    check(read(name))


@pytest.mark.parametrize(
    "line",
    [
        'schedule = ["warmup", 4]',
        'schedule = ["halving", 4, 2]',
        'schedule = ["cosine", 4, 0.1]',
        "teacher_forcing = [1, 0.5, 4]",
        "teacher_forcing = 1",
        "clip = 5",
        "patience = 3",
        "good_enough = 1",
    ],
)
def test_what_is_right_is_taken(line):
    prepared = prepare(changed("training", line))
    assert len(prepared.train) == 60 and len(prepared.valid) == 4
    assert prepared.trainer.seed == 0 and prepared.fit["epochs"] == 1


def test_the_tables_reach_the_trainer():
    lines = 'schedule = ["warmup", 4]\nteacher_forcing = [1.0, 0.5, 4]\nclip = 2'
    trainer = prepare(changed("training", lines)).trainer
    assert [trainer.schedule(step) for step in (0, 3)] == [0.25, 1]
    assert [trainer.teacher_forcing(step) for step in (0, 2, 9)] == [1, 0.75, 0.5]
    assert trainer.clip == 2 and trainer.lr == 1e-2


def test_minutes_given_beside_the_file_go_before_those_in_it():
    minutes = changed("training", "minutes = 5")
    assert prepare(minutes).fit == {"epochs": 1, "minutes": 5}
    assert prepare(minutes, minutes=0.5).fit == {"epochs": 1, "minutes": 0.5}


@pytest.mark.parametrize("name", TASKS)
def test_the_options_of_every_task_are_known(name):
    """An option that the task has is taken, one that it has not is refused."""
    tables = tomllib.loads(GOOD)
    task = {key: tables["task"][key] for key in ("source_tokens", "target_tokens")} | {"name": name}
    check(Experiment("every", task, *list(tables.values())[1:]))
    with pytest.raises(ValueError, match=r"\[task\] has the unknown key seed"):
        check(Experiment("every", task | {"seed": 1}, *list(tables.values())[1:]))
