"""How families, kinds of deep networks and data sets are called in tables and figures."""

from __future__ import annotations

NAMES = {
    "roarnn": "roaRNN",
    "lstm": "LSTM",
    "gru": "GRU",
    "rnn": "vanilla RNN",
    "antisymmetric_rnn": "AntisymmetricRNN",
    "cornn": "coRNN",
    "exprnn": "expRNN",
}
DEEP_NAMES = {
    "roamlp": "roaMLP",
    "tanh": "roaMLP, tanh",
    "frozen": "roaMLP, layers frozen",
    "none": "no layers",
    "resnet": "ResNet",
    "plain": "plain MLP",
}
DATA_NAMES = {
    "psdigits": "psdigits",
    "sdigits": "sdigits",
    "psmnist": "psMNIST",
    "smnist": "sMNIST",
    "digits": "digits",
    "mnist": "MNIST",
    "adding": "adding",
    "copy": "copying",
}
LABELS = NAMES | DATA_NAMES
FILTER_NAMES = {
    "haar": "random",
    "haar_fixed_axis": "random with eigenvalue 1",
    "haar_no_fixed_axis": "random without eigenvalue 1",
    "cyclic": "cyclic",
    "identity": "identity",
    "none": "none",
}
