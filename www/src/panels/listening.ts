// What every panel has in common: it hears its session, and shows itself again when something changed.
import { LitElement } from 'lit';
import type { Focus } from '../gen/Focus';
import type { Change, Session } from '../session';

export abstract class Panel extends LitElement {
  static override properties = { session: { attribute: false } };
  declare session: Session | undefined;
  private heard: Session | undefined;
  private stop: (() => void) | undefined;

  protected override createRenderRoot() {
    return this;
  }

  override disconnectedCallback() {
    super.disconnectedCallback();
    this.stop?.();
    this.heard = undefined;
  }

  protected override updated() {
    if (this.session === this.heard) return;
    this.stop?.();
    this.heard = this.session;
    this.stop = this.session?.listen((change) => this.hear(change));
    this.opened();
  }

  /** Another run is shown from now on. */
  protected opened(): void {}

  protected hear(_change: Change): void {
    this.requestUpdate();
  }
}

/** Which message: of which cluster, which producer, its number from 0. */
export interface MessageRef {
  side: 0 | 1;
  producer: number;
  sequence: number;
}

/** A message was picked, to be seen in all its life. */
export class MessagePicked extends CustomEvent<MessageRef> {
  constructor(detail: MessageRef) {
    super('message-picked', { bubbles: true, detail });
  }
}

/** A rule was asked for: why is that so? */
export class RuleAsked extends CustomEvent<string> {
  constructor(rule: string) {
    super('rule-asked', { bubbles: true, detail: rule });
  }
}

/** Another run is to be seen beside this one: its name, and its document. */
export class BesideAsked extends CustomEvent<{ name: string; text: string }> {
  constructor(name: string, text: string) {
    super('beside-asked', { bubbles: true, detail: { name, text } });
  }
}

/** A number was asked for: which messages does it count? */
export class FateAsked extends CustomEvent<{ side: 0 | 1; fate: string; name: string }> {
  constructor(detail: { side: 0 | 1; fate: string; name: string }) {
    super('fate-asked', { bubbles: true, detail });
  }
}

/** A setting was asked for, by a rule or of a part of the document: its form is to be shown. */
export class SettingAsked extends CustomEvent<{ setting: string; rule: string; part?: string | undefined }> {
  constructor(setting: string, rule: string, part?: string) {
    super('setting-asked', { bubbles: true, detail: { setting, rule, part } });
  }
}

/** What the inspector shows. */
export type Selection =
  | { kind: 'node' | 'link' | 'queue' | 'exchange' | 'topic' | 'partition' | 'group'; side: 0 | 1; name: string }
  | { kind: 'message'; of: MessageRef }
  /** An event, by its place among the marks. */
  | { kind: 'event'; place: number }
  /** An order, by its place on the tape. */
  | { kind: 'order'; place: number };

/** Something is to be inspected; whether the inspector is to be shown, or only to know of it. */
export class InspectAsked extends CustomEvent<{ of: Selection; show: boolean }> {
  constructor(of: Selection, show: boolean) {
    super('inspect-asked', { bubbles: true, detail: { of, show } });
  }
}

/** A topic, queue or group is to be in focus on a cluster's stage. */
export class FocusAsked extends CustomEvent<{ side: 0 | 1; focus: Focus | undefined }> {
  constructor(side: 0 | 1, focus: Focus | undefined) {
    super('focus-asked', { bubbles: true, detail: { side, focus } });
  }
}
