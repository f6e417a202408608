/**
 * sums[r] = the dot product of row r of `matrix` [rows, columns] with `vector`, wrapping like 32-bit integers. Four
 * rows at a time, so that each element of the vector is loaded once for four products.
 */
export function multiplyRows(matrix: Int8Array, vector: Int32Array, sums: Int32Array): void {
  const columns = vector.length;
  const rows = sums.length;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const [a, b, c, d] = [row * columns, (row + 1) * columns, (row + 2) * columns, (row + 3) * columns];
    let sumA = 0;
    let sumB = 0;
    let sumC = 0;
    let sumD = 0;
    for (let k = 0; k < columns; k++) {
      const value = vector[k]!;
      sumA = (sumA + Math.imul(value, matrix[a + k]!)) | 0;
      sumB = (sumB + Math.imul(value, matrix[b + k]!)) | 0;
      sumC = (sumC + Math.imul(value, matrix[c + k]!)) | 0;
      sumD = (sumD + Math.imul(value, matrix[d + k]!)) | 0;
    }
    sums[row] = sumA;
    sums[row + 1] = sumB;
    sums[row + 2] = sumC;
    sums[row + 3] = sumD;
  }
  for (; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum = (sum + Math.imul(vector[k]!, matrix[row * columns + k]!)) | 0;
    sums[row] = sum;
  }
}
