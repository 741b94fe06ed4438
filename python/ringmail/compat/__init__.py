"""Other queues' interfaces over Ringmail, so that changing an import is all it takes to try it.

| instead of | write |
|---|---|
| ``from py_sharedmemory import create_shared_memory_pair`` | ``from ringmail.compat.py_sharedmemory import ...`` |
| ``from memory import create_shared_memory_pair`` | ``from ringmail.compat.memory import ...`` |
| ``from faster_fifo import Queue`` | ``from ringmail.compat.faster_fifo import ...`` |

Each is written from what the original documents, and each module says where it differs. What the originals do not have (messages in
place, loans, named rings) is in `ringmail` itself.
"""
