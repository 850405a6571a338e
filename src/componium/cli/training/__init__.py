"""Parts of `componium train` for models that learn by gradient: what was asked for, bar, previews, reports."""
