import { foldCast, foldCastLike, foldDequantizeLinear, foldQuantizeLinear } from './conversions.ts';
import { binaryNames, foldBinary, foldUnary, foldWhere, unaryNames } from './elementwise.ts';
import { type Folder, required } from './folder.ts';
import { foldConstant, foldConstantOfShape, foldRange } from './generators.ts';
import { foldReduction, reductionNames } from './reductions.ts';
import {
  foldConcat,
  foldExpand,
  foldFlatten,
  foldGather,
  foldReshape,
  foldSlice,
  foldSplit,
  foldSqueeze,
  foldTile,
  foldTranspose,
  foldUnsqueeze,
} from './shapes.ts';

const foldIdentity: Folder = (node) => {
  const x = required(node, 0);
  return [{ ...x.type, data: x.data }];
};

/** Operators that are evaluated at import when all their inputs are constants. */
export const folders: ReadonlyMap<string, Folder> = new Map<string, Folder>([
  ...binaryNames.map((name): [string, Folder] => [name, foldBinary]),
  ...unaryNames.map((name): [string, Folder] => [name, foldUnary]),
  ...reductionNames.map((name): [string, Folder] => [name, foldReduction]),
  ['Cast', foldCast],
  ['CastLike', foldCastLike],
  ['Concat', foldConcat],
  ['Constant', foldConstant],
  ['ConstantOfShape', foldConstantOfShape],
  ['DequantizeLinear', foldDequantizeLinear],
  ['QuantizeLinear', foldQuantizeLinear],
  ['Expand', foldExpand],
  ['Flatten', foldFlatten],
  ['Gather', foldGather],
  ['Identity', foldIdentity],
  ['Range', foldRange],
  ['Reshape', foldReshape],
  ['Slice', foldSlice],
  ['Split', foldSplit],
  ['Squeeze', foldSqueeze],
  ['Tile', foldTile],
  ['Transpose', foldTranspose],
  ['Unsqueeze', foldUnsqueeze],
  ['Where', foldWhere],
]);
