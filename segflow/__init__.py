"""SegFlow: video object segmentation and optical flow, learned together, on our own Caffe."""
