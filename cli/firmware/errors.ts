import { TinymlError } from '../../common/tinyml-error.ts';

/** Bytes over in flash and RAM, known before or after building. */
export function modelTooBig(
  board: string,
  over: { readonly flash: number; readonly ram: number },
): TinymlError {
  const measure = [
    ...(over.flash > 0 ? [`flash: at least ${over.flash} bytes over`] : []),
    ...(over.ram > 0 ? [`RAM: at least ${over.ram} bytes over`] : []),
  ];
  return new TinymlError({
    code: 'E_MODEL_TOO_BIG',
    exit: 3,
    what: `the model does not fit board ${board}`,
    measure,
    hint: 'take a smaller model, --optimize size, or a larger board: tinyml inspect MODEL lists those it fits',
  });
}

export function engineNotBuilt(path: string, engine: string): TinymlError {
  return new TinymlError({
    code: 'E_ENGINE',
    exit: 1,
    what: `${path}: was converted with --engine ${engine}, whose files go into a project of your own`,
    hint: 'convert it with --engine aot to have tinyml build, flash and measure it',
  });
}

export function notAnEsp(board: string): TinymlError {
  return new TinymlError({
    code: 'E_NOT_ESP',
    exit: 1,
    what: `${board}: ESP-IDF builds for chips of Espressif, and this board has another`,
    hint: 'tinyml boards lists the boards; leave out --project to build for this one',
  });
}
