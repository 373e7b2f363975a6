"""The estimator in scikit-learn's own tools."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn")

from sklearn.base import clone  # noqa: E402
from sklearn.model_selection import GridSearchCV, cross_val_score  # noqa: E402
from sklearn.pipeline import Pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer  # noqa: E402

from promptsrc.sklearn import PromptClassifier  # noqa: E402


def test_it_fits_predicts_and_scores(clip, files, labels) -> None:
    model = PromptClassifier(clip=clip, epochs=2)
    assert model.fit(files, labels) is model
    assert list(model.classes_) == sorted(set(labels))
    rows = model.predict_proba(files)
    assert rows.shape == (len(files), len(model.classes_))
    found = model.predict(files)
    assert (found == model.classes_[rows.argmax(axis=1)]).all()
    assert model.score(files, labels) == pytest.approx(float(np.mean(found == np.asarray(labels))))
    again = PromptClassifier(clip=clip, epochs=2).fit(files, labels)
    assert again.predict_proba(files).tobytes() == rows.tobytes()
    restored = pickle.loads(pickle.dumps(model))
    assert restored.predict_proba(files).tobytes() == rows.tobytes()


def test_it_works_in_scikit_learn(clip, files, labels) -> None:
    model = PromptClassifier(clip=clip, method="linear-probe", options={"probe_c": 1.0})
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    copied.set_params(method="coop", epochs=1, options=None)
    scores = cross_val_score(copied, files, labels, cv=2)
    assert scores.shape == (2,) and ((0 <= scores) & (scores <= 1)).all()
    pipeline = Pipeline([("same", FunctionTransformer(validate=False)), ("prompts", copied)])
    assert pipeline.fit(files, labels).predict(files[:3]).shape == (3,)
    search = GridSearchCV(copied, {"seed": [1, 2]}, cv=2).fit(files, labels)
    assert search.best_params_["seed"] in (1, 2)


def test_labels_of_any_kind_and_words_for_them(clip, files, labels) -> None:
    numbers = [sorted(set(labels)).index(label) for label in labels]
    words = dict(enumerate(sorted(set(labels))))
    model = PromptClassifier(clip=clip, epochs=1, class_names=words).fit(files, numbers)
    assert model.adapter_.class_names == sorted(set(labels))
    assert set(model.predict(files)) <= set(numbers)
