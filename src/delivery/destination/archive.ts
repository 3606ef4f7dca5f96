import type { MessageId, NodeId } from "../../core/ids.ts";
import type { Instant } from "../../core/instant.ts";
import { CounterMap } from "./counter-map.ts";
import { counterOf, laneOf } from "../message-ids.ts";
import type { Piece } from "../streams/stream-sender.ts";

/** Works of one page. */
const PAGE = 1_024;
/** Words of one work. */
const WORDS = 6;
const [COUNTER, START, LENGTH, RESPONSES, MARKS, SOURCE] = [0, 1, 2, 3, 4, 5];
/** Streams lie in blocks of this size; none is longer than `RESTS`. */
const BLOCK = 32 * 1024;
/** Bytes: a longer stream stays with its work, which costs more than an object. */
export const RESTS = 4_096;
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
  /** The whole response stream, at most `RESTS` bytes. The archive copies it, both ways. */
  readonly stream: Piece;
}

/** The parts of a work's id. */
interface Named {
  readonly lane: string;
  readonly counter: number;
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

/** Its memory is used again for another page: what comes and goes at this pace would have the whole heap collected again and again. */
interface Page {
  readonly words: Uint32Array;
  readonly until: Float64Array;
  readonly sources: Source[];
  readonly blocks: Uint8Array[];
  /** Where the next stream is laid, over all blocks. */
  at: number;
}

/**
 * Ended works of which nothing is to be said any more, unless somebody asks: the oldest first. In columns of numbers rather than as objects: they
 * are many, live long, and would keep the collector busy. Places count up for ever; a page goes with the last work in it.
 */
export class Archive {
  readonly #lanes = new Map<string, Lane>();
  readonly #pages: Page[] = [];
  /** The page that went last. */
  #spare: Page | undefined;
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

  /** Bytes of memory for them. */
  get reserved(): number {
    return this.#pages.reduce((sum, { blocks }) => sum + blocks.length * BLOCK, 0);
  }

  /** Until when the oldest is kept; undefined: there is none. */
  get until(): Instant | undefined {
    return this.#size === 0 ? undefined : this.#page(this.#first).until[this.#first % PAGE];
  }

  add(work: Named, { sender, originHigh, originLow, hold, responses, generation, stream }: Rested, until: Instant): void {
    const place = this.#next++;
    const at = place % PAGE;
    if (at === 0) this.#pages.push(this.#newPage());
    const page = this.#page(place);
    const { words, until: times, sources } = page;
    const lane = this.#lane(work.lane) ?? this.#openLane(work.lane);
    const { counter } = work;
    lane.places.set(counter, place);
    if (counter > lane.highest) lane.highest = counter;
    const bytes = blockFor(page, stream.length);
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
    const start = page.at % BLOCK;
    words[to + START] = start;
    words[to + LENGTH] = stream.length;
    words[to + RESPONSES] = responses;
    words[to + MARKS] = generation | (hold ? HOLD : 0);
    bytes.set(stream.bytes.subarray(stream.start, stream.start + stream.length), start);
    page.at += stream.length;
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
    const lane = this.#lane(laneOf(id));
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
      this.#spare = this.#pages.shift();
      this.#base += PAGE;
    }
  }

  #read(place: number): Rested {
    const { words, sources } = this.#page(place);
    const from = (place % PAGE) * WORDS;
    const marks = words[from + MARKS] as number;
    const { sender, originHigh, originLow, bytes } = sources[words[from + SOURCE] as number] as Source;
    const [start, length] = [words[from + START] as number, words[from + LENGTH] as number];
    return {
      sender,
      originHigh,
      originLow,
      hold: (marks & HOLD) !== 0,
      responses: words[from + RESPONSES] as number,
      generation: marks & GENERATION,
      stream: { bytes: bytes.slice(start, start + length), start: 0, length },
    };
  }

  #page(place: number): Page {
    return this.#pages[Math.floor((place - this.#base) / PAGE)] as Page;
  }

  /** Messages of one lane come in a row. */
  #lane(key: string): Lane | undefined {
    const recent = this.#recent;
    if (recent?.key === key) return recent;
    const lane = this.#lanes.get(key);
    if (lane !== undefined) this.#recent = lane;
    return lane;
  }

  #newPage(): Page {
    const page = this.#spare;
    this.#spare = undefined;
    if (page === undefined) return { words: new Uint32Array(PAGE * WORDS), until: new Float64Array(PAGE), sources: [], blocks: [], at: 0 };
    page.sources.length = 0;
    page.at = 0;
    return page;
  }

  #openLane(key: string): Lane {
    const lane = { key, places: new CounterMap(), highest: -1 };
    this.#lanes.set(lane.key, lane);
    this.#recent = lane;
    return lane;
  }
}

/** The block that has room for so many bytes at `page.at`, which moves to another one where it must. */
function blockFor(page: Page, length: number): Uint8Array {
  const taken = page.at % BLOCK;
  if (taken + length > BLOCK) page.at += BLOCK - taken;
  const block = page.blocks[Math.floor(page.at / BLOCK)];
  if (block !== undefined) return block;
  const fresh = new Uint8Array(BLOCK);
  page.blocks.push(fresh);
  return fresh;
}
