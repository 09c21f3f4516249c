"""Program part: the conversation of a peer's process with the bench, one JSON object a line each way.

Stands alone: it runs in whatever environment has the peer, so it needs the standard library only. It is to be imported
before all else: from then on, what libraries print goes to standard error and not between our lines.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence

Run = Callable[[Sequence[str]], "list[list[float]]"]
# For so long nothing runs before texts are run one at a time, whoever the engine is. Ours gives a text all its threads
# only if none was run beside another lately (`CROWDED_FOR_S` of its session), as one is alone that comes by itself.
_CALM_S = 0.1

# At import, against the rule: libraries print while they are imported and while they load a model, too.
_OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def answer(configuration: dict[str, object], *, bulk: Run, alone: Run) -> None:
    """Serve the bench until it closes our input.

    Args:
        configuration: what was set, to be printed.
        bulk: all texts at once, to rows of logits in their order.
        alone: one text, to one row.
    """

    def tell(**content: object) -> None:
        _OUT.write(json.dumps(content) + "\n")
        _OUT.flush()

    texts = json.loads(sys.stdin.readline())["texts"]
    alone(texts[:1])
    tell(ready=True, configuration=configuration)
    for line in sys.stdin:
        asked = json.loads(line)
        if asked["do"] == "bulk":
            started_s, cpu_s = time.perf_counter(), time.process_time()
            rows = bulk(texts)
            seconds, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
            tell(seconds=seconds, cpu_s=cpu_s, rows=rows if asked.get("rows") else None)
        else:
            time.sleep(_CALM_S)
            spent, cpu_ms = [], []
            for number in asked["numbers"]:
                started_s, cpu_s = time.perf_counter(), time.process_time()
                alone([texts[number]])
                spent.append(1e3 * (time.perf_counter() - started_s))
                cpu_ms.append(1e3 * (time.process_time() - cpu_s))
            tell(latencies_ms=spent, cpu_ms=cpu_ms)
