// FlowScale on the device against the host.
#include "gpu_matches_cpu.hpp"

namespace caffe {

TEST(GpuFlowScale, MatchesTheHost) {
  for (const bool in_place : {false, true}) {
    for (const vector<vector<int>>& shapes : vector<vector<vector<int>>>{
             {{1, 2, 1, 1}, {1, 3, 1, 1}, {1, 3, 5, 3}},
             {{2, 2, 3, 5}, {2, 3, 128, 64}, {2, 3, 75, 50}},
             {{3, 2, 7, 4}, {1, 1, 20, 30}, {3, 8, 20, 60}},
         }) {
      GpuCheck{"type: 'FlowScale'", shapes, 1, in_place}.Run();
    }
  }
}

TEST(GpuFlowScale, LeavesAloneWhatNeedsNoGradient) {
  GpuCheck{"type: 'FlowScale'",
           {{1, 2, 4, 3}, {1, 1, 8, 8}, {1, 1, 4, 16}},
           1,
           false,
           {true, false, false}}
      .Run();
}

}  // namespace caffe
