"""Runs the program in a folder many times in one process, for the tests.

A request is a line of JSON: {"args": [...], "dump": TEXT}. So is the answer:
{"exit": CODE, "out": TEXT, "problem": TEXT}.
"""

import io
import json
import sys
import traceback

sys.path.insert(0, sys.argv[1])

from cli import main  # noqa: E402 (the folder is known only now)

for line in sys.stdin:
    request = json.loads(line)
    out, problem = io.StringIO(), io.StringIO()
    try:
        code = main(request["args"], io.StringIO(request["dump"]), out, problem)
    except SystemExit as error:
        code = error.code
    except Exception:
        code = 70
        problem.write(traceback.format_exc())
    print(json.dumps({"exit": code, "out": out.getvalue(), "problem": problem.getvalue()}), flush=True)
