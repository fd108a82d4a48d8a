// From probabilities to their logistic scale and back. Both tables are made by additions, multiplications and divisions
// only, so that every JavaScript engine has the same: one bit of difference would derail a decoder.

const STRETCH_CELLS = 4096
export const SQUASH_STEPS = 170

/** log(p / (1 - p)) of a probability in 1/4096. */
export const stretchTable = new Float64Array(STRETCH_CELLS)
/** The probability in 1/65536 of a sum of such logarithms, in steps around the middle of the table. */
export const squashTable = new Int32Array(STRETCH_CELLS)

// e^x by halving and a short series: Math.exp may differ in its last bit between machines.
function exponential(x: number): number {
  let halvings = 0
  let rest = x
  while (rest > 0.01 || rest < -0.01) {
    rest /= 2
    halvings++
  }
  let value = 1 + rest * (1 + (rest / 2) * (1 + (rest / 3) * (1 + (rest / 4) * (1 + rest / 5))))
  for (; halvings > 0; halvings--) value *= value
  return value
}

function fillTables(): void {
  for (let cell = 0; cell < STRETCH_CELLS; cell++) {
    const x = (cell - 2048) / SQUASH_STEPS
    squashTable[cell] = Math.min(65535 - 16, Math.max(16, Math.floor(65536 / (1 + exponential(-x)))))
  }
  // The inverse, by search in the forward table, so that both come from the same numbers.
  let cell = 0
  for (let index = 0; index < STRETCH_CELLS; index++) {
    const probability = index * 16 + 8
    while (cell < STRETCH_CELLS - 1 && (squashTable[cell] as number) < probability) cell++
    stretchTable[index] = (cell - 2048) / SQUASH_STEPS
  }
}
fillTables()
