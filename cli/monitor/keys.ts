/** What keys ask for; all others go to the board. */
export type KeyAction = { readonly send: Uint8Array } | 'leave' | 'reset' | 'help' | 'timestamps';

const LEAVE = 0x1d;
const MENU = 0x14;
const ENTER = 0x0d;

/** Keys of the menu, with Control or alone; those of ESP-IDF's monitor where it has them. */
const menu: ReadonlyMap<number, KeyAction> = new Map<number, KeyAction>([
  [0x12, 'reset'],
  [0x08, 'help'],
  [0x09, 'timestamps'],
  [0x18, 'leave'],
  [MENU, { send: Uint8Array.of(MENU) }],
  [LEAVE, { send: Uint8Array.of(LEAVE) }],
]);

export const keyHelp = [
  'Ctrl-]         leave',
  'Ctrl-T Ctrl-R  restart the board',
  'Ctrl-T Ctrl-I  show or hide the time of each line',
  'Ctrl-T Ctrl-H  this text',
  'Ctrl-T Ctrl-X  leave, too',
  'Ctrl-T Ctrl-T, Ctrl-T Ctrl-]  send that key',
  'all else goes to the board, Ctrl-C too',
];

/** Control is a letter's code less 0x60; what has no code of its own stays. */
const withControl = (byte: number) => (byte >= 0x61 && byte <= 0x7a ? byte - 0x60 : byte);

/** Takes what a terminal in raw mode sends apart, whatever way it was cut. */
export class Keys {
  private inMenu = false;
  private readonly enter: Uint8Array;

  /** `enter` is sent for the Enter key. */
  constructor(enter: Uint8Array) {
    this.enter = enter;
  }

  take(bytes: Uint8Array): KeyAction[] {
    const actions: KeyAction[] = [];
    let plain: number[] = [];
    const endPlain = () => {
      if (plain.length > 0) actions.push({ send: Uint8Array.from(plain) });
      plain = [];
    };
    for (const byte of bytes) {
      const special = this.inMenu
        ? (menu.get(withControl(byte)) ?? 'help')
        : byte === LEAVE
          ? 'leave'
          : undefined;
      const opens = !this.inMenu && byte === MENU;
      this.inMenu = opens;
      if (special === undefined && !opens) plain.push(...(byte === ENTER ? this.enter : [byte]));
      if (special === undefined) continue;
      endPlain();
      actions.push(special);
    }
    endPlain();
    return actions;
  }
}
