"""The best possible makespan of small kitchens, by a constraint solver, beside what the kitchen's own schedule needs.

    python3 -m venv venv && venv/bin/pip install ortools
    cargo bench --bench schedule -- optimum > instances.json
    venv/bin/python benches/optimum/solve.py instances.json

A development tool: nothing of it runs in a kitchen, in tests or in CI. The rules are those of the kitchen, with no policy for lost
robots and with times as planned:
  - a robot before the ovens prepares a pizza and holds it until it is loaded;
  - a slot is taken from the beginning of the load to the end of the unload;
  - a robot after the ovens is taken from the beginning of the unload to the end of the finish;
  - the unload begins within the window after the bake.
Executors of one stage are alike, so that pizza n need not be looked at on any but the first n of them.
"""

import argparse
import json
import sys

from ortools.sat.python import cp_model


class Stage:
    """So many executors, each of which does one thing at a time."""

    def __init__(self, model, count):
        self.model = model
        self.all = []
        self.executors = [[] for _ in range(count)]

    def occupy(self, start, span, end):
        """One of the executors is taken from start to end."""
        interval = self.model.new_interval_var(start, span, end, "")
        pizza = len(self.all)
        self.all.append(interval)
        choices = []
        for executor in self.executors[: pizza + 1]:
            chosen = self.model.new_bool_var("")
            choices.append(chosen)
            executor.append(self.model.new_optional_interval_var(start, span, end, chosen, ""))
        self.model.add_exactly_one(choices)

    def close(self):
        for executor in self.executors:
            self.model.add_no_overlap(executor)
        # Follows from the above, and is what the solver reasons with first.
        self.model.add_cumulative(self.all, [1] * len(self.all), len(self.executors))


def best_makespan(instance, limit_s):
    """Makespan of the best schedule found, and a bound below which there is none, in milliseconds."""
    transfer, window = instance["transfer_ms"], instance["window_ms"]
    # The kitchen's schedule is one: a better one is asked for. If there is none at all, the kitchen broke a rule of this model.
    horizon = instance["off_ms"]
    model = cp_model.CpModel()
    makespan = model.new_int_var(instance["bound_ms"], horizon, "makespan")
    before, slots, after = [Stage(model, int(count)) for count in instance["line"].split("/")]
    for prep, bake, finish in instance["jobs_ms"]:
        begin, load, unload = [model.new_int_var(0, horizon, "") for _ in range(3)]
        hold = model.new_int_var(prep + transfer, horizon, "")
        inside = model.new_int_var(bake + 2 * transfer, bake + 2 * transfer + window, "")
        before.occupy(begin, hold, load + transfer)
        slots.occupy(load, inside, unload + transfer)
        after.occupy(unload, transfer + finish, unload + transfer + finish)
        model.add(makespan >= unload + transfer + finish)
    for stage in (before, slots, after):
        stage.close()
    model.minimize(makespan)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limit_s
    solver.parameters.num_workers = 4
    solver.parameters.random_seed = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        sys.exit(f"no schedule found for {instance['line']} seed {instance['seed']}: {solver.status_name(status)}")
    return int(solver.objective_value), int(solver.best_objective_bound)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instances", help="the JSON that `cargo bench --bench schedule -- optimum` writes")
    parser.add_argument("--limit", type=float, default=60, help="seconds for each instance")
    options = parser.parse_args()
    with open(options.instances, encoding="utf-8") as file:
        instances = json.load(file)["instances"]
    groups = {}
    for instance in instances:
        best, proved = best_makespan(instance, options.limit)
        for policy in ("off_ms", "strict_ms"):
            # A makespan below what is proved would mean that the model has a rule too many.
            if instance[policy] < proved:
                sys.exit(f"{instance['line']} seed {instance['seed']}: {policy} {instance[policy]} is below {proved}")
        groups.setdefault((instance["line"], len(instance["jobs_ms"])), []).append((instance, best, proved))
    print("| line | pizzas | instances | proved optimal | bound / optimum | off / optimum | worst | strict / optimum | worst | burnt |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for (line, pizzas), solved in groups.items():
        off = [i["off_ms"] / best for i, best, _ in solved]
        strict = [i["strict_ms"] / best for i, best, _ in solved]
        bound = [i["bound_ms"] / best for i, best, _ in solved]
        proved = sum(best == proved for _, best, proved in solved)
        mean = lambda values: sum(values) / len(values)
        print(
            f"| {line} | {pizzas} | {len(solved)} | {proved} | {mean(bound):.3f} | {mean(off):.3f} | {max(off):.3f} "
            f"| {mean(strict):.3f} | {max(strict):.3f} | {sum(i['burnt'] for i, _, _ in solved)} |"
        )


main()
