// Splits the engines' WebAssembly in two: what a first visit runs, which the page loads first, and the rest.
// What a first visit runs is measured: a copy of the module that notes what is called goes through one (first-visit.mjs).
//
// In the first part, a function that went to the rest is a stub: it has the rest fetched if that is not there, then calls
// the real function by its place in the table. The rest puts its functions into those places when it is instantiated;
// the memory, the globals and the tables are the first part's.
import { readFileSync, writeFileSync } from 'node:fs';
import binaryen from 'binaryen';

const { Features } = binaryen;
const FEATURES =
  Features.BulkMemory |
  Features.BulkMemoryOpt |
  Features.NontrappingFPToInt |
  Features.SignExt |
  Features.MutableGlobals |
  Features.Multivalue |
  Features.ReferenceTypes;
/** The module that the rest imports from: the page gives it the first part's exports. */
const FIRST = 'first';
/** The first part's global that says whether the rest is there. */
const HERE = 'restIsHere';
/** The export that asks the page for the rest. */
const FETCH = 'fetchRest';

function read(file) {
  const module = binaryen.readBinary(readFileSync(file));
  module.setFeatures(FEATURES);
  return module;
}

const list = (count, at) => Array.from({ length: count }, (_, n) => at(n));
const functions = (module) =>
  list(module.getNumFunctions(), (n) => binaryen.getFunctionInfo(module.getFunctionByIndex(n)));
const own = (module) => functions(module).filter(({ base }) => base === '');
const imported = (module) => functions(module).filter(({ base }) => base !== '');
const exported = (module) => list(module.getNumExports(), (n) => binaryen.getExportInfo(module.getExportByIndex(n)));

/** The functions that the table holds from its start: rustc leaves its place 0 empty, so that no pointer is null. */
function listed(module) {
  const segments = list(module.getNumElementSegments(), (n) =>
    binaryen.getElementSegmentInfo(module.getElementSegmentByIndex(n)),
  );
  if (segments.length !== 1) throw new Error(`Expected one list of functions in the table, found ${segments.length}.`);
  return segments[0];
}

function resize(module, table, size) {
  binaryen.Table.setInitial(module.getTable(table), size);
  binaryen.Table.setMax(module.getTable(table), size);
}

function finish(module) {
  module.runPasses(['remove-unused-module-elements']);
  if (!module.validate()) throw new Error('A part of the engines is no valid WebAssembly: see above.');
  const bytes = module.emitBinary();
  module.dispose();
  return bytes;
}

/** A copy that sets an exported global when a function is called, and the names of those that were. */
function noting(file) {
  const module = read(file);
  const names = [];
  for (const { name, body, results } of own(module)) {
    const ran = `ran ${name}`;
    module.addGlobal(ran, binaryen.i32, true, module.i32.const(0));
    module.addGlobalExport(ran, ran);
    const noted = module.block(null, [module.global.set(ran, module.i32.const(1)), body], results);
    binaryen.Function.setBody(module.getFunction(name), noted);
    names.push(name);
  }
  return { bytes: finish(module), ran: (exports) => names.filter((name) => exports[`ran ${name}`].value !== 0) };
}

/** The table's place of each function that goes to the rest, and how long the table is then. */
function placed(file, kept) {
  const module = read(file);
  const { data } = listed(module);
  const known = new Map(data.map((name, n) => [name, n + 1]));
  let size = data.length + 1;
  const places = new Map();
  for (const { name } of own(module)) {
    if (kept.has(name)) continue;
    if (!known.has(name)) known.set(name, size++);
    places.set(name, known.get(name));
  }
  module.dispose();
  return { places, size };
}

/** The first part: stubs for what went to the rest, and exports of what the rest takes. */
function first(file, { places, size }, takes) {
  const module = read(file);
  const { table } = listed(module);
  const fetch = exported(module).find(({ name }) => name === FETCH)?.value;
  if (fetch === undefined || places.has(fetch)) throw new Error(`A first visit does not call ${FETCH}.`);
  module.addGlobal(HERE, binaryen.i32, true, module.i32.const(0));
  module.addGlobalExport(HERE, HERE);
  for (const { name, params, results } of own(module).filter(({ name }) => places.has(name))) {
    const missing = module.i32.eqz(module.global.get(HERE, binaryen.i32));
    const values = binaryen.expandType(params).map((type, n) => module.local.get(n, type));
    const real = module.call_indirect(table, module.i32.const(places.get(name)), values, params, results);
    const body = [module.if(missing, module.call(fetch, [], binaryen.none)), real];
    module.removeFunction(name);
    module.addFunction(name, params, results, [], module.block(null, body, results));
  }
  resize(module, table, size);
  for (const name of takes.functions) module.addFunctionExport(name, `f${name}`);
  for (const name of takes.globals) module.addGlobalExport(name, `g${name}`);
  for (const name of takes.tables) module.addTableExport(name, `t${name}`);
  module.runPasses(['remove-unused-module-elements']);
  return module;
}

/** Puts functions into the table where the first part looks for them: a list for each run of places. */
function fill(module, table, places) {
  const sorted = [...places].sort(([, a], [, b]) => a - b);
  let run = [];
  for (const [n, [name, place]] of sorted.entries()) {
    run.push(name);
    if (sorted[n + 1]?.[1] === place + 1) continue;
    module.addActiveElementSegment(table, `at ${place}`, run, module.i32.const(place - run.length + 1));
    run = [];
  }
}

/** The rest, which fills these places, and what it takes from the first part. */
function rest(file, kept, places, size) {
  const module = read(file);
  const { name: segment, table } = listed(module);
  const memory = exported(module).find(({ kind }) => kind === binaryen.ExternalMemory).name;
  for (const { name } of exported(module)) module.removeExport(name);
  module.removeElementSegment(segment);
  fill(module, table, places);
  resize(module, table, size);
  // All data is the first part's: it is in the memory before any of this runs.
  module.setMemory(0, -1, null, [], false, false, '0');
  module.addMemoryImport('0', FIRST, memory, false);
  const tables = list(module.getNumTables(), (n) => binaryen.getTableInfo(module.getTableByIndex(n)).name);
  for (const name of tables) module.addTableImport(name, FIRST, `t${name}`);
  const globals = list(module.getNumGlobals(), (n) => binaryen.getGlobalInfo(module.getGlobalByIndex(n)));
  for (const { name, type, mutable } of globals) module.addGlobalImport(name, FIRST, `g${name}`, type, mutable);
  for (const { name, params, results, base } of functions(module)) {
    if (base === '' && !kept.has(name)) continue;
    module.removeFunction(name);
    module.addFunctionImport(name, FIRST, `f${name}`, params, results);
  }
  module.runPasses(['remove-unused-module-elements']);
  const taken = imported(module).map(({ name }) => name);
  return { module, takes: { functions: taken, globals: globals.map(({ name }) => name), tables } };
}

/**
 * Splits the module in `file` into `first` and `rest` (paths to write) by what `visit` runs.
 * `visit` gets the bytes of the copy that notes what is called, goes through a first visit, and answers its exports.
 */
export async function split(file, visit, paths) {
  const copy = noting(file);
  const kept = new Set(copy.ran(await visit(copy.bytes)));
  const all = placed(file, kept);
  const { module, takes } = rest(file, kept, all.places, all.size);
  module.dispose();
  const one = first(file, all, takes);
  const left = new Set(own(one).map(({ name }) => name));
  writeFileSync(paths.first, finish(one));
  const called = new Map([...all.places].filter(([name]) => left.has(name)));
  writeFileSync(paths.rest, finish(rest(file, kept, called, all.size).module));
}
