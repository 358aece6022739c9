"""Made pictures with known motion: scenes, motion fields, composites and augmentation."""
