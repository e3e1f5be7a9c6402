def files_of(e):
    return [f for r in e.rows for f in PATHS.measurements(r, e.measures, SET_METRICS)] + [
        PATHS.cost(b, e.name) for b in e.backbones if e.cost
    ]
