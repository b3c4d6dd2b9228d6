"""Feature networks: VGG's layouts, their weights, and where they are kept."""
