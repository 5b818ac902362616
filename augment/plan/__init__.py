"""The compiler: Albumentations pipelines as plans of a few kernels."""
