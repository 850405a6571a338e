"""Functions on sound as tensors: spectra, filters, oscillators and what they are built from."""
