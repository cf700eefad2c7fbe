"""From a queued build to an artifact that is live: queue, worker, pipeline, and what each build leaves on record."""
