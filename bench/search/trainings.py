"""Real trainings with scikit-learn on the data sets that it brings. Absent where it is not installed."""

import functools
import warnings

from problems import Choice, Float, Int, Problem, When


@functools.lru_cache
def trainings():
    try:
        from sklearn import datasets, ensemble, model_selection, neural_network, pipeline, preprocessing, svm
    except ImportError:
        return {}

    def score(model, data):
        return 1 - model_selection.cross_val_score(model, *data, cv=3).mean()

    cancer = datasets.load_breast_cancer(return_X_y=True)
    digits = tuple(part[:600] for part in datasets.load_digits(return_X_y=True))
    diabetes = datasets.load_diabetes(return_X_y=True)

    def svm_digits(c):
        return score(svm.SVC(C=c["C"], kernel=c["kernel"], gamma=c.get("gamma", "scale"), degree=c.get("degree", 3)), digits)

    def boosting_diabetes(c):
        model = ensemble.GradientBoostingRegressor(learning_rate=c["lr"], n_estimators=c["trees"], max_depth=c["depth"], subsample=c["subsample"],
                                                   min_samples_leaf=c["leaf"], random_state=0)
        return score(model, diabetes)

    def mlp_cancer(c):
        model = neural_network.MLPClassifier(hidden_layer_sizes=(c["width"],) * c["layers"], alpha=c["alpha"], learning_rate_init=c["lr"],
                                             activation=c["activation"], max_iter=60, random_state=0)
        return score(pipeline.make_pipeline(preprocessing.StandardScaler(), model), cancer)

    warnings.filterwarnings("ignore")
    return {
        "svm-digits": Problem("svm-digits", {
            "C": Float(1e-3, 1e3, log=True), "kernel": Choice(["rbf", "poly", "linear"]),
            "gamma": When(Float(1e-5, 1, log=True), kernel=["rbf", "poly"]), "degree": When(Int(2, 5), kernel=["poly"])}, svm_digits, 50,
            group="training"),
        "boosting-diabetes": Problem("boosting-diabetes", {
            "lr": Float(1e-3, 1, log=True), "trees": Int(10, 200, log=True), "depth": Int(1, 8), "subsample": Float(0.3, 1),
            "leaf": Int(1, 40)}, boosting_diabetes, 50, group="training"),
        "mlp-cancer": Problem("mlp-cancer", {
            "lr": Float(1e-4, 0.3, log=True), "alpha": Float(1e-6, 10, log=True), "width": Int(4, 64, log=True), "layers": Int(1, 3),
            "activation": Choice(["relu", "tanh", "logistic"])}, mlp_cancer, 50, group="training"),
    }
