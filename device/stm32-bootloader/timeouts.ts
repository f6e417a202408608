/** All waits of the boot loader client, in milliseconds. */
export interface BootloaderTimeouts {
  /** From the first reset to the first answer, all attempts together. */
  readonly connectMs: number;
  /** From then on until chip, commands and protection are known. */
  readonly checkMs: number;
  /** How long NRST is held low; 20 us would do (datasheet), adapters and RC delays want more. */
  readonly resetHoldMs: number;
  /** From the end of reset until the boot loader listens; AN2606 gives 85 ms for the STM32F40x. */
  readonly bootMs: number;
  /** For the answer to one sync byte. */
  readonly syncMs: number;
  /** For an acknowledgement as long as the link's own delay is unknown; shorter once it was measured. */
  readonly ackMs: number;
  readonly shortestAckMs: number;
  /** Between filler bytes while looking for the end of a broken command. */
  readonly fillerMs: number;
  /** Without a single byte for so long, and after new connections were tried, the board counts as gone. */
  readonly silenceMs: number;
  /** Datasheet of the STM32F405: a 128 KiB sector takes up to 4 s, a 16 KiB sector 0.8 s. */
  readonly eraseMs: number;
  readonly erasePerKibMs: number;
  /** For the whole job: this, and so many times what the transfer takes on a clean link. */
  readonly totalMs: number;
  readonly totalTransfers: number;
  /** And so many times more for what lies in large sectors, which bad luck on a rough link makes us write again. */
  readonly sectorRepeats: number;
}

export const defaultTimeouts: BootloaderTimeouts = {
  connectMs: 20_000,
  checkMs: 10_000,
  resetHoldMs: 20,
  bootMs: 100,
  syncMs: 250,
  ackMs: 1_000,
  shortestAckMs: 50,
  fillerMs: 20,
  silenceMs: 3_500,
  eraseMs: 1_000,
  erasePerKibMs: 30,
  totalMs: 15_000,
  totalTransfers: 3,
  sectorRepeats: 4,
};
