/** ±25 %: processes that were started together must not ask together. */
export function jitteredMs(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}

/** Up to a quarter less, for what must not come later. */
export function shortenedMs(ms: number): number {
  return ms * (0.75 + Math.random() / 4)
}
