"""The Caffe schema in Python: see `caffe.proto.caffe_pb2`."""
