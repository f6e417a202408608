/** Sizes of a sliding window over [batch, height, width, channels]; `pads` is top, left, bottom, right. */
export interface WindowGeometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly pads: readonly number[];
}

/** Calls `visit` with the offsets of input and output pixel for each tap of the window that lies inside the image. */
function eachTap(g: WindowGeometry, visit: (input: number, position: number, tap: number) => void): void {
  const [strideY, strideX] = g.strides as [number, number];
  const [dilationY, dilationX] = g.dilations as [number, number];
  let position = 0;
  for (let n = 0; n < g.batch; n++) {
    for (let oy = 0; oy < g.outHeight; oy++) {
      for (let ox = 0; ox < g.outWidth; ox++, position++) {
        for (let ky = 0; ky < g.kernelHeight; ky++) {
          const y = oy * strideY - g.pads[0]! + ky * dilationY;
          if (y < 0 || y >= g.height) continue;
          for (let kx = 0; kx < g.kernelWidth; kx++) {
            const x = ox * strideX - g.pads[1]! + kx * dilationX;
            if (x < 0 || x >= g.width) continue;
            visit((n * g.height + y) * g.width + x, position, ky * g.kernelWidth + kx);
          }
        }
      }
    }
  }
}

const positions = (g: WindowGeometry) => g.batch * g.outHeight * g.outWidth;
const taps = (g: WindowGeometry) => g.kernelHeight * g.kernelWidth;

/** Rows of what the window sees: [positions, kernelHeight * kernelWidth * channels], zero outside of the image. */
export function windowRows(x: Float32Array, g: WindowGeometry): Float32Array {
  const { channels } = g;
  const depth = taps(g) * channels;
  const rows = new Float32Array(positions(g) * depth);
  eachTap(g, (input, position, tap) => {
    const from = input * channels;
    const to = position * depth + tap * channels;
    for (let c = 0; c < channels; c++) rows[to + c] = x[from + c]!;
  });
  return rows;
}

/** The transpose of `windowRows`: sums what each input element contributed to the rows. */
export function sumWindowRows(rows: Float32Array, g: WindowGeometry): Float32Array {
  const { channels } = g;
  const depth = taps(g) * channels;
  const x = new Float32Array(g.batch * g.height * g.width * channels);
  eachTap(g, (input, position, tap) => {
    const to = input * channels;
    const from = position * depth + tap * channels;
    for (let c = 0; c < channels; c++) x[to + c]! += rows[from + c]!;
  });
  return x;
}

/** Gradient of a maximum over windows: each result's gradient goes to the first input that equals it. */
export function maximumGradient(
  x: Float32Array,
  y: Float32Array,
  dy: Float32Array,
  g: WindowGeometry,
): Float32Array {
  const { channels } = g;
  const dx = new Float32Array(x.length);
  const given = new Uint8Array(y.length);
  eachTap(g, (input, position) => {
    const from = input * channels;
    const at = position * channels;
    for (let c = 0; c < channels; c++) {
      if (given[at + c] || x[from + c] !== y[at + c]) continue;
      given[at + c] = 1;
      dx[from + c]! += dy[at + c]!;
    }
  });
  return dx;
}

/** One channel of one image of [batch, height, width, channels], into the middle of a padded plane. */
function takePlane(
  source: Float32Array,
  first: number,
  channels: number,
  rows: number,
  columns: number,
  plane: Float32Array,
  start: number,
  pitch: number,
): void {
  let from = first;
  for (let y = 0; y < rows; y++) {
    const to = start + y * pitch;
    for (let x = 0; x < columns; x++, from += channels) plane[to + x] = source[from]!;
  }
}

/** The sum of products of a plane of gradients with what one tap of the window saw. */
function tapSum(
  g: WindowGeometry,
  plane: Float32Array,
  dz: Float32Array,
  start: number,
  pitch: number,
): number {
  const [strideY, strideX] = g.strides as [number, number];
  const { outHeight, outWidth } = g;
  let sum = 0;
  for (let oy = 0, i = 0; oy < outHeight; oy++) {
    let at = start + oy * strideY * pitch;
    for (let ox = 0; ox < outWidth; ox++, i++, at += strideX) sum += plane[at]! * dz[i]!;
  }
  return sum;
}

/** `tapSum` of all taps of a 3 x 3 window at once, whose nine sums do not wait for each other. */
function nineSums(g: WindowGeometry, plane: Float32Array, dz: Float32Array, pitch: number): number[] {
  const [strideY, strideX] = g.strides as [number, number];
  const [dilationY, step] = g.dilations as [number, number];
  const down = dilationY * pitch;
  let [a, b, c, d, e, f, h, i, j] = [0, 0, 0, 0, 0, 0, 0, 0, 0];
  for (let oy = 0, at = 0; oy < g.outHeight; oy++) {
    let top = oy * strideY * pitch;
    for (let ox = 0; ox < g.outWidth; ox++, at++, top += strideX) {
      const gradient = dz[at]!;
      // Clamped results have none, which is about half of them.
      if (gradient === 0) continue;
      const middle = top + down;
      const bottom = middle + down;
      a += plane[top]! * gradient;
      b += plane[top + step]! * gradient;
      c += plane[top + 2 * step]! * gradient;
      d += plane[middle]! * gradient;
      e += plane[middle + step]! * gradient;
      f += plane[middle + 2 * step]! * gradient;
      h += plane[bottom]! * gradient;
      i += plane[bottom + step]! * gradient;
      j += plane[bottom + 2 * step]! * gradient;
    }
  }
  return [a, b, c, d, e, f, h, i, j];
}

/** Adds a tap's share of the gradient to the plane of what it saw. */
function tapScatter(
  g: WindowGeometry,
  plane: Float32Array,
  dz: Float32Array,
  start: number,
  pitch: number,
  weight: number,
): void {
  const [strideY, strideX] = g.strides as [number, number];
  const { outHeight, outWidth } = g;
  for (let oy = 0, i = 0; oy < outHeight; oy++) {
    let at = start + oy * strideY * pitch;
    for (let ox = 0; ox < outWidth; ox++, i++, at += strideX) plane[at]! += weight * dz[i]!;
  }
}

/**
 * Gradients of a depthwise convolution with filters [kernelHeight, kernelWidth, channels * multiplier], by its result's
 * gradient `dz` [positions, channels * multiplier]. Works plane by plane, so that sums stay in registers. `dx` only
 * when asked for.
 */
export function depthwiseGradients(
  x: Float32Array,
  weights: Float32Array,
  dz: Float32Array,
  g: WindowGeometry,
  wantsInput: boolean,
): { dx: Float32Array | undefined; dw: Float32Array } {
  const { channels, height, width, outHeight, outWidth, kernelHeight, kernelWidth } = g;
  const filters = weights.length / taps(g);
  const multiplier = filters / channels;
  const [dilationY, dilationX] = g.dilations as [number, number];
  const [top, left, bottom, right] = g.pads as [number, number, number, number];
  const pitch = width + left + right;
  const plane = new Float32Array(pitch * (height + top + bottom));
  const start = top * pitch + left;
  const gradient = new Float32Array(outHeight * outWidth);
  const scattered = wantsInput ? new Float32Array(plane.length) : undefined;
  const dx = wantsInput ? new Float32Array(x.length) : undefined;
  const dw = new Float32Array(weights.length);
  // Image by image, so that all its channels come from the cache.
  for (let n = 0; n < g.batch; n++) {
    for (let f = 0; f < filters; f++) {
      const c = Math.floor(f / multiplier);
      const first = n * height * width * channels + c;
      takePlane(x, first, channels, height, width, plane, start, pitch);
      takePlane(
        dz,
        n * outHeight * outWidth * filters + f,
        filters,
        outHeight,
        outWidth,
        gradient,
        0,
        outWidth,
      );
      scattered?.fill(0);
      const sums = kernelHeight === 3 && kernelWidth === 3 ? nineSums(g, plane, gradient, pitch) : undefined;
      for (let ky = 0; ky < kernelHeight; ky++) {
        for (let kx = 0; kx < kernelWidth; kx++) {
          const tap = (ky * kernelWidth + kx) * filters + f;
          const at = ky * dilationY * pitch + kx * dilationX;
          dw[tap]! += sums ? sums[ky * 3 + kx]! : tapSum(g, plane, gradient, at, pitch);
          if (scattered) tapScatter(g, scattered, gradient, at, pitch, weights[tap]!);
        }
      }
      if (dx && scattered) addPlane(dx, first, channels, height, width, scattered, start, pitch);
    }
  }
  return { dx, dw };
}

function addPlane(
  target: Float32Array,
  first: number,
  channels: number,
  rows: number,
  columns: number,
  plane: Float32Array,
  start: number,
  pitch: number,
): void {
  let to = first;
  for (let y = 0; y < rows; y++) {
    const from = start + y * pitch;
    for (let x = 0; x < columns; x++, to += channels) target[to]! += plane[from + x]!;
  }
}

/** `dy` where the clamp left its input alone, by the clamped results `y`. */
export function passClamp(dy: Float32Array, y: Float32Array, low: number, high: number): Float32Array {
  if (low === 0) return passPositive(dy, y, high);
  const dz = new Float32Array(dy.length);
  for (let i = 0; i < dz.length; i++) {
    const value = y[i]!;
    dz[i] = value > low && value < high ? dy[i]! : 0;
  }
  return dz;
}

const bitsOf = (data: Float32Array) => new Int32Array(data.buffer, data.byteOffset, data.length);

/** `dy` where 0 < y < high, without branches: floats that are not negative are ordered like their bits. */
function passPositive(dy: Float32Array, y: Float32Array, high: number): Float32Array {
  const limit = bitsOf(Float32Array.of(high))[0]!;
  const dz = new Float32Array(dy.length);
  const [target, values, gradients] = [bitsOf(dz), bitsOf(y), bitsOf(dy)];
  for (let i = 0; i < target.length; i++) {
    const bits = values[i]!;
    target[i] = gradients[i]! & (-bits >> 31) & ((bits - limit) >> 31);
  }
  return dz;
}
