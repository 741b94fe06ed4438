"""``pair``: ends of a stream, acknowledgements, context managers."""

from __future__ import annotations

import threading

import pytest

import ringmail


def test_stream_ends_when_the_sender_closes() -> None:
    sender, receiver = ringmail.pair(10)
    with sender:
        for number in range(5):
            sender.put(number)
    assert list(receiver) == [0, 1, 2, 3, 4]
    for call in (receiver.get, receiver.get_nowait, receiver.recv, lambda: receiver.get(timeout=1)):
        with pytest.raises(ringmail.Disconnected):
            call()
    with pytest.raises(BrokenPipeError):
        receiver.get()
    with pytest.raises(ValueError):
        sender.put(1)
    assert sender.closed


def test_a_stream_that_has_not_begun_is_waited_for() -> None:
    sender, receiver = ringmail.pair(10)
    threading.Timer(0.2, lambda: (sender.put("first"), sender.close())).start()
    assert list(receiver) == ["first"]


def test_a_full_ring_without_receivers_is_disconnected() -> None:
    sender, receiver = ringmail.pair(1)
    sender.put(1)
    with receiver:
        assert receiver.get() == 1
    sender.put(2)
    with pytest.raises(ringmail.Disconnected):
        sender.put(3)


def test_acknowledgement() -> None:
    sender, receiver = ringmail.pair(3)
    assert sender.wait_for_all_ack() is True
    sender.put(1)
    sender.put(2)
    assert sender.wait_for_all_ack(timeout=0.05) is False
    receiver.get()
    message = receiver.recv()
    assert sender.wait_for_all_ack(0) is False
    threading.Timer(0.1, message.release).start()
    assert sender.wait_for_all_ack(5) is True
    sender.put(3)
    receiver.close()
    with pytest.raises(ringmail.Disconnected):
        sender.wait_for_all_ack()


def test_capacity_of_one() -> None:
    """What was got is acknowledged: the next put finds room, always."""
    sender, receiver = ringmail.pair(1)
    for number in range(2000):
        assert sender.has_space()
        sender.put_nowait(number)
        assert not sender.has_space()
        with pytest.raises(ringmail.Full):
            sender.put_nowait(number)
        assert receiver.get_nowait() == number


def test_close_of_the_ring_ends_it_for_all() -> None:
    sender, receiver = ringmail.pair(4)
    sender.put("last")
    sender.ring.close()
    assert receiver.ring.closed
    with pytest.raises(ringmail.Disconnected):
        sender.put("more")
    assert list(receiver) == ["last"]


def test_many_and_into() -> None:
    sender, receiver = ringmail.pair(4)
    assert sender.put_many("abcdef", timeout=0) == 4
    assert receiver.get_many(10) == list("abcd")
    assert sender.capacity == receiver.capacity == 4 and sender.max_message_bytes == receiver.max_message_bytes
    assert "capacity=4" in repr(sender) and "capacity=4" in repr(receiver)
