"""In the place of ``faster_fifo_reduction``, which faster-fifo's users import so that its queues can be passed to processes that are
spawned. `ringmail.compat.faster_fifo` needs nothing of the kind."""

__all__: list[str] = []
