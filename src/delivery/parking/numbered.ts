/** Gives things small numbers, so that a column of numbers can stand for many references. A number that is free again is given to another thing. */
export class Numbered<Thing> {
  #things: (Thing | undefined)[] = [];
  #free: number[] = [];

  /** How many have a number now. */
  get size(): number {
    return this.#things.length - this.#free.length;
  }

  add(thing: Thing): number {
    const number = this.#free.pop() ?? this.#things.length;
    this.#things[number] = thing;
    return number;
  }

  get(number: number): Thing | undefined {
    return this.#things[number];
  }

  /** To be called once for a number that was given. */
  remove(number: number): void {
    this.#things[number] = undefined;
    this.#free.push(number);
    if (this.size > 0) return;
    // Many at once do not keep their memory.
    this.#things = [];
    this.#free = [];
  }
}
