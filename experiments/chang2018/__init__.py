"""Chang et al. 2018, Reversible Architectures for Arbitrarily Deep Residual Neural Networks: what
it claims, as known.
"""

from stablenets.claims.claim import Claim, Drawing, Paper

from . import ablations, comparing, counting, fewer, inverting, saving
from .plan import plan
from .published import FEW, STL10, apart, few_gap, printed

CLAIMS = (
    Claim(
        "1",
        "The nets of the table have the parameters that it states",
        "main table",
        ("counts",),
        counting.parameters,
        "",
        "0.43 to 19.4 M (table)",
    ),
    Claim(
        "2",
        "Forward and then back by the inverse returns the input, for the three architectures and at"
        " any depth",
        "Abstract; title",
        ("inverse", "trained"),
        inverting.inverts,
        "inverse",
    ),
    Claim(
        "3a",
        "Gradients by inversion are those of stored activations",
        "Abstract",
        ("gradients", "hamiltonian_74", "inverted"),
        saving.gradients,
        "",
    ),
    Claim(
        "3b",
        "Memory for activations does not grow with depth",
        "Abstract",
        ("memory", "peak"),
        saving.memory,
        "memory",
    ),
    Claim(
        "3c",
        "Inversion costs about one more forward in a step",
        "not measured in the paper, as far as we know",
        ("overhead",),
        saving.overhead,
        "",
        "not known",
    ),
    Claim(
        "3d",
        "Peak memory of a training step in all, weights, gradients and momentum with it, does not"
        " grow with depth (our bar)",
        "not measured in the paper, as far as we know",
        ("peak",),
        saving.whole_peak,
        "memory",
        "not known",
    ),
    Claim(
        "4a",
        "Hamiltonian-74 and -218 reach their accuracies on CIFAR-10",
        "main table",
        ("hamiltonian_74",),
        comparing.reaches,
        "accuracy",
        printed("cifar10", "hamiltonian_74", "hamiltonian_218"),
    ),
    Claim(
        "4b",
        "Hamiltonian is on par with ResNet and RevNet at the same number of parameters",
        "Abstract; main table",
        ("hamiltonian_74", "resnet_32"),
        comparing.on_par,
        "accuracy",
        apart(("hamiltonian_74", "resnet_32"), ("hamiltonian_74", "revnet_38")),
    ),
    Claim(
        "4c",
        "Hamiltonian is ahead of leapfrog, and leapfrog of midpoint",
        "main table",
        ("hamiltonian_74", "two_step"),
        comparing.ordered,
        "accuracy",
        apart(("hamiltonian_74", "leapfrog_26"), ("leapfrog_26", "midpoint_26")),
    ),
    Claim(
        "4d",
        "Hamiltonian-74 and -218 reach their accuracies on CIFAR-100",
        "main table",
        ("cifar100",),
        comparing.cifar100,
        "",
        printed("cifar100", "hamiltonian_74", "hamiltonian_218"),
    ),
    Claim(
        "5",
        "With few training data Hamiltonian is ahead of ResNet",
        "Abstract; few-data figure",
        ("few", "cost"),
        fewer.ahead,
        "few",
        f"{few_gap(5):+.0f} points at 5 %, at most about {max(map(few_gap, FEW)):+.0f} (read off a"
        " figure)",
    ),
    Claim(
        "6",
        "A Hamiltonian net of 1,202 layers trains as well as the paper's, and ahead of ResNet-1202",
        "main table",
        ("deep",),
        comparing.deep,
        "deep",
        printed("cifar10", "hamiltonian_1202", "resnet_1202"),
    ),
    Claim(
        "7",
        f"Hamiltonian reaches {STL10:g} % on STL-10",
        "as others quote it",
        ("stl10",),
        comparing.stl10,
        "",
        f"{STL10:g} %",
    ),
    Claim(
        "8",
        "A penalty on changes of the weights in time helps to generalise",
        "as others quote it",
        ("ablations",),
        ablations.smoothness,
        "ablations",
    ),
)

TABLES = {
    "counts": Drawing(
        ("counts",),
        counting.count_table,
        "Parameters by layout. after_first_block: the first block of a further unit works at the"
        " width and resolution of the unit before; strided_first_block: it halves the resolution"
        " itself.",
    ),
    "inverse": Drawing(
        ("inverse",),
        inverting.inverse_table,
        "Random weights, one bias in a block and no norms: largest relative error of "
        "the reconstructed first state over seeds; lost: 1 and more.",
    ),
    "trained": Drawing(
        ("trained",),
        inverting.trained_table,
        "Trained weights, test images: largest relative error of a state that enters "
        "a unit, reconstructed.",
    ),
    "gradients": Drawing(
        ("gradients",),
        saving.gradient_table,
        "Gradients by inversion against stored ones: largest relative difference over seeds.",
    ),
    "memory": Drawing(
        ("memory",),
        saving.memory_table,
        "MiB kept by the forward for the backward, beside weights and images: "
        "Hamiltonian-74 with norms, more blocks.",
    ),
    "peak": Drawing(
        ("peak",),
        saving.peak_table,
        "MiB resident at the peak of training steps, and before the first with weights, gradients"
        " and momentum there, imports included: Hamiltonian-74 with norms, more blocks. Reckoned:"
        " of the shallowest net as measured, of others with three times the weights that are more.",
    ),
    "accuracy": Drawing(
        ("hamiltonian_74",),
        comparing.accuracy_table,
        "Test accuracy of the last iterate, with 95 % intervals. Paper: single values."
        " Replications: by others, of about the same net. Empty: not run at this profile. Seconds:"
        " the least of the runs. A run that diverged counts as guessing. The paper's net for STL-10"
        " is not known.",
    ),
    "few": Drawing(
        ("few",),
        fewer.few_table,
        "Test accuracy by share of the training images, the same number of steps at each; last, if"
        " there are any, shares with more steps. The paper's figure is read off a picture, to half"
        " a point, and taken to be of CIFAR-10. Seconds: the least of the runs, which may be of"
        " different machines (ledger).",
    ),
    "tuning": Drawing(
        ("tuning",),
        comparing.tuning_table,
        "What settings were chosen by, with seeds outside the other tables. CIFAR-10: 5 "
        "% of the training images.",
    ),
    "ablations": Drawing(
        ("ablations",),
        ablations.ablation_table,
        "The Hamiltonian net with one thing changed, the rate and the number of "
        "steps the same for all; differences paired over seeds.",
    ),
}

FIGURES = {
    "inverse": Drawing(
        ("inverse",),
        inverting.inverse_figure,
        "Random weights, no norms: what inversion loses, by depth and step; grey, the error at"
        " which a training by inversion stops. Largest of the seeds, drawn between 1e-17 and 1e3.",
    ),
    "memory": Drawing(
        ("memory", "peak"),
        saving.memory_figure,
        "Memory by depth, Hamiltonian-74 with norms, more blocks: left, kept for the backward;"
        " right, all that is resident at the peak of training steps, and before them (dashed: of"
        " the shallowest net as measured, of others with three times the weights that are more).",
    ),
    "accuracy": Drawing(
        ("hamiltonian_74", "resnet_32", "two_step"),
        comparing.accuracy_figure,
        "Test accuracy by net: mean with 95 % interval, dots for seeds; on CIFAR-10 a bar for the"
        " paper's value.",
    ),
    "few": Drawing(
        ("few",),
        fewer.few_figure,
        "Few training data: accuracy, and the paired difference, with 95 % "
        "intervals, those of one share side by side, from it to the right; on CIFAR-10 dotted: the "
        "paper's figure, taken to be of it.",
    ),
    "deep": Drawing(
        ("deep",),
        comparing.deep_figure,
        "Test accuracy by depth: mean with 95 % interval, dots for seeds.",
    ),
    "ablations": Drawing(
        ("ablations",),
        ablations.ablation_figure,
        "One change at a time: paired differences with 95 % intervals; what "
        "lies beyond the axis as a number.",
    ),
}

PAPER = Paper(
    "chang2018",
    "Chang et al. 2018, Reversible Architectures for Arbitrarily Deep Residual Neural Networks",
    plan,
    CLAIMS,
    TABLES,
    FIGURES,
)
