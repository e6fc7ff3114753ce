// The document as text: an editor that completes names and shows what the engine's own check says. Loaded on demand.
import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { json } from '@codemirror/lang-json';
import { type Diagnostic, linter, lintGutter } from '@codemirror/lint';
import { EditorState } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';
import { basicSetup } from 'codemirror';
import { checkDocument } from '../engine/engine';
import { words } from '../words';
import type { Setting } from './form-settings';
import { DocumentChanged } from './settings';

interface Schema {
  description?: string;
  properties?: Record<string, Schema>;
  $defs?: Record<string, Schema>;
  $ref?: string;
  enum?: unknown[];
  const?: unknown;
  oneOf?: Schema[];
  anyOf?: Schema[];
  type?: string | string[];
}

/** A name that a document's own schema knows. */
interface Known {
  about: string;
  /** The words that it takes, if they are few. */
  values: string[];
}

/** The words that fit a part of a schema. */
function wordsOf(schema: Schema, all: Schema): string[] {
  const step = /^#\/\$defs\/(\w+)$/.exec(schema.$ref ?? '')?.[1];
  const referred = step === undefined ? undefined : all.$defs?.[step];
  return [
    ...(schema.enum ?? []),
    ...(schema.const === undefined ? [] : [schema.const]),
    ...(schema.type === 'boolean' ? ['true', 'false'] : []),
    ...[...(schema.oneOf ?? []), ...(schema.anyOf ?? []), ...(referred ? [referred] : [])].flatMap((one) =>
      wordsOf(one, all),
    ),
  ].filter((word) => typeof word === 'string');
}

/** The names that a document's own schema knows, with what they are. */
async function schemaNames(): Promise<Map<string, Known>> {
  const names = new Map<string, Known>();
  const walk = (node: unknown, all: Schema) => {
    if (typeof node !== 'object' || node === null) return;
    for (const [name, schema] of Object.entries((node as Schema).properties ?? {})) {
      const { description = '' } = schema;
      names.set(name, { about: description, values: wordsOf(schema, all) });
    }
    for (const part of Object.values(node)) walk(part, all);
  };
  const answer = await fetch('./scenario.schema.json');
  if (answer.ok) {
    const all: Schema = await answer.json();
    walk(all, all);
  }
  return names;
}

/** The name whose value is being written at the end of a line: `acks` of `"acks": "a`. */
export function nameBefore(line: string): string | undefined {
  return /"([\w.-]+)"\s*:\s*"?[\w.-]*$/.exec(line)?.[1];
}

/** Where in a text the last name of a path such as `log.producer.acks` stands; the path's names in their order. */
export function placeOfPath(text: string, path: string): { from: number; to: number } {
  let from = 0;
  let found = { from: 0, to: Math.min(text.length, 1) };
  // Names themselves hold dots: the longest run of steps that stands in the text as one name is taken.
  const steps = path
    .replace(/\[(\d+)\]/g, '.')
    .split('.')
    .filter(Boolean);
  for (let start = 0; start < steps.length; ) {
    let taken = 1;
    for (let count = steps.length - start; count >= 1; count -= 1) {
      const name = `"${steps.slice(start, start + count).join('.')}"`;
      const place = text.indexOf(name, from);
      if (place < 0) continue;
      found = { from: place, to: place + name.length };
      from = place + name.length;
      taken = count;
      break;
    }
    start += taken;
  }
  return found;
}

/** What the engine says of a text, each sentence at its place. */
export function diagnose(text: string): Diagnostic[] {
  return checkDocument(text)
    .split('\n')
    .filter(Boolean)
    .map((message) => {
      const line = /line (\d+) column (\d+)/.exec(message);
      if (line) {
        const before = text.split('\n').slice(0, Number(line[1]) - 1);
        const from = Math.min(text.length, before.reduce((sum, one) => sum + one.length + 1, 0) + Number(line[2]) - 1);
        return { from: Math.max(0, from - 1), to: from, severity: 'error' as const, message };
      }
      const path = /^([\w.[\]-]+):/.exec(message)?.[1] ?? '';
      return { ...placeOfPath(text, path), severity: 'error' as const, message };
    });
}

export class BlEditor extends HTMLElement {
  text = '';
  settings: readonly Setting[] = [];
  private view: EditorView | undefined;

  connectedCallback() {
    // In a tree of its own the editor's styles are sheets that a strict policy allows.
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' });
    root.replaceChildren();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(
      '.holder{max-height:420px;overflow:auto}button{font:inherit;margin:8px;padding:6px 14px;color:inherit;background:none;border:1px solid currentColor;border-radius:6px;cursor:pointer}pre{margin:8px;white-space:pre-wrap}',
    );
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    const holder = document.createElement('div');
    holder.className = 'holder';
    const play = document.createElement('button');
    play.textContent = words.settings.play;
    play.addEventListener('click', () => this.play());
    root.append(holder, play);
    const names = schemaNames();
    const complete = async (context: CompletionContext): Promise<CompletionResult | null> => {
      const word = context.matchBefore(/"?[\w.-]*/);
      const begun = word?.text.startsWith('"') ?? false;
      // The quote that was closed by itself is part of what is completed.
      const closed = begun && context.state.sliceDoc(context.pos, context.pos + 1) === '"';
      const place = { from: word?.from ?? context.pos, to: context.pos + (closed ? 1 : 0) };
      const line = context.state.doc.lineAt(context.pos);
      const name = nameBefore(line.text.slice(0, context.pos - line.from));
      if (name !== undefined) {
        const setting = this.settings.find((one) => one.name === name);
        const values = setting ? setting.values : ((await names).get(name)?.values ?? []);
        const bare = (value: string) => value === 'true' || value === 'false';
        const label = (value: string) => (bare(value) ? value : `"${value}"`);
        const options = values.map((value) => ({ label: label(value), type: 'constant' }));
        return options.length === 0 ? null : { ...place, options };
      }
      if (!begun && !context.explicit) return null;
      const known = [...(await names)].map(([label, { about }]) => ({
        label: `"${label}"`,
        info: about,
        type: 'property',
      }));
      const settings = this.settings.map(({ name, about, default: value, part }) => ({
        label: `"${name}"`,
        info: `${about} ${value ? `${words.settings.byDefault} ${value}.` : ''}`,
        detail: part,
        type: 'property',
      }));
      return { ...place, options: [...known, ...settings] };
    };
    const dark = document.documentElement.classList.contains('dark');
    this.view = new EditorView({
      parent: holder,
      root,
      state: EditorState.create({
        doc: this.text,
        extensions: [
          basicSetup,
          json(),
          lintGutter(),
          linter((view) => diagnose(view.state.doc.toString()), { delay: 250 }),
          autocompletion({ override: [complete] }),
          keymap.of([{ key: 'Mod-Enter', run: () => this.play() }]),
          EditorView.contentAttributes.of({ 'aria-label': words.settings.asText }),
          EditorView.theme(
            {
              '&': { fontSize: '13px' },
              '.cm-gutters': { background: 'transparent', color: 'inherit', border: 'none' },
            },
            { dark },
          ),
        ],
      }),
    });
  }

  disconnectedCallback() {
    this.view?.destroy();
    this.view = undefined;
  }

  private play(): boolean {
    const text = this.view?.state.doc.toString() ?? '';
    // What is wrong is marked in the text already.
    if (checkDocument(text) === '') this.dispatchEvent(new DocumentChanged(text));
    return true;
  }
}

customElements.define('bl-editor', BlEditor);
