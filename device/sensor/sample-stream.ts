/** Samples that follow each other without a gap. */
export interface SampleRun {
  /** Number of the first one, counted from 0 at the start of the recording. */
  readonly first: number;
  /** Row-major, [samples, channels]. */
  readonly values: readonly number[];
}

/** What became of the samples that were due. */
export interface SampleCount {
  readonly due: number;
  readonly received: number;
  /** Those that the board could not take or keep; null where it does not tell. */
  readonly droppedOnBoard: number | null;
}

/** Samples of sensors as they come. */
export interface SampleStream {
  /** Samples a second, as the board keeps them by its own clock. */
  readonly rateHz: number;
  readonly channels: number;
  /** The next samples; undefined when all have come. */
  next(): Promise<SampleRun | undefined>;
  /** Valid at any time. */
  readonly count: SampleCount;
  /** Lets the board do something else. */
  stop(): Promise<void>;
}

/** Which values, how often. */
export interface SampleRequest {
  readonly channels: readonly number[];
  /** Samples a second. */
  readonly rateHz: number;
  /** In all. */
  readonly samples: number;
}
