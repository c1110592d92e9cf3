"""Checkpoints of version 0.1, read for one version more: each of the five trainers had a form of its own."""

from typing import Any


def upgraded(state: dict[str, Any]) -> dict[str, Any]:
    """Returns a checkpoint in the form of `training.loop`; one that has this form already comes back as it is."""
    if "progress" in state:
        return state
    if "plan" in state:
        return _encoder(state)
    if "photos" in state:
        return _captioner(state)
    if "system" in state:
        epoch, best, best_epoch, seconds = state["place"]
        progress = {"epoch": epoch, "best": best, "best_epoch": best_epoch, "seconds": seconds}
        return _form(state, state["identity"], state["system"], progress)
    if "average" in state:
        epoch, step, best, best_epoch = state["place"]
        progress = {"epoch": epoch, "step": step, "best": best, "best_epoch": best_epoch}
        return _form(state, state["recipe"], state["network"], progress)
    if "recipe" in state:
        return _form(state, state["recipe"], state["network"], {"epoch": state["epoch"]})
    return state


def _encoder(state: dict[str, Any]) -> dict[str, Any]:
    """Counts the epochs of all stages in one row."""
    plan, place = state["plan"], state["place"]
    epochs_before = (0, plan["epochs"], plan["epochs"] + plan["ner_epochs"])[place["stage"]]
    progress = {
        "epoch": epochs_before + place["epoch"],
        "batch": place["step"],
        "loss": place["total"],
        "weight": float(place["step"]),
    }
    return _form(state, plan, state["model"], progress)


def _captioner(state: dict[str, Any]) -> dict[str, Any]:
    recipe = {name: value for name, value in state["training"].items() if name != "epochs"}
    identity = {"recipe": recipe, "photos": state["photos"], "encoder": state["encoder"]}
    epoch, loss = state["place"]
    return _form(state, identity, state["weights"], {"epoch": epoch, "last_loss": loss})


def _form(state: dict[str, Any], identity: Any, weights: Any, progress: dict[str, Any]) -> dict[str, Any]:
    return {**state, "identity": identity, "weights": weights, "progress": progress, "generators": []}
