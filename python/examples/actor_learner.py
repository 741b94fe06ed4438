"""Actors play CartPole, a learner learns from all of them: the main job, in NumPy alone.

Four processes play with the latest policy and send whole episodes, as dicts of arrays, through one queue. The learner improves the policy
by REINFORCE with a baseline and sends the new weights to every actor. The mean return rises from about 20 to over 150 (of 200).

    python actor_learner.py [updates [actors]]
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

import ringmail

HORIZON = 200
Weights = NDArray[np.float64]


class Episode(TypedDict):
    """What an actor sends: ``obs`` has shape (steps, 4), ``actions`` and ``probabilities`` (steps,)."""

    actor: int
    obs: NDArray[np.float64]
    actions: NDArray[np.int8]
    probabilities: NDArray[np.float64]


class CartPole:
    """The pole on a cart, as in Barto, Sutton and Anderson (1983), with the constants of Gymnasium's CartPole."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.state = np.zeros(4)

    def reset(self) -> NDArray[np.float64]:
        """A new start, near the upright."""
        self.state = self.rng.uniform(-0.05, 0.05, 4)
        return self.state

    def step(self, action: int) -> tuple[NDArray[np.float64], bool]:
        """Pushes left (0) or right (1) for 20 ms; the new state, and whether the pole fell or the cart left the track."""
        x, speed, angle, spin = self.state
        force = 10.0 if action else -10.0
        sin, cos = np.sin(angle), np.cos(angle)
        push = (force + 0.05 * spin**2 * sin) / 1.1
        turn = (9.8 * sin - cos * push) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        drive = push - 0.05 * turn * cos / 1.1
        self.state = np.array([x + 0.02 * speed, speed + 0.02 * drive, angle + 0.02 * spin, spin + 0.02 * turn])
        return self.state, bool(abs(self.state[0]) > 2.4 or abs(self.state[2]) > 0.2095)


def right(weights: Weights, obs: NDArray[np.float64]) -> float:
    """The probability of a push to the right."""
    return float(1 / (1 + np.exp(-np.clip(obs @ weights, -30, 30))))


def act(actor: int, episodes: ringmail.Queue[Episode], policies: ringmail.Receiver) -> None:
    """Plays until the policies end, always with the latest."""
    rng = np.random.default_rng(actor)
    world = CartPole(rng)
    weights: Weights = policies.get()
    while True:
        try:
            weights = policies.get_many(100, block=False)[-1]
        except ringmail.Empty:
            pass
        except ringmail.Disconnected:
            return
        obs, seen, actions, probabilities = world.reset(), [], [], []
        for _ in range(HORIZON):
            probability = right(weights, obs)
            action = int(rng.random() < probability)
            seen.append(obs)
            actions.append(action)
            probabilities.append(probability)
            obs, over = world.step(action)
            if over:
                break
        episode: Episode = {
            "actor": actor,
            "obs": np.array(seen),
            "actions": np.array(actions, "i1"),
            "probabilities": np.array(probabilities),
        }
        episodes.put(episode)


def improve(weights: Weights, batch: list[Episode]) -> Weights:
    """One step up the gradient of the expected return."""
    lengths = np.array([len(episode["actions"]) for episode in batch])
    baseline, gradient = lengths.mean(), np.zeros(4)
    for episode in batch:
        togo = np.arange(len(episode["actions"]), 0, -1.0)
        advantage = togo - baseline / 2
        gradient += ((episode["actions"] - episode["probabilities"]) * advantage) @ episode["obs"]
    return weights + 0.2 * gradient / (np.linalg.norm(gradient) + 1e-9)


def main(updates: int = 60, actors: int = 4) -> tuple[float, float]:
    """Learns; returns the mean return of the first and of the last ten updates."""
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
    print(f"{steps / (time.perf_counter() - start):,.0f} steps/s")
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
    return float(np.mean(returns[:10])), float(np.mean(returns[-10:]))


if __name__ == "__main__":
    first, last = main(*map(int, sys.argv[1:]))
    assert last > 2 * first, "it learns"
