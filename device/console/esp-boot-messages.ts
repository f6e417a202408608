/** A line of a boot log that explains why no program runs, or not the one that it should be. */
export interface BootMessage {
  readonly pattern: RegExp;
  /** What follows of it: a watchdog that ends a start which failed anyway is no news. */
  readonly kind: 'waits' | 'cannot start' | 'starts all the same' | 'gave up' | 'supply' | 'watchdog';
  readonly what: string;
  readonly measure: string;
}

const writeAgain = 'write it again: tinyml flash DIR --board ID';

/**
 * What the ROMs of ESP32, S2, S3, C3, C6 and P4 and the second boot loader of ESP-IDF say, the more telling first: a ROM
 * that found a wrong checksum goes on to say where it gave up, as one does that found an empty flash. The words are
 * those of logs in Espressif's documentation and issue tracker.
 */
export const bootMessages: readonly BootMessage[] = [
  {
    pattern: /waiting for download/i,
    kind: 'waits',
    what: 'the chip waits for a download: its boot pin (IO0; IO9 of a C3, C6 or H2; IO35 of a P4) is low at reset',
    measure:
      'let go of the BOOT button, or take what pulls the pin low away, and press reset: tinyml reset PORT',
  },
  {
    // "csum err:0x9e!=0x38" of the ESP32; "Checksum failure. Calculated 0x8e stored 0xde" of the others.
    pattern: /csum err|checksum failure|checksum failed/i,
    kind: 'cannot start',
    what: 'the program in flash is damaged: its checksum is wrong',
    measure: writeAgain,
  },
  {
    pattern: /Image hash failed|hash of image.*(invalid|mismatch)/i,
    kind: 'cannot start',
    what: 'the program in flash is damaged: its SHA-256 is wrong',
    measure: writeAgain,
  },
  {
    pattern: /SHA-256 comparison failed|Attempting to boot anyway/i,
    kind: 'starts all the same',
    what: 'the program in flash is not the one that was built: its SHA-256 is wrong, and the ROM starts it all the same',
    measure: writeAgain,
  },
  {
    pattern:
      /secure boot.*(fail|invalid)|sig(nature)?( block)? (verification|check).*fail|secure boot check fail/i,
    kind: 'cannot start',
    what: 'the chip has secure boot, and the program in flash is not signed with its key',
    measure: 'sign it with the tools of ESP-IDF, or use another board',
  },
  {
    // The ESP32's first ROMs say the number of bytes that they could not read.
    pattern: /invalid header: 0xffffffff|flash read err, ?1000/i,
    kind: 'cannot start',
    what: 'the flash holds no program where the ROM looks for one',
    measure: 'write one: tinyml flash DIR --board ID',
  },
  {
    pattern: /invalid header: 0x00000000/i,
    kind: 'cannot start',
    what: 'the flash reads as zeros',
    measure: 'check its supply and wires (GPIO12 of an ESP32 must be low at reset), then write it again',
  },
  {
    pattern: /invalid header/i,
    kind: 'cannot start',
    what: 'what stands where the ROM looks for a program is none, or is encrypted',
    measure: writeAgain,
  },
  {
    pattern: /flash read err/i,
    kind: 'cannot start',
    what: 'the ROM cannot read the flash',
    measure: 'check its supply and wires (GPIO12 of an ESP32 must be low at reset)',
  },
  {
    pattern: /invalid (image block|chip id|segment)|has invalid (magic|segment)/i,
    kind: 'cannot start',
    what: 'the image in flash is no program for this chip',
    measure: writeAgain,
  },
  {
    pattern: /partition .*invalid magic|Failed to verify partition table|No bootable app|is not bootable/i,
    kind: 'cannot start',
    what: 'the boot loader of ESP-IDF finds no partition with a program',
    measure: 'write boot loader, partition table and program: idf.py flash',
  },
  {
    pattern: /chip is revision .*configured for minimum|requires chip rev/i,
    kind: 'cannot start',
    what: 'the program is built for a later revision of the chip',
    measure: 'build it for this revision: idf.py menuconfig, "Minimum Supported Revision"',
  },
  {
    pattern: /Detected size\(\d+k\) smaller than the size in the binary image header/i,
    kind: 'cannot start',
    what: 'the flash is smaller than the program was built for',
    measure: 'build it for the flash that the board has',
  },
  {
    pattern: /PSRAM ID read error/i,
    kind: 'cannot start',
    what: 'the program wants PSRAM that does not answer',
    measure: 'build it without PSRAM, or for the kind that the board has',
  },
  {
    pattern: /brownout detector was triggered|BROWN_?OUT|_BOD_|\bBOD\b/i,
    kind: 'supply',
    what: 'the supply voltage breaks down',
    measure: 'take a shorter USB cable or another USB port or supply, and unplug what the board feeds',
  },
  {
    pattern: /ets_main\.c|ets_loader\.c|can't boot/i,
    kind: 'gave up',
    what: 'the ROM cannot start what the flash holds',
    measure: writeAgain,
  },
  {
    // TG0WDT_SYS_RST, RTCWDT_RTC_RESET, TG0_WDT_HPSYS, LP_WDT_SYS, SUPER_WDT_RST and their like.
    pattern: /rst:0x[0-9a-f]+ \((?![A-Z0-9_]*BROWN)[A-Z0-9_]*WDT[A-Z0-9_]*\)/i,
    kind: 'watchdog',
    what: 'a watchdog restarts the chip',
    measure:
      'the program hangs or does not feed the watchdog: tinyml monitor PORT --elf firmware.elf shows where',
  },
];
