import type { MessageId, NodeId } from "../core/ids.ts";
import type { Instant } from "../core/instant.ts";
import { CounterMap } from "./counter-map.ts";
import { counterOf, laneOf } from "./message-ids.ts";
import type { Piece } from "./stream-sender.ts";

/** Works of one page. */
const PAGE = 1_024;
/** Words of one work. */
const WORDS = 6;
const [COUNTER, START, LENGTH, RESPONSES, MARKS, SOURCE] = [0, 1, 2, 3, 4, 5];
/** In the marks: the generation, and whether the message was to be held; `GONE`: somebody follows the work again. */
const [GENERATION, HOLD, GONE] = [0xffff, 0x1_0000, 0x2_0000];

/** What is kept of an ended work when its sender has had all of it. */
export interface Rested {
  readonly sender: NodeId;
  readonly originHigh: number;
  readonly originLow: number;
  readonly hold: boolean;
  readonly responses: number;
  readonly generation: number;
  /** The whole response stream. */
  readonly stream: Piece;
}

/** The works of one lane, by their counters: where each lies. */
interface Lane {
  readonly key: string;
  readonly places: CounterMap;
  /** The greatest counter that came here: most that are asked for are new, and greater. */
  highest: number;
}

/** What many works in a row have in common. */
interface Source {
  readonly lane: Lane;
  readonly sender: NodeId;
  readonly originHigh: number;
  readonly originLow: number;
  readonly bytes: Uint8Array;
}

interface Page {
  readonly words: Uint32Array;
  readonly until: Float64Array;
  readonly sources: Source[];
}

/**
 * Ended works of which nothing is to be said any more, unless somebody asks: the oldest first. In columns of numbers rather than as objects: they
 * are many, live long, and would keep the collector busy. Places count up for ever; a page goes with the last work in it.
 */
export class Archive {
  readonly #lanes = new Map<string, Lane>();
  readonly #pages: Page[] = [];
  #recent: Lane | undefined;
  /** The place of the oldest, of the next to come, and of the first in the first page. */
  #first = 0;
  #next = 0;
  #base = 0;
  #size = 0;
  #held = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of response streams. */
  get held(): number {
    return this.#held;
  }

  /** Until when the oldest is kept; undefined: there is none. */
  get until(): Instant | undefined {
    return this.#size === 0 ? undefined : this.#page(this.#first).until[this.#first % PAGE];
  }

  add(id: MessageId, { sender, originHigh, originLow, hold, responses, generation, stream }: Rested, until: Instant): void {
    const place = this.#next++;
    const at = place % PAGE;
    if (at === 0) this.#pages.push(newPage());
    const { words, until: times, sources } = this.#page(place);
    const lane = this.#laneOf(id) ?? this.#openLane(id);
    const counter = counterOf(id);
    lane.places.set(counter, place);
    if (counter > lane.highest) lane.highest = counter;
    const { bytes } = stream;
    const last = sources.at(-1);
    if (
      last?.lane !== lane ||
      last.bytes !== bytes ||
      last.sender !== sender ||
      last.originHigh !== originHigh ||
      last.originLow !== originLow
    )
      sources.push({ lane, sender, originHigh, originLow, bytes });
    times[at] = until;
    const to = at * WORDS;
    words[to + COUNTER] = counter;
    words[to + SOURCE] = sources.length - 1;
    words[to + START] = stream.start;
    words[to + LENGTH] = stream.length;
    words[to + RESPONSES] = responses;
    words[to + MARKS] = generation | (hold ? HOLD : 0);
    this.#size++;
    this.#held += stream.length;
  }

  has(id: MessageId): boolean {
    return this.#placeOf(id) !== undefined;
  }

  get(id: MessageId): Rested | undefined {
    const place = this.#placeOf(id);
    return place === undefined ? undefined : this.#read(place);
  }

  /** Somebody follows it again: it is here no more. Returns until when it is to be kept. */
  take(id: MessageId): Instant | undefined {
    const place = this.#placeOf(id);
    if (place === undefined) return undefined;
    const until = this.#page(place).until[place % PAGE];
    this.#remove(place);
    this.#trim();
    return until;
  }

  /** Forgets the oldest. */
  drop(): void {
    this.#remove(this.#first);
    this.#trim();
  }

  #placeOf(id: MessageId): number | undefined {
    const lane = this.#laneOf(id);
    if (lane === undefined) return undefined;
    const counter = counterOf(id);
    return counter > lane.highest ? undefined : lane.places.get(counter);
  }

  #remove(place: number): void {
    const { words, sources } = this.#page(place);
    const from = (place % PAGE) * WORDS;
    const { lane } = sources[words[from + SOURCE] as number] as Source;
    lane.places.delete(words[from + COUNTER] as number);
    if (lane.places.size === 0) {
      this.#lanes.delete(lane.key);
      if (this.#recent === lane) this.#recent = undefined;
    }
    words[from + MARKS] = GONE;
    this.#size--;
    this.#held -= words[from + LENGTH] as number;
  }

  /** Lets go of the pages before the oldest work that is left. */
  #trim(): void {
    while (this.#first < this.#next && this.#page(this.#first).words[(this.#first % PAGE) * WORDS + MARKS] === GONE) {
      if (++this.#first % PAGE !== 0) continue;
      this.#pages.shift();
      this.#base += PAGE;
    }
  }

  #read(place: number): Rested {
    const { words, sources } = this.#page(place);
    const from = (place % PAGE) * WORDS;
    const marks = words[from + MARKS] as number;
    const { sender, originHigh, originLow, bytes } = sources[words[from + SOURCE] as number] as Source;
    return {
      sender,
      originHigh,
      originLow,
      hold: (marks & HOLD) !== 0,
      responses: words[from + RESPONSES] as number,
      generation: marks & GENERATION,
      stream: { bytes, start: words[from + START] as number, length: words[from + LENGTH] as number },
    };
  }

  #page(place: number): Page {
    return this.#pages[Math.floor((place - this.#base) / PAGE)] as Page;
  }

  /** Messages of one lane come in a row. */
  #laneOf(id: MessageId): Lane | undefined {
    const recent = this.#recent;
    if (recent !== undefined && id.startsWith(recent.key)) return recent;
    const lane = this.#lanes.get(laneOf(id));
    if (lane !== undefined) this.#recent = lane;
    return lane;
  }

  #openLane(id: MessageId): Lane {
    const lane = { key: laneOf(id), places: new CounterMap(), highest: -1 };
    this.#lanes.set(lane.key, lane);
    this.#recent = lane;
    return lane;
  }
}

function newPage(): Page {
  return { words: new Uint32Array(PAGE * WORDS), until: new Float64Array(PAGE), sources: [] };
}
