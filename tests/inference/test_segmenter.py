"""VideoSegmenter on a network whose right answers are known."""

import numpy as np
import pytest
import tiny_network
from tiny_sets import disc, object_picture

from segflow.errors import DataError, MissingDataError, UsageError
from segflow.metrics.region import region_similarity
from segflow.readers.clip import Frame


def frames(count, size=(60, 104)):
    """Frames with a disc that moves by 4 px a frame, and their masks."""
    masks = [disc(*size, (30 + 4 * t, 30), 16) for t in range(count)]
    return [object_picture(t, mask) for t, mask in enumerate(masks)], masks


@pytest.fixture
def segmenter(tiny):
    from segflow import VideoSegmenter
    from segflow.inference import Pass

    return VideoSegmenter(*tiny, quality=[Pass(48)])


def test_masks_and_flow_have_the_frames_size_and_units(segmenter):
    images, masks = frames(2)
    result = segmenter.pair(images[0], images[1])
    assert result.mask.dtype == np.uint8 and result.mask.shape == (60, 104)
    assert set(np.unique(result.mask)) == {0, 1}
    assert region_similarity(result.mask, masks[0]) > 0.95
    assert result.probability.dtype == np.float32
    np.testing.assert_array_equal(result.mask, result.probability > 0.5)
    height, width = segmenter.working_sizes((60, 104))[0]
    assert (height, width) == (48, 83)
    expected = (tiny_network.FLOW[0] * 104 / width, tiny_network.FLOW[1] * 60 / height)
    np.testing.assert_allclose(result.flow, np.broadcast_to(expected, (60, 104, 2)), rtol=1e-4)


def test_frames_of_any_size_follow_each_other(segmenter):
    for size in ((60, 104), (33, 31), (5, 3), (1, 1), (130, 70)):
        image = np.full((*size, 3), 200, np.uint8)
        result = segmenter.pair(image, image)
        assert result.mask.shape == size and result.flow.shape == (*size, 2)
        assert result.mask.all() and np.isfinite(result.flow).all()


def test_passes_are_averaged_and_mirrored_ones_turned_back(tiny):
    from segflow import VideoSegmenter
    from segflow.inference import Pass

    segmenter = VideoSegmenter(*tiny, quality=[Pass(48), Pass(48, True)])
    images, masks = frames(1)
    result = segmenter.pair(images[0], images[0])
    assert region_similarity(result.mask, masks[0]) > 0.95
    # The net gives the same flow for a mirrored frame: turned back, it cancels the other's u.
    np.testing.assert_allclose(result.flow[..., 0], 0, atol=1e-4)
    np.testing.assert_allclose(result.flow[..., 1], tiny_network.FLOW[1] * 60 / 48, rtol=1e-4)


def test_passes_of_several_heights_share_the_weights(tiny):
    from segflow import VideoSegmenter
    from segflow.inference import Pass

    segmenter = VideoSegmenter(*tiny, quality=[Pass(32), Pass(48)])
    images, masks = frames(1)
    assert region_similarity(segmenter.pair(images[0], images[0]).mask, masks[0]) > 0.9


def test_step_is_one_frame_behind_and_finish_gives_the_last(segmenter):
    images, _ = frames(3)
    assert segmenter.step(images[0]) is None
    results = [segmenter.step(images[1]), segmenter.step(images[2]), segmenter.finish()]
    assert segmenter.finish() is None
    for image, following, result in zip(images, [*images[1:], images[2]], results, strict=True):
        assert result.image is image
        np.testing.assert_array_equal(
            result.probability, segmenter.pair(image, following).probability
        )


def test_run_gives_every_frame_in_order(segmenter):
    images, _ = frames(3)
    clip = [Frame(f"f{t}", image) for t, image in enumerate(images)]
    names = [(frame.name, result.image is frame.image) for frame, result in segmenter.run(clip)]
    assert names == [("f0", True), ("f1", True), ("f2", True)]
    with pytest.raises(DataError, match="no frames"):
        list(segmenter.run([]))


def test_run_reads_only_one_frame_ahead(segmenter):
    images, _ = frames(4)
    read = []

    def clip():
        for t, image in enumerate(images):
            read.append(t)
            yield Frame(str(t), image)

    running = segmenter.run(clip())
    next(running)
    assert read == [0, 1]
    next(running)
    assert read == [0, 1, 2]


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        "a path",
    ],
)
def test_what_is_no_frame_is_refused(segmenter, frame):
    with pytest.raises(DataError, match=r"\(H, W, 3\) uint8"):
        segmenter.step(frame)


def test_frames_of_two_sizes_are_refused_and_the_next_pair_works(segmenter):
    images, _ = frames(1)
    with pytest.raises(DataError, match="104x60 and then 50x40"):
        segmenter.pair(images[0], np.zeros((40, 50, 3), np.uint8))
    assert segmenter.pair(images[0], images[0]).mask.any()


def test_other_weights_can_be_taken_and_reset_brings_the_first_back(caffe, segmenter):
    images, masks = frames(1)
    net = caffe.Net(str(segmenter.files.deploy), caffe.TEST)
    net.params["score_head"][1].data[...] = -1000
    segmenter.take_weights(net)
    assert not segmenter.pair(images[0], images[0]).mask.any()
    segmenter.reset()
    assert region_similarity(segmenter.pair(images[0], images[0]).mask, masks[0]) > 0.95


def test_a_net_without_flow_gives_masks_and_says_so(caffe, tmp_path):
    from segflow import VideoSegmenter

    deploy = tiny_network.write_network(tmp_path, flow=False)
    segmenter = VideoSegmenter(deploy, tiny_network.write_weights(deploy), "fast")
    result = segmenter.pair(*2 * [frames(1)[0][0]])
    assert result.flow is None and result.mask.any()
    assert any("no flow" in note for note in segmenter.notes)


def test_a_net_without_masks_gives_flow_and_says_so(caffe, tmp_path):
    from segflow import VideoSegmenter

    deploy = tiny_network.write_network(tmp_path, mask=False)
    segmenter = VideoSegmenter(deploy, tiny_network.write_weights(deploy), "fast")
    result = segmenter.pair(*2 * [frames(1)[0][0]])
    assert result.mask is None and result.probability is None and result.flow is not None
    assert any("no masks" in note for note in segmenter.notes)


def test_zero_mask_heads_are_refused_by_name(tiny):
    from segflow import VideoSegmenter

    weights = tiny_network.write_weights(tiny[0], scale=0.0)
    with pytest.raises(DataError, match="score_head.*every mask would be empty"):
        VideoSegmenter(tiny[0], weights)


def test_a_zero_flow_decoder_gives_way_to_the_flow_of_flownets(caffe, tmp_path):
    from segflow import VideoSegmenter

    deploy = tiny_network.write_network(tmp_path)
    own = tiny_network.RESULT.format("predict_flow_final", "both", 2, "")
    deploy.write_text(deploy.read_text() + own)
    net = caffe.Net(str(deploy), caffe.TEST)
    net.params["score_flow_head"][0].data[...] = 0
    net.params["predict_flow_final_head"][0].data[...] = 0
    net.params["predict_flow_final_head"][1].data[...] = (0, 4)
    net.save(str(tmp_path / "w.caffemodel"))
    segmenter = VideoSegmenter(deploy, tmp_path / "w.caffemodel", "fast")
    assert "score_flow_head" in segmenter.notes[0] and "predict_flow_final" in segmenter.notes[0]
    flow = segmenter.pair(*2 * [np.zeros((240, 240, 3), np.uint8)]).flow
    np.testing.assert_allclose(flow, np.broadcast_to([0.0, 4.0], flow.shape))
    net.params["score_flow_head"][0].data[...] = 1e-9
    net.save(str(tmp_path / "w.caffemodel"))
    segmenter.reset()
    assert segmenter.flow_blob == "score_flow" and not segmenter.notes


def test_weights_of_another_network_are_refused(caffe, tiny, tmp_path):
    from segflow import VideoSegmenter

    text = tiny_network.deploy_text().replace("_head", "_other")
    other = tmp_path / "other.prototxt"
    other.write_text(text)
    caffe.Net(str(other), caffe.TEST).save(str(tmp_path / "other.caffemodel"))
    with pytest.raises(DataError, match="belong to another network"):
        VideoSegmenter(tiny[0], tmp_path / "other.caffemodel")
    part = tiny_network.write_network(tmp_path / "part", flow=False)
    with pytest.raises(DataError, match="no weights for score_flow_head"):
        VideoSegmenter(tiny[0], tiny_network.write_weights(part))


def test_missing_files_are_named(caffe, tiny, tmp_path):
    from segflow import VideoSegmenter

    cases = [
        (("no.prototxt", None), MissingDataError, "no.prototxt"),
        ((tmp_path, None), DataError, "without deploy.prototxt"),
        ((tiny[0], None), MissingDataError, "no weights of its own"),
        ((tiny[0], tmp_path / "no.caffemodel"), MissingDataError, "no.caffemodel"),
        ((tiny[0], tmp_path), DataError, "a folder"),
        ((*tiny, "better"), UsageError, "fast, normal, best"),
        (("segflow", None), MissingDataError, "SegFlow.caffemodel"),
    ]
    for arguments, kind, words in cases:
        with pytest.raises(kind, match=words):
            VideoSegmenter(*arguments)


def test_a_broken_net_file_is_named_with_its_line(tmp_path):
    from segflow import VideoSegmenter

    file = tmp_path / "broken.prototxt"
    file.write_text('name: "x"\nlayer { kind: "Input" }\n')
    (tmp_path / "w.caffemodel").write_bytes(b"")
    with pytest.raises(DataError, match=r"broken.prototxt.*2:"):
        VideoSegmenter(file, tmp_path / "w.caffemodel")


def test_bundled_nets_know_their_results_and_sizes():
    pytest.importorskip("caffe", exc_type=ImportError)
    from segflow.inference.networks import ROOT, NetStructure

    lite = NetStructure(ROOT / "prototxt/segflow_lite/deploy.prototxt")
    assert (lite.mask_blob, lite.flow_blobs, lite.fixed_size) == ("score", ["score_flow"], None)
    assert lite.heads("score") == (["score2"], [])
    published = NetStructure(ROOT / "prototxt/segflow/deploy.prototxt")
    assert published.flow_blobs == ["score_flow", "predict_flow_final"]
    assert published.fixed_size == (480, 854)
    heads, deconvolutions = published.heads("score_flow")
    assert heads == [f"score_res{level}_con_flow" for level in (5, 4, 3)]
    assert deconvolutions[-1] == "upscore8_flow"
    flow = NetStructure(ROOT / "prototxt/pwcnet/deploy.prototxt")
    assert (flow.mask_blob, flow.flow_blobs) == (None, ["predict_flow_final"])
    assert (flow.fixed_size, flow.at_full_size) == (None, True)
    assert (flow.frame_blobs, flow.mean_bgr) == (("img0", "img1"), (0, 0, 0))
    assert (lite.at_full_size, lite.frame_blobs) == (False, ("data", "data2"))
    without = NetStructure(ROOT / "prototxt/ablations/segflow_lite/without_flow/deploy.prototxt")
    assert without.flow_blobs == []
