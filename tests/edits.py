"""A generated file with the columns of the real review items, for clones that lie beside no real data."""

from pathlib import Path

import numpy as np

COLUMNS = (
    "item_id",
    "longest_repeated_char_added",
    "words_added",
    "words_removed",
    "badwords_prop_delta",
    "informals_prop_delta",
    "non_stopword_prop_delta",
    "user_is_anonymous",
    "user_is_bot_or_sysop",
    "seconds_since_registration",
    "reverted",
)


def write_edits(path: Path, rows: int, seed: int = 0) -> None:
    """Write `rows` made-up edits as TSV, spelled as the real file; some 6 % are reverted, as features say."""
    generator = np.random.default_rng(seed)
    added = np.floor(np.exp(generator.normal(1.5, 1.8, rows)))
    removed = np.floor(np.exp(generator.normal(0.3, 2.0, rows)))
    run = generator.geometric(0.5, rows)
    badwords = np.where(generator.random(rows) < 0.06, generator.integers(1, 5, rows), 0)
    informals = np.round(generator.standard_normal(rows) * (generator.random(rows) < 0.3), 15)
    meaning = np.round(added * generator.random(rows), 12)
    is_anonymous = generator.random(rows) < 0.19
    is_trusted = ~is_anonymous & (generator.random(rows) < 0.1)
    seconds = np.floor(np.exp(generator.uniform(3.2, 19.9, rows)))
    log_odds = -3.7 + 1.6 * is_anonymous + 0.9 * badwords - 3.0 * is_trusted + 0.25 * (run > 5)
    log_odds += 0.35 * np.log1p(removed) - 0.12 * np.log1p(added) - 0.05 * (np.log(seconds) - 12)
    is_reverted = generator.random(rows) < 1 / (1 + np.exp(-log_odds))
    item_id = 645_000_000 + np.cumsum(generator.integers(1, 8_000, rows))
    columns = [
        item_id,
        run,
        added.astype(np.int64),
        removed.astype(np.int64),
        badwords.astype(np.float64),
        informals,
        meaning,
        is_anonymous,
        is_trusted,
        seconds.astype(np.int64),
        is_reverted,
    ]
    lines = ["\t".join(map(str, row)) for row in zip(*(column.tolist() for column in columns), strict=True)]
    path.write_text("\n".join(["\t".join(COLUMNS), *lines, ""]), encoding="utf-8")
