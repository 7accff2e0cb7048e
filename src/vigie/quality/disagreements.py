"""Groups about which people say different things."""

import polars as pl


def disagreements(effective: pl.DataFrame) -> pl.DataFrame:
    """Return what is said of groups whose answers differ in a dimension that nobody settled.

    Parameters
    ----------
    effective
        As `store.annotations.effective` returns it.

    Returns
    -------
    ``group_id``, ``template``, ``count``, ``dimension``: one row each, most messages first.
    """
    here = ("group_id", "template", "count", "dimension")
    said = effective.group_by(here, maintain_order=True).agg(
        n_labels=pl.col("label").n_unique(), settled=pl.col("settled").any()
    )
    differing = said.filter((pl.col("n_labels") > 1) & ~pl.col("settled"))
    return differing.sort(["count", "group_id"], descending=[True, False], maintain_order=True).select(here)


def split_groups(effective: pl.DataFrame) -> list[int]:
    """Return the ids of the groups of `disagreements`, most messages first."""
    return disagreements(effective)["group_id"].unique(maintain_order=True).to_list()
