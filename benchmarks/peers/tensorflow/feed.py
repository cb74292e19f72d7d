"""tf.data: one TFRecord file, all records in the shuffle buffer, parsed and decoded by its threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pictures
import protocol
import tensorflow as tf
from protocol import Epoch, Job

FEATURES = {"image": tf.io.FixedLenFeature([], tf.string), "label": tf.io.FixedLenFeature([], tf.int64)}


def prepare(job: Job) -> None:
    with tf.io.TFRecordWriter(job.store) as writer:
        for data, label in pictures.records(job):
            image = tf.train.Feature(bytes_list=tf.train.BytesList(value=[data]))
            number = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
            example = tf.train.Example(features=tf.train.Features(feature={"image": image, "label": number}))
            writer.write(example.SerializeToString())


def raw_batch(records: Any) -> tuple[Any, Any]:
    parsed = tf.io.parse_example(records, FEATURES)
    return tf.reshape(tf.io.decode_raw(parsed["image"], tf.uint8), (-1, 32, 32, 3)), parsed["label"]


def png(record: Any) -> tuple[Any, Any]:
    parsed = tf.io.parse_single_example(record, FEATURES)
    return tf.ensure_shape(tf.io.decode_png(parsed["image"], channels=3), (32, 32, 3)), parsed["label"]


def photo(record: Any) -> tuple[Any, Any]:
    parsed = tf.io.parse_single_example(record, FEATURES)
    box = tf.zeros((1, 0, 4), tf.float32)
    begin, size, _ = tf.image.sample_distorted_bounding_box(
        tf.io.extract_jpeg_shape(parsed["image"]),
        box,
        area_range=protocol.IMAGENET_SCALE,
        aspect_ratio_range=protocol.IMAGENET_RATIO,
        use_image_if_no_bounding_boxes=True,
    )
    window = tf.concat([begin[:2], size[:2]], axis=0)
    image = tf.image.decode_and_crop_jpeg(parsed["image"], window, channels=3)
    image = tf.cast(tf.image.resize(image, (protocol.CROP, protocol.CROP), antialias=True) + 0.5, tf.uint8)
    return tf.image.random_flip_left_right(image), parsed["label"]


def feed(job: Job) -> Epoch:
    options = tf.data.Options()
    options.threading.private_threadpool_size = job.threads
    records = tf.data.TFRecordDataset(job.store).shuffle(job.images, seed=job.seed, reshuffle_each_iteration=True)
    if job.workload == "cifar-raw":
        batches = records.batch(job.batch).map(raw_batch, num_parallel_calls=job.threads, deterministic=False)
    else:
        decode = png if job.workload == "cifar-png" else photo
        batches = records.map(decode, num_parallel_calls=job.threads, deterministic=False).batch(job.batch)
    batches = batches.prefetch(2).with_options(options)

    def epoch() -> Iterator[tuple[Any, Any]]:
        yield from batches.as_numpy_iterator()

    return epoch


if __name__ == "__main__":
    protocol.serve(feed=feed, prepare=prepare, packages=("tensorflow-cpu", "numpy"))
