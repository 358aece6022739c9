"""From a recipe to stages, and from a stage to the prototxt files that run."""

import json
import os

import pytest

from segflow.errors import DataError, MissingDataError, UsageError
from segflow.training.networks import NetFolder, find_net
from segflow.training.recipe import Recipe, make_plan

caffe_pb2 = pytest.importorskip("caffe.proto.caffe_pb2")

from segflow.inference.networks import read_net, read_solver  # noqa: E402
from segflow.training.stage_files import let_layers_be_found, write_stage_files  # noqa: E402


def kinds(plan):
    return [(stage.round, stage.kind, stage.iterations) for stage in plan]


def test_stages_alternate_round_by_round(tiny):
    recipe = Recipe(str(tiny), rounds=2, seg_iters=5, flow_iters=7)
    assert kinds(make_plan(recipe, NetFolder(tiny))) == [
        (1, "segmentation", 5),
        (1, "flow", 7),
        (2, "segmentation", 5),
        (2, "flow", 7),
    ]


def test_a_flow_stage_can_come_before_the_rounds(tiny):
    recipe = Recipe(str(tiny), mode="joint", flow_first=3, joint_iters=4)
    assert kinds(make_plan(recipe, NetFolder(tiny))) == [(0, "flow", 3), (1, "joint", 4)]


@pytest.mark.parametrize("net", ["segflow", "ablations/segflow/segmentation_to_flow"])
def test_another_size_than_the_one_of_the_published_net_is_refused_before_any_stage(net):
    folder = find_net(net)
    make_plan(Recipe(net, size=(480, 854)), folder)
    with pytest.raises(UsageError, match="--size 96x160.*480x854 only"):
        make_plan(Recipe(net, size=(96, 160)), folder)


def test_lite_takes_any_size():
    assert make_plan(Recipe("segflow_lite", size=(96, 160)), find_net("segflow_lite"))


def test_iterations_come_from_the_solver_where_none_are_given(tiny):
    assert kinds(make_plan(Recipe(str(tiny), mode="joint"), NetFolder(tiny))) == [(1, "joint", 6)]


def test_iterations_of_a_stage_that_the_rounds_do_not_have_are_told():
    said = []
    folder = find_net("pwcnet")
    plan = make_plan(Recipe(str(folder.path), seg_iters=2, flow_iters=7), folder, said.append)
    assert kinds(plan) == [(1, "flow", 7)]
    assert any("--seg-iters 2 has no effect" in text for text in said)
    assert not any("flow-iters" in text for text in said)


@pytest.mark.parametrize("mode", ["alternate", "joint"])
def test_an_ablation_with_one_branch_trains_that_branch(mode):
    said = []
    folder = find_net("ablations/segflow_lite/without_flow")
    recipe = Recipe(str(folder.path), mode=mode, seg_iters=5, flow_iters=7, joint_iters=5)
    assert kinds(make_plan(recipe, folder, said.append)) == [(1, "segmentation", 5)]
    assert said


@pytest.mark.parametrize(
    "values, words",
    [
        ({"rounds": -1}, "--rounds -1"),
        ({"batch": 0}, "--batch 0"),
        ({"lr": 0.0}, "--lr 0"),
        ({"mode": "both"}, "alternate, joint"),
        ({"weight_average": 1.0}, "0 to below 1"),
    ],
)
def test_values_that_make_no_plan_are_refused(tiny, values, words):
    with pytest.raises(UsageError, match=words):
        make_plan(Recipe(str(tiny), **values), NetFolder(tiny))


def test_an_unknown_network_is_told_with_the_bundled_ones():
    with pytest.raises(MissingDataError, match="segflow_lite"):
        find_net("segflow_light")


def stage_files(recipe, folder, kind, tmp_path, said=None):
    plan = make_plan(recipe, folder)
    stage = next(stage for stage in plan if stage.kind == kind)
    say = (lambda text: None) if said is None else said.append
    files = write_stage_files(recipe, folder, stage, tmp_path, say)
    return read_net(files.net), read_solver(files.solver), stage


def test_the_recipe_reaches_the_sample_layer_and_the_solver(tmp_path):
    folder = find_net("segflow_lite")
    recipe = Recipe(
        str(folder.path), davis="/d", stills=("/s", "/t"), exclude=("bear",), mode="joint",
        joint_iters=50, size=(64, 96), batch=3, lr=0.001, weight_average=0.5, warm_up=9, seed=4,
    )  # fmt: skip
    net, solver, stage = stage_files(recipe, folder, "joint", tmp_path)
    settings = json.loads(net.layer[0].python_param.param_str)
    assert settings["davis_dir"] == "/d" and settings["stills_dir"] == ["/s", "/t"]
    assert settings["flow_dir"] == [] and settings["exclude"] == ["bear"]
    assert (settings["height"], settings["width"], settings["batch_size"]) == (64, 96, 3)
    assert solver.max_iter == 50 and solver.base_lr == pytest.approx(0.001)
    assert solver.weight_average == 0.5 and solver.stepsize == 5  # a tenth of the stage
    assert solver.type == "Adam" and solver.random_seed == 4
    assert solver.net.endswith(f"{stage.file_stem}.prototxt") and os.path.isabs(solver.net)
    original = read_net(folder.net_file("joint"))
    assert list(net.layer)[1:] == list(original.layer)[1:]


@pytest.mark.parametrize("name", ["flownets", "flownetc", "pwcnet"])
def test_a_flow_network_trains_its_flow_on_frames_without_a_mean_taken_off(name, tmp_path):
    folder = find_net(name)
    assert kinds(make_plan(Recipe(name, flow_iters=5), folder)) == [(1, "flow", 5)]
    recipe = Recipe(name, flow=("/f",), size=(64, 128), batch=2, flow_iters=5)
    net, solver, _ = stage_files(recipe, folder, "flow", tmp_path)
    settings = json.loads(net.layer[0].python_param.param_str)
    assert settings["mean"] == [0, 0, 0] and settings["flow_dir"] == ["/f"]
    assert (settings["height"], settings["batch_size"]) == (64, 2)
    assert solver.max_iter == 5 and solver.weight_decay == pytest.approx(0.0004)


def test_each_stage_sees_samples_of_its_own(tiny, tmp_path):
    recipe = Recipe(str(tiny), rounds=2)
    seeds = set()
    for stage in make_plan(recipe, NetFolder(tiny)):
        files = write_stage_files(recipe, NetFolder(tiny), stage, tmp_path)
        settings = json.loads(read_net(files.net).layer[0].python_param.param_str)
        seeds.add(settings["seed"])
    assert len(seeds) == 4


def test_a_layer_of_another_kind_gets_only_keys_that_it_has(tiny, tmp_path):
    recipe = Recipe(str(tiny), davis="/d", size=(16, 24), batch=5)
    net, _, _ = stage_files(recipe, NetFolder(tiny), "segmentation", tmp_path)
    assert set(json.loads(net.layer[0].python_param.param_str)) == {"stage", "batch_size", "seed"}


def test_the_published_davis_layer_stays_where_its_data_is(tmp_path):
    folder = find_net("segflow")
    net, _, _ = stage_files(Recipe(str(folder.path), davis="/d"), folder, "segmentation", tmp_path)
    param = net.layer[0].python_param
    settings = json.loads(param.param_str)
    assert param.module == "SegFlow_davis_fgbg_data_layer"
    assert settings["davis_dir"] == "/d" and settings["aug_params"][0] == 1000


def test_the_published_davis_layer_gives_way_to_samples_where_there_is_no_davis(tmp_path):
    folder, said = find_net("segflow"), []
    net, _, _ = stage_files(Recipe(str(folder.path)), folder, "segmentation", tmp_path, said)
    param = net.layer[0].python_param
    settings = json.loads(param.param_str)
    assert (param.module, param.layer) == ("training_sample_data_layer", "TrainingSampleDataLayer")
    assert (settings["height"], settings["width"], settings["batch_size"]) == (480, 854, 1)
    assert any("training_sample_data_layer" in text for text in said)


def test_layers_are_found_beside_the_network(tiny, monkeypatch):
    monkeypatch.setenv("CAFFE_PYTHON_LAYERS", "/mine")
    let_layers_be_found(NetFolder(tiny))
    places = os.environ["CAFFE_PYTHON_LAYERS"].split(os.pathsep)
    assert places[0] == str(tiny) and places[-1] == "/mine"
    assert any(place.endswith("python_layers") for place in places)


def test_a_recipe_comes_back_from_json(tiny):
    recipe = Recipe(str(tiny), weights=("a", "b"), size=(8, 9), lr=1e-3)
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe
    with pytest.raises(DataError, match="sise"):
        Recipe.from_dict({"net": "x", "sise": 3})
