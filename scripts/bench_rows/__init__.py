"""The rows of the benchmark table, in order."""
from bench_rows.data import cifar_crop_flip, psmnist_batches
from bench_rows.training import deep_step, gradient_probe

ROWS = [
    psmnist_batches,
    cifar_crop_flip,
    deep_step,
    gradient_probe,
]
