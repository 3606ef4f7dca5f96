import { Heap } from "./heap.ts";

interface Task {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

/** Virtual time: tasks run in the order of their time, then of their making. */
export class VirtualClock {
  readonly #tasks = new Heap<Task>((a, b) => a.at < b.at || (a.at === b.at && a.order < b.order));
  #order = 0;
  now = 0;
  steps = 0;

  at(time: number, run: () => void): () => void {
    const task: Task = { at: Math.max(time, this.now), order: this.#order++, run, cancelled: false };
    this.#tasks.push(task);
    return () => {
      task.cancelled = true;
    };
  }

  after(delay: number, run: () => void): () => void {
    return this.at(this.now + delay, run);
  }

  /** Runs all tasks up to `time`; more than `budget` steps are a runaway. */
  runUntil(time: number, budget = 2_000_000): void {
    for (let task = this.#tasks.peek(); task !== undefined && task.at <= time; task = this.#tasks.peek()) {
      this.#tasks.pop();
      if (task.cancelled) continue;
      this.now = task.at;
      this.steps++;
      if (this.steps > budget) throw new Error(`more than ${budget} steps by ${Math.round(this.now)} ms of virtual time`);
      task.run();
    }
    this.now = time;
  }
}
