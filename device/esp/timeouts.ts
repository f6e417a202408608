/** All waits of the client, in milliseconds. */
export interface LoaderTimeouts {
  /** From the first reset to the first answer, all attempts together. */
  readonly connectMs: number;
  /** How long EN is held low, and how long IO0 stays low after it; what esptool waits. */
  readonly resetHoldMs: number;
  readonly bootPinMs: number;
  /** For the boot log to be over. */
  readonly bootLogMs: number;
  /** For the answer to one sync. */
  readonly syncMs: number;
  /** Without a byte for so long what comes after a sync or a change of rate is over. */
  readonly quietMs: number;
  /** For an answer as long as the link's own delay is unknown; shorter once it was measured. */
  readonly answerMs: number;
  readonly shortestAnswerMs: number;
  /** Without a single byte for so long the loader is looked for anew, and then the board counts as gone. */
  readonly silenceMs: number;
  readonly reconnectMs: number;
  /** Erasing a sector, and what the flash may need besides for each MiB; data sheets of serial NOR flash. */
  readonly eraseSectorMs: number;
  readonly erasePerMibMs: number;
  readonly md5PerMibMs: number;
  readonly eraseChipMs: number;
  /** For the whole job: this, and so many times what the transfer takes on a clean link at the slowest rate. */
  readonly totalMs: number;
  readonly totalTransfers: number;
}

export const defaultTimeouts: LoaderTimeouts = {
  connectMs: 20_000,
  resetHoldMs: 100,
  bootPinMs: 50,
  bootLogMs: 60,
  syncMs: 120,
  quietMs: 20,
  answerMs: 1_000,
  shortestAnswerMs: 40,
  silenceMs: 2_500,
  reconnectMs: 2_000,
  eraseSectorMs: 500,
  erasePerMibMs: 40_000,
  md5PerMibMs: 8_000,
  eraseChipMs: 120_000,
  totalMs: 30_000,
  totalTransfers: 4,
};
