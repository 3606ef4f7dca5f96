import { messageId, nodeId, type MessageId } from "../../../src/core/ids.ts";
import { WorkMachine } from "../../../src/work/machine.ts";
import type { ActionFacts, PluginFacts, WorkEffect, WorkInput, WorkOptions } from "../../../src/work/types.ts";

export type EffectOf<T extends WorkEffect["type"]> = Extract<WorkEffect, { type: T }>;

export function id(number: number): MessageId {
  return messageId(`00000000-0000-4000-8000-${number.toString(16).padStart(12, "0")}`);
}

export function plugin(name: string, actions: Record<string, Partial<ActionFacts>>, concurrency?: number): PluginFacts {
  const facts = new Map(Object.entries(actions).map(([action, given]) => [action, { idempotent: false, ...given }]));
  return { name, version: "1.0.0", actions: facts, ...(concurrency !== undefined && { concurrency }) };
}

/** A machine with a clock that is moved by hand. */
export class Bench {
  readonly machine: WorkMachine;
  now = 1_000;
  all: WorkEffect[] = [];

  constructor(
    options: Partial<WorkOptions> = {},
    plugins: readonly PluginFacts[] = [plugin("echo", { run: {} }), plugin("shell", { run: {} })],
  ) {
    this.machine = new WorkMachine({ node: "x", maxConcurrent: 2, ...options });
    this.step({ type: "plugins", plugins });
    this.all = [];
  }

  step(input: WorkInput): readonly WorkEffect[] {
    const effects = this.machine.step(this.now, input);
    this.all.push(...effects);
    return effects;
  }

  request(number: number, directive = "echo:run", extra: { deadline?: number; hold?: boolean } = {}): readonly WorkEffect[] {
    return this.step({ type: "request", id: id(number), handle: undefined, sender: nodeId("a"), directive, ...extra });
  }

  ended(number: number, outcome: Omit<Extract<WorkInput, { type: "ended" }>, "type" | "id"> = {}): readonly WorkEffect[] {
    return this.step({ type: "ended", id: id(number), ...outcome });
  }

  /** Moves the clock, waking the machine whenever it asks for it. */
  advance(milliseconds: number): readonly WorkEffect[] {
    const until = this.now + milliseconds;
    const effects: WorkEffect[] = [];
    for (let wake = this.machine.nextWake(); wake !== undefined && wake <= until; wake = this.machine.nextWake()) {
      this.now = Math.max(this.now, wake);
      effects.push(...this.step({ type: "wake" }));
    }
    this.now = until;
    return effects;
  }
}

export function of<T extends WorkEffect["type"]>(effects: readonly WorkEffect[], type: T): EffectOf<T>[] {
  return effects.filter((effect): effect is EffectOf<T> => effect.type === type);
}

/** The numbers of the works that an effect type was told of. */
export function numbers(
  effects: readonly WorkEffect[],
  type: "accepted" | "refused" | "start" | "abort" | "ended" | "ignores-abort",
): number[] {
  return of(effects, type).map((effect) => Number.parseInt(effect.id.slice(-12), 16));
}
