/**
 * The 64 bits that stand for a node id on the wire, as two unsigned 32-bit halves: a relay compares numbers
 * and never decodes a string. FNV-1a (RFC 9923), 64 bits. Two ids with one hash cannot live in one mesh; the second
 * advertisement is refused.
 */
export interface NodeHash {
  readonly high: number;
  readonly low: number;
}

export function isSameHash(a: NodeHash, b: NodeHash): boolean {
  return a.low === b.low && a.high === b.high;
}

const PRIME_LOW = 0x1b3;

export function hashNodeId(id: string): NodeHash {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (let i = 0; i < id.length; i++) {
    low = (low ^ (id.charCodeAt(i) & 0xff)) >>> 0;
    // (high,low) *= 2^40 + 0x1b3, in 16-bit limbs so that no product leaves 53 bits.
    const product = (low & 0xffff) * PRIME_LOW;
    const middle = (low >>> 16) * PRIME_LOW + Math.floor(product / 0x10000);
    const carry = Math.floor(middle / 0x10000);
    const nextLow = (((middle & 0xffff) << 16) | (product & 0xffff)) >>> 0;
    high = (Math.imul(high, PRIME_LOW) + carry + (low << 8)) >>> 0;
    low = nextLow;
  }
  return { high, low };
}

/** The hash of the id that was asked for last is remembered: one sender sends many messages in a row. */
export class RecentHash {
  #id: string | undefined;
  #hash: NodeHash = { high: 0, low: 0 };

  of(id: string): NodeHash {
    if (id !== this.#id) {
      this.#hash = hashNodeId(id);
      this.#id = id;
    }
    return this.#hash;
  }
}

interface Entry<V> {
  readonly high: number;
  readonly low: number;
  value: V;
  next: Entry<V> | undefined;
}

/** A map keyed by node hash; a lookup takes two numbers and allocates nothing. */
export class NodeHashMap<V> {
  /** By the low half as a signed number: that needs no memory of its own, as an unsigned one above 2^31 does. */
  readonly #heads = new Map<number, Entry<V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(high: number, low: number): V | undefined {
    let entry = this.#heads.get(low | 0);
    while (entry !== undefined && entry.high !== high) entry = entry.next;
    return entry?.value;
  }

  set(high: number, low: number, value: V): void {
    const head = this.#heads.get(low | 0);
    for (let entry = head; entry !== undefined; entry = entry.next) {
      if (entry.high === high) {
        entry.value = value;
        return;
      }
    }
    this.#heads.set(low | 0, { high, low, value, next: head });
    this.#size++;
  }

  delete(high: number, low: number): boolean {
    const head = this.#heads.get(low | 0);
    if (head === undefined) return false;
    if (head.high === high) {
      if (head.next === undefined) this.#heads.delete(low | 0);
      else this.#heads.set(low | 0, head.next);
      this.#size--;
      return true;
    }
    for (let entry = head; entry.next !== undefined; entry = entry.next) {
      if (entry.next.high === high) {
        entry.next = entry.next.next;
        this.#size--;
        return true;
      }
    }
    return false;
  }

  clear(): void {
    this.#heads.clear();
    this.#size = 0;
  }

  *values(): Generator<V> {
    for (const head of this.#heads.values()) {
      for (let entry: Entry<V> | undefined = head; entry !== undefined; entry = entry.next) yield entry.value;
    }
  }
}
