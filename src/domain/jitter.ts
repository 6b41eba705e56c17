/** ±25 %: processes that were started together must not ask together. */
export function jitteredMs(ms: number): number {
  return ms * (0.75 + Math.random() / 2)
}
