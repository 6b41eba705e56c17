/** Chance that can be had again: the same seed, the same numbers (mulberry32, 32 bits of state). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `min` to `max`, both within ±2^53. */
  whole(min: number, max: number): number {
    // 53 bits of chance, from two draws.
    const share = (this.next() * 2 ** 21 + Math.floor(this.next() * 2 ** 21) / 2 ** 21) / 2 ** 21
    return Math.min(max, min + Math.floor(share * (max - min + 1)))
  }

  /** The same, and every third time one of the ends or its neighbour. */
  edgy(min: number, max: number): number {
    if (!this.chance(1 / 3)) return this.whole(min, max)
    return Math.min(max, Math.max(min, this.pick([min, max, min + 1, max - 1, 0])))
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  pick<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.next() * choices.length)]!
  }

  /** One of the choices, each as often as its weight says. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T {
    let left = this.next() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, choice] of choices) {
      left -= weight
      if (left < 0) return choice
    }
    return choices.at(-1)![1]
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.whole(0, 255)))
  }
}
