import { readdirSync, readFileSync } from "node:fs";
import { type Cluster, CONTROLLER } from "./cluster.ts";
import { type Point, slopePerHour } from "./slope.ts";

/** resident: bytes in memory. heap: bytes alive after a collection. handles: what keeps the event loop going. descriptors: open files. */
export type Resource = "resident" | "heap" | "handles" | "descriptors";
export const RESOURCES: readonly Resource[] = ["resident", "heap", "handles", "descriptors"];

/** What a process may grow by from the time it is warm to the end, as its line says, before it counts as a leak. */
const LEAK: Readonly<Partial<Record<Resource, number>>> = { heap: 24 * 2 ** 20, handles: 24, descriptors: 24 };
const EVERY = 5_000;
/** The controller's process holds a record of each message. */
const RECORD = 512;
/** The share of the run in which caches fill and code is compiled. */
const WARM = 0.25;

export interface Course {
  readonly node: string;
  readonly resource: Resource;
  /** At the beginning, after each quarter, and so at the end. */
  readonly quarters: readonly number[];
  readonly most: number;
  readonly perHour: number;
  /** What the line rises from the time it is warm to the end. */
  readonly growth: number;
}

/** Looks at some processes again and again. They must not be restarted meanwhile. */
export class Resources {
  readonly #cluster: Cluster;
  readonly #ids: readonly string[];
  readonly #points = new Map<string, Point[]>();
  readonly #began = performance.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(cluster: Cluster, ids: readonly string[]) {
    this.#cluster = cluster;
    this.#ids = ids;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), EVERY);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  courses(): readonly Course[] {
    return this.#ids.flatMap((node) => RESOURCES.map((resource) => course(node, resource, this.#points.get(`${node} ${resource}`) ?? [])));
  }

  #look(): void {
    const at = performance.now() - this.#began;
    for (const id of this.#ids) {
      const pid = this.#cluster.pid(id);
      this.#note(id, "resident", at, residentOf(pid));
      this.#note(id, "descriptors", at, readdirSync(`/proc/${pid}/fd`).length);
      const probed = this.#cluster.probed(id);
      if (probed === undefined) continue;
      this.#note(id, "heap", at, probed.heap);
      this.#note(id, "handles", at, probed.handles);
    }
  }

  #note(id: string, resource: Resource, at: number, value: number): void {
    const key = `${id} ${resource}`;
    const points = this.#points.get(key) ?? [];
    points.push({ at, value });
    this.#points.set(key, points);
  }
}

function course(node: string, resource: Resource, points: readonly Point[]): Course {
  const last = points.at(-1);
  const warm = points.filter(({ at }) => at >= (last?.at ?? 0) * WARM);
  const perHour = slopePerHour(warm);
  const span = (last?.at ?? 0) - (warm[0]?.at ?? 0);
  return {
    node,
    resource,
    quarters: [0, 1, 2, 3, 4].map((quarter) => points[Math.floor((quarter / 4) * (points.length - 1))]?.value ?? 0),
    most: Math.max(0, ...points.map(({ value }) => value)),
    perHour,
    growth: (perHour * span) / 3_600_000,
  };
}

/** One line for each process that grew by more than it may. */
export function leaks(courses: readonly Course[], messages: number): readonly string[] {
  const records = (node: string, resource: Resource): number => (node === CONTROLLER && resource === "heap" ? messages * RECORD : 0);
  return courses
    .filter(({ node, resource, growth }) => growth > (LEAK[resource] ?? Infinity) + records(node, resource))
    .map(({ node, resource, growth }) => `${node}: ${resource} grew by ${Math.round(growth)}`);
}

function residentOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kilobytes) * 1024;
}
