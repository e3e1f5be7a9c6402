"""Write what the networks of every backbone cost, for memory and time of jobs: fcr_core/planning/networks.json. Half a minute.

python -m benchmarks.network_table
"""

from __future__ import annotations

import json
from dataclasses import asdict

from fcr_core.backbones.published_configs import UNETS
from fcr_core.backbones.registry import BACKBONES
from fcr_core.planning.counted_networks import count_networks
from fcr_core.planning.network_costs import OWN, TABLE
from fcr_core.planning.peak_memory import Networks


def main() -> None:
    counted = {}
    for name in (OWN, *UNETS):
        backbone = next(b for b in BACKBONES.values() if (b.networks or b.name) == name)
        counted[name] = asdict(count_networks(Networks(backbone.location(), backbone.networks)))
        print(name, flush=True)
    TABLE.write_text(json.dumps(counted, indent=1) + "\n")


if __name__ == "__main__":
    main()
