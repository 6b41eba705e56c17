/** Decimals tried by scaling; a float32 between 0.001 and 10⁷ never needs more than nine digits. */
const scales = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12]

/**
 * The number with the fewest decimals that is the same float32: 0.3 for the 32-bit 0.3, whose exact value is
 * 0.300000011920928955078125. Scores are written as float32 and meant as the short decimal.
 */
export function shortestFloat32(value: number): number {
  const size = Math.abs(value)
  if (size >= 1e-3 && size < 1e7) {
    for (const scale of scales) {
      const candidate = Math.round(value * scale) / scale
      if (Math.fround(candidate) === value) return candidate
    }
  }
  // Nine digits tell every float32 from its neighbours.
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}
