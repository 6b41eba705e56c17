/** To three places behind the point: seconds and milliseconds for people, without the sixteen digits of a float. */
export function rounded(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
