"""Actors play CartPole, a learner learns from all of them: the main job, in NumPy alone.

Four processes play with the latest policy and send whole episodes, as dicts of arrays, through one queue. The learner improves the policy
by REINFORCE with a baseline and sends the new weights to every actor. The mean return rises from about 20 to over 150 (of 200), and
is plotted as it does.

    python actor_learner.py [updates [actors [FILE.svg]]]

The world is Gymnasium's CartPole where that is installed, else the few lines of physics below; the plot is Matplotlib's likewise.
"""

from __future__ import annotations

import multiprocessing
import pathlib
import sys
import time
from typing import Any, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

import ringmail

try:
    import gymnasium
except ImportError:
    gymnasium = None  # type: ignore[assignment]

HORIZON = 200
Weights = NDArray[np.float64]


class Episode(TypedDict):
    """What an actor sends: ``obs`` has shape (steps, 4), ``actions`` and ``probabilities`` (steps,)."""

    actor: int
    obs: NDArray[np.float32]
    actions: NDArray[np.int8]
    probabilities: NDArray[np.float64]


class World(Protocol):
    """As much of a Gymnasium environment as is wanted here."""

    def reset(self, *, seed: int | None = None) -> tuple[Any, dict[str, Any]]:
        """A new start; the observation, and what else is known."""

    def step(self, action: int, /) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """The next observation, the reward, whether it is over, whether it is cut short, and what else is known."""


class CartPole:
    """The pole on a cart, as in Barto, Sutton and Anderson (1983), with the constants of Gymnasium's CartPole."""

    def __init__(self) -> None:
        self.rng = np.random.default_rng()
        self.state = np.zeros(4)
        self.steps = 0

    def reset(self, *, seed: int | None = None) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A new start, near the upright."""
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.state, self.steps = self.rng.uniform(-0.05, 0.05, 4), 0
        return self.state.astype("f4"), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Pushes left (0) or right (1) for 20 ms; over when the pole falls or the cart leaves the track."""
        x, speed, angle, spin = self.state
        force = 10.0 if action else -10.0
        sin, cos = np.sin(angle), np.cos(angle)
        push = (force + 0.05 * spin**2 * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        drive = push - 0.05 * turn * cos / 1.1
        self.state = np.array([x + 0.02 * speed, speed + 0.02 * drive, angle + 0.02 * spin, spin + 0.02 * turn])
        self.steps += 1
        over = bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095)
        return self.state.astype("f4"), 1.0, over, self.steps >= HORIZON, {}


def world() -> World:
    """A new world."""
    return CartPole() if gymnasium is None else gymnasium.make("CartPole-v1", max_episode_steps=HORIZON)


def right(weights: Weights, obs: NDArray[np.float32]) -> float:
    """The probability of a push to the right."""
    return float(1 / (1 + np.exp(-np.clip(obs @ weights, -30, 30))))


def play(place: World, weights: Weights, rng: np.random.Generator, actor: int) -> Episode:
    """One episode."""
    obs, _ = place.reset()
    seen, actions, probabilities, over = [], [], [], False
    while not over:
        probability = right(weights, obs)
        action = int(rng.random() < probability)
        seen.append(obs)
        actions.append(action)
        probabilities.append(probability)
        obs, _, fallen, late, _ = place.step(action)
        over = fallen or late
    chosen, certain = np.array(actions, "i1"), np.array(probabilities)
    return {"actor": actor, "obs": np.array(seen), "actions": chosen, "probabilities": certain}


def act(actor: int, episodes: ringmail.Queue[Episode], policies: ringmail.Receiver) -> None:
    """Plays until the policies end, always with the latest."""
    rng = np.random.default_rng(actor)
    place = world()
    place.reset(seed=actor)
    weights: Weights = policies.get()
    while True:
        try:
            weights = policies.get_many(100, block=False)[-1]
        except ringmail.Empty:
            pass
        except ringmail.Disconnected:
            return
        episodes.put(play(place, weights, rng, actor))


def improve(weights: Weights, batch: list[Episode]) -> Weights:
    """One step up the gradient of the expected return."""
    lengths = np.array([len(episode["actions"]) for episode in batch])
    baseline, gradient = lengths.mean(), np.zeros(4)
    for episode in batch:
        togo = np.arange(len(episode["actions"]), 0, -1.0)
        advantage = togo - baseline / 2
        gradient += ((episode["actions"] - episode["probabilities"]) * advantage) @ episode["obs"]
    return weights + 0.2 * gradient / (np.linalg.norm(gradient) + 1e-9)


def plot(returns: list[float], file: str) -> None:
    """The mean return of each update, as a picture."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        # The height of a return of 200 is 200.
        points = " ".join(f"{40 + 600 * update / len(returns):.1f},{220 - mean:.1f}" for update, mean in enumerate(returns))
        pathlib.Path(file).write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 250" font-family="sans-serif" font-size="11">'
            '<path d="M40 20V220H640" fill="none" stroke="gray"/><text x="12" y="24">200</text><text x="26" y="224">0</text>'
            f'<polyline points="{points}" fill="none" stroke="steelblue" stroke-width="2"/>'
            f'<text x="270" y="242">mean return of {len(returns)} updates</text></svg>\n',
            encoding="ascii",
        )
        return
    figure = Figure(figsize=(7, 3), layout="tight")
    axes = figure.subplots()
    axes.plot(returns)
    axes.set(xlabel="update", ylabel="mean return", ylim=(0, HORIZON))
    figure.savefig(file)


def main(updates: int = 60, actors: int = 4, file: str = "actor_learner.svg") -> tuple[float, float]:
    """Learns and plots; returns the mean return of the first and of the last ten updates."""
    context = multiprocessing.get_context("forkserver")
    episodes: ringmail.Queue[Episode] = ringmail.Queue(64)
    policies = [ringmail.pair(16) for _ in range(actors)]
    processes = [
        context.Process(target=act, args=(actor, episodes, receiver)) for actor, (_, receiver) in enumerate(policies)
    ]
    for process in processes:
        process.start()
    weights, returns, steps = np.zeros(4), [], 0
    start = time.perf_counter()
    for update in range(updates):
        for sender, _ in policies:
            sender.put(weights)
        batch = [episodes.get() for _ in range(16)]
        weights = improve(weights, batch)
        returns.append(float(np.mean([len(episode["actions"]) for episode in batch])))
        steps += sum(len(episode["actions"]) for episode in batch)
        if update % 10 == 9:
            print(f"update {update + 1:3}: mean return {np.mean(returns[-10:]):5.1f} " + "#" * int(returns[-1] / 4))
    name = "our own" if gymnasium is None else "Gymnasium's"
    print(f"{steps / (time.perf_counter() - start):,.0f} steps/s of {name} CartPole; see {file}")
    for sender, _ in policies:
        sender.close()
    # Actors may be waiting for room.
    while any(process.is_alive() for process in processes):
        try:
            episodes.get(timeout=0.05)
        except (ringmail.Empty, ringmail.Disconnected):
            pass
    for process in processes:
        process.join()
    plot(returns, file)
    return float(np.mean(returns[:10])), float(np.mean(returns[-10:]))


if __name__ == "__main__":
    arguments = sys.argv[1:]
    first, last = main(*map(int, arguments[:2]), *arguments[2:])
    assert last > 2 * first, "it learns"
