"""Download the images of LAION metadata into webdataset shards. A killed run resumes after its last finished shard."""

import argparse
import logging
import shutil
import time
from dataclasses import asdict
from ipaddress import ip_network
from pathlib import Path

import pandas as pd
from huggingface_hub import is_offline_mode

from fcr_core.data.fetch import Fetcher
from fcr_core.data.laion import Filters, wanted_rows
from fcr_core.data.shards import download_shards, in_words
from fcr_core.jobs.files import link_or_copy, replacing, write_json
from fcr_core.jobs.job import finished_by_another, partial_work, run_record
from workflow_scripts import cli

log = logging.getLogger(__name__)
KEY = "config key datasets.laion.download"


def work(args: argparse.Namespace) -> None:
    started = time.time()
    if is_offline_mode():
        raise ValueError(
            "HF_HUB_OFFLINE is set, so nothing is downloaded: use your own images as data set webdataset or image_folder"
        )
    filters = Filters(args.min_aesthetic, args.min_size, args.max_unsafe, args.max_watermark)
    rows, left_out = wanted_rows(args.metadata, filters, args.seed)
    if rows.empty:
        raise ValueError(f"{args.metadata}: no link passes the filters of {KEY}; left out: {in_words(+left_out) or 'none'}")
    log.info("%d links wanted; left out: %s", len(rows), in_words(left_out))
    # The settings hold no hash of the code: shards that took days must not be fetched again because a line has changed.
    settings = asdict(filters) | {"images": args.images, "seed": args.seed, "shard_rows": args.shard_rows}
    settings["rows"] = str(pd.util.hash_pandas_object(rows).sum())
    if finished_by_another(args.out, "stats.json", settings):
        return
    partial = partial_work(args.out, settings)
    fetcher = Fetcher([ip_network(network) for network in args.allow_network])
    counts = download_shards(rows, partial, fetcher.get, args.images, args.min_size, args.workers, args.shard_rows)
    log.info("links tried: %s", in_words(counts))
    if not counts["success"]:
        raise ValueError(f"{args.metadata}: no link gave an image ({in_words(counts)}); remove {partial} to try them again")
    if counts["success"] < args.images:
        log.warning("only %d of %d images: the links are used up; loosen %s", counts["success"], args.images, KEY)
    with replacing(args.out) as draft:
        # Use links instead of copies. If the run is killed before the folder has its name, the shards are still in place.
        shutil.copytree(partial, draft, copy_function=link_or_copy, ignore=shutil.ignore_patterns("settings.json", ".*"))
        write_json(draft / "stats.json", {"tried": +counts, "left_out": +left_out})
        write_json(draft / "run.json", run_record(settings, started))
    shutil.rmtree(partial)


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--metadata", type=Path, required=True, help="folder of LAION metadata (*.parquet), or one such file")
    parser.add_argument("--images", type=int, required=True, help="number of good images at which to stop")
    parser.add_argument("--min-aesthetic", type=float, required=True, help="lowest aesthetic score, 1 to 10")
    parser.add_argument("--min-size", type=int, required=True, help="shortest side in pixels; the smaller side is shrunk to it")
    parser.add_argument("--max-unsafe", type=float, required=True, help="highest probability of being unsafe for work")
    parser.add_argument("--max-watermark", type=float, required=True, help="highest probability of a watermark")
    parser.add_argument("--seed", type=int, required=True, help="seed of the order in which links are tried")
    parser.add_argument("--workers", type=int, required=True, help="number of links fetched at the same time")
    parser.add_argument("--shard-rows", type=int, default=1000, help="links in a shard; an interrupted job goes on at a shard")
    parser.add_argument("--allow-network", nargs="*", default=[], help="reachable networks that are not public: 10.1.0.0/16")
    cli.run(parser, work)
