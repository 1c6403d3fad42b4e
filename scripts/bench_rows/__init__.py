"""The rows of the benchmark table, in their order."""

from bench_rows.alternating import alternating_h1, alternating_h2
from bench_rows.convolutional import hamiltonian_step
from bench_rows.data import cifar_crop_flip, psmnist_batches
from bench_rows.layout import conv_layout
from bench_rows.planar import planar_h1, planar_h2
from bench_rows.probes import default_run, singular_ends
from bench_rows.recurrent import (
    roamlp_over_depth,
    roarnn_beside_lstm,
    roarnn_long,
    roarnn_over_time,
)
from bench_rows.reverse import reversed_step
from bench_rows.training import deep_step, gradient_probe

ROWS = [
    psmnist_batches,
    cifar_crop_flip,
    deep_step,
    gradient_probe,
    planar_h1,
    planar_h2,
    conv_layout,
    hamiltonian_step,
    alternating_h1,
    alternating_h2,
    default_run,
    singular_ends,
    reversed_step,
    roarnn_over_time,
    roarnn_beside_lstm,
    roarnn_long,
    roamlp_over_depth,
]
