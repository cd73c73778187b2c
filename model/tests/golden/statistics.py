"""Makes statistics.json: what SciPy, scikit-learn and statsmodels make of the answers of an imagined network.

    python statistics.py                     needs numpy, scipy, scikit-learn, statsmodels

    logits, labels   [300, 7] and [300]: random, of an overconfident network; no image has the class 6
    other            [300, 7]: logits of another network for the same images
    The rest is what the test compares with: per class precision, recall and F1 with their means, the expected calibration
    error over 15 bins, the temperature of the least cross-entropy, Wilson's intervals, McNemar's p-values, and Tango's
    intervals, whose constrained likelihood is maximised here by search instead of Tango's formula.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support, top_k_accuracy_score
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

HERE = Path(__file__).resolve().parent
CLASSES, IMAGES, BINS = 7, 300, 15


def imagined(generator, labels):
    """Logits that favour the labels, three decimals each, so that the file is short and f32 holds them closely."""
    logits = generator.normal(0, 2, (IMAGES, CLASSES))
    logits[np.arange(IMAGES), labels] += 2.5
    return np.round(logits * 2, 3).astype(np.float32)


def calibration_error(probabilities, labels):
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == labels
    place = np.digitize(confidence, np.linspace(0, 1, BINS + 1), right=True) - 1
    error = 0
    for part in range(BINS):
        own = place == part
        if own.any():
            error += own.mean() * abs(correct[own].mean() - confidence[own].mean())
    return error


def best_temperature(logits, labels):
    def loss(temperature):
        return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()

    return minimize_scalar(loss, bounds=(0.05, 20), method="bounded", options={"xatol": 1e-12}).x


def score(table, assumed):
    """How many standard deviations the table (both, gained, lost, neither) is from the assumed difference: the score statistic
    with the likeliest share of `lost` under it, found by search."""
    both, gained, lost, neither = table
    n = sum(table)

    def unlikelihood(share):
        rest = 1 - 2 * share - assumed
        return -sum(
            count * np.log(max(p, 1e-300))
            for count, p in [(gained, share + assumed), (lost, share), (both + neither, rest)]
            if count
        )

    low, high = max(0, -assumed), (1 - assumed) / 2
    share = minimize_scalar(unlikelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-14}).x
    return (gained - lost - n * assumed) / np.sqrt(n * (2 * share + assumed * (1 - assumed)))


def paired_interval(table):
    z, n = norm.ppf(0.975), sum(table)
    seen = (table[1] - table[2]) / n
    low = brentq(lambda d: score(table, d) - z, -0.9999, seen - 1e-9, xtol=1e-13)
    high = brentq(lambda d: score(table, d) + z, seen + 1e-9, 0.9999, xtol=1e-13)
    return [low, high]


def main():
    generator = np.random.default_rng(7)
    labels = generator.integers(0, CLASSES - 1, IMAGES)
    logits, other = imagined(generator, labels), imagined(generator, labels)
    wide = logits.astype(np.float64)
    probabilities = softmax(wide, axis=1)
    predicted = probabilities.argmax(1)
    everything = list(range(CLASSES))
    scores = precision_recall_fscore_support(labels, predicted, labels=everything, zero_division=0)
    means = precision_recall_fscore_support(labels, predicted, average="macro", zero_division=0)
    temperature = best_temperature(wide, labels)
    wilson = [(0, 10), (10, 10), (1, 1), (9972, 10000), (50, 100), (3, 7)]
    tables = [(80, 12, 5, 3), (9800, 60, 40, 100), (10, 0, 4, 1), (40, 7, 0, 3), (100, 700, 600, 50), (20, 0, 0, 5)]
    result = {
        "logits": [round(float(value), 3) for value in logits.ravel()],
        "other": [round(float(value), 3) for value in other.ravel()],
        "labels": labels.tolist(),
        "accuracy": float((predicted == labels).mean()),
        "top5": top_k_accuracy_score(labels, wide, k=5, labels=everything),
        "nll": log_loss(labels, probabilities, labels=everything),
        "confusion": confusion_matrix(labels, predicted, labels=everything).ravel().tolist(),
        "precision": scores[0].tolist(),
        "recall": scores[1].tolist(),
        "f1": scores[2].tolist(),
        "macro": [float(value) for value in means[:3]],
        "ece": calibration_error(probabilities, labels),
        "temperature": temperature,
        "tempered_nll": log_loss(labels, softmax(wide / temperature, axis=1), labels=everything),
        "tempered_ece": calibration_error(softmax(wide / temperature, axis=1), labels),
        "wilson": [[k, n, *proportion_confint(k, n, method="wilson")] for k, n in wilson],
        "mcnemar": [
            [*table, mcnemar(np.array([[table[0], table[1]], [table[2], table[3]]]), exact=True).pvalue]
            for table in tables
        ],
        "paired": [[*table, *paired_interval(table)] for table in tables[:5]],
    }
    (HERE / "statistics.json").write_text(json.dumps(result) + "\n")
    print({key: value for key, value in result.items() if key not in ("logits", "other", "labels", "confusion")})


if __name__ == "__main__":
    main()
