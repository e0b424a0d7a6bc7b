"""Writes expected.json: what the Python package `wordllama` says about texts.json.

How to run it, in this folder:

    pip install wordllama==0.4.0.post1 numpy
    python3 make.py

texts.json is an array of 1,000 strings. Each is embedded by itself with the
package's default model (l2_supercat, 256 dimensions) and scaled to length 1.
A text without any token, for which the package gives NaN, gets zeros.

expected.json is an array with one row for each text, in the same order. The
row of text number i (from 0) holds 8 of the 256 components: those at positions
(7*i + 37*k) mod 256 for k = 0..7, in this order, rounded to 6 decimals.

Nothing is fetched from the network: the package holds the model's files.
"""

import json
import shutil
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import wordllama

PACKAGE_VERSION = "0.4.0.post1"
DIM = 256
KEPT = 8
HERE = Path(__file__).resolve().parent


def load_model():
    """The package's own model.

    The package ships its tokenizer in `tokenizers/` but looks for it in
    `tokenizer/`, then in its cache folder. So give it a cache folder that has
    the file, under both names.
    """
    shipped = Path(wordllama.__file__).parent / "tokenizers"
    with tempfile.TemporaryDirectory() as cache:
        for name in ("tokenizer", "tokenizers"):
            shutil.copytree(shipped, Path(cache) / name)
        return wordllama.WordLlama.load(
            "l2_supercat", cache_dir=Path(cache), dim=DIM, disable_download=True
        )


def vector(model, text):
    """The vector of one text, embedded alone so that no padding is added."""
    if not model.tokenize(text)[0].ids:
        return np.zeros(DIM, dtype=np.float32)
    return model.embed(text, norm=True)[0]


def kept(i, v):
    """The components of text number i that go into expected.json."""
    positions = [(7 * i + 37 * k) % DIM for k in range(KEPT)]
    # Adding 0.0 turns -0.0 into 0.0.
    return [round(float(v[p]), 6) + 0.0 for p in positions]


def main():
    found = version("wordllama")
    if found != PACKAGE_VERSION:
        raise SystemExit(f"wordllama is {found}, not {PACKAGE_VERSION}")
    texts = json.loads((HERE / "texts.json").read_text(encoding="utf-8"))
    model = load_model()
    rows = [kept(i, vector(model, text)) for i, text in enumerate(texts)]
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    (HERE / "expected.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
