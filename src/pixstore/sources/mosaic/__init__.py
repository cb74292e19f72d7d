"""MosaicML shards: index, samples and their encodings."""
