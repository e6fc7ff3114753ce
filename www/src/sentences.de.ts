// German sentences for what the engines tell: marks by their codes, the verdict from its numbers.
// The tables mirror those of the engines (`words.rs` of the player and both clusters); a test holds them together.
import { count, millis } from './format';
import type { MarkOut } from './gen/MarkOut';
import type { Report } from './gen/Report';

export const orders: Record<string, string> = {
  killed: '{0} wird abgeschossen',
  'powered-off': '{0} verliert den Strom',
  paused: '{0} wird eingefroren',
  resumed: '{0} läuft weiter',
  stopped: '{0} soll aufhören',
  started: '{0} startet',
  'client-added': '{0} kommt dazu, mit den Einstellungen von {1}',
  cut: '{0} wird abgetrennt von: {1}',
  healed: '{0} erreicht wieder: {1}',
  'link-worse': '{0} und {1}: {2} mehr Verzögerung, {3} % der Segmente gehen verloren',
  'healed-all': 'alle Leitungen sind geheilt',
  slowed: '{0}: {1} braucht {2} % der üblichen Zeit',
  'rate-set': '{0} erzeugt jetzt {1}',
  'processing-set': '{0} arbeitet jetzt {1} an einer Nachricht',
  'prefetch-set': '{0}: Prefetch {1}',
  'fails-on': '{0}: Die Anwendung scheitert von nun an an Nachrichten mit Schlüssel {1}',
  'fails-on-none': '{0}: Die Anwendung scheitert an keiner Nachricht mehr',
  'published-one': '{0} sendet eine mehr',
  'hand-refused': '{0}',
  'commit-ordered': '{0} soll committen',
  'abort-ordered': '{0} soll abbrechen',
  'disk-filled': '{0}: etwas anderes füllt die Platte, {1} sind frei',
  'disk-freed': '{0}: die Platte hat wieder Platz',
  'watermark-set': '{0}: die Speichergrenze ist jetzt {1} %',
  reassigned: '{0} soll verlegen: {1}',
  'reassignment-cancelled': '{0} soll die Verlegung aufgeben: {1}',
  'partitions-added': '{0} soll geben: {1}',
  'topic-config-set': '{0} soll setzen: {1}',
  'policy-set': '{0} soll die Richtlinie setzen: {1}',
  'policy-cleared': '{0} soll die Richtlinie löschen: {1}',
  'elect-preferred': '{0} soll die bevorzugten Leader einsetzen: {1}',
  'elect-unclean': '{0} soll beliebige Leader einsetzen: {1}',
  'member-added': '{0} soll Mitglied werden von {1}',
  'member-deleted': '{0} soll nicht mehr Mitglied sein von {1}',
};

export const log: Record<string, string> = {
  'controller-elected': '{0} ist der aktive Controller, Epoche {1}',
  'controller-resigned': '{0} ist nicht mehr der aktive Controller',
  'broker-registered': '{0} meldet sich an',
  'broker-unfenced': '{0} arbeitet',
  'broker-fenced': '{0} ist gefenced: seit {1} kein Lebenszeichen',
  'broker-unclean': '{0} kam nach einem unsauberen Ende zurück',
  'controlled-shutdown': '{0} gibt seine Führungen ab',
  'leader-elected': '{0}: {1} führt, Epoche {2}',
  'leader-unclean': '{0}: {1} führt nach unsauberer Wahl, Epoche {2}',
  'leader-lost': '{0}: kein Leader',
  'leaders-elected': '{0} Partitionen: neue Leader, Epoche {1}',
  'leaders-unclean': '{0} Partitionen: neue Leader nach unsauberen Wahlen, Epoche {1}',
  'leaders-lost': '{0} Partitionen: kein Leader',
  'isr-shrunk': '{0}: in-sync nur noch {1}',
  'isr-expanded': '{0}: in-sync jetzt {1}',
  'isrs-shrunk': '{0} Partitionen: {1} nicht mehr in-sync',
  'isrs-expanded': '{0} Partitionen: {1} wieder in-sync',
  'partition-created': '{0} entsteht auf {1}',
  'reassignment-begun': '{0} zieht um nach {1}',
  'reassignment-done': '{0} ist jetzt auf {1}',
  'reassignment-given-up': '{0} bleibt auf {1}',
  'replica-deleted': '{0}: {1} löscht seine Replik',
  'admin-refused': '{0} abgelehnt: {1}',
  truncated: '{0}: {1} verwirft {2} Records ab Offset {3}',
  'min-isr': '{0}: {1} lehnt {2} ab: zu wenige Repliken in-sync',
  compacted: '{0}: {1} verdichtet bis Offset {2}, {3} Records fallen weg',
  'tier-copied': '{0}: {1} hat es bis Offset {2} in den fernen Speicher kopiert',
  'tier-only': '{0}: {1} behält es erst ab Offset {2} auf der eigenen Platte',
  retention: '{0}: {1} löscht Records bis Offset {2}',
  'unflushed-lost': '{0}: {1} hat {2} nicht geflushte Records verloren',
  'producer-retries': '{0}: {1}, versucht es wieder',
  'producer-gives-up': '{0} gibt {1} Records auf: {2}',
  'producer-blocked': '{0}: buffer.memory ist voll, das Senden blockiert',
  'producer-epoch': '{0} erhöht seine Epoche auf {1}',
  'client-disconnected': '{0} verliert {1}',
  'group-rebalance': '{0}: {1} löst ein Rebalance aus',
  'group-converted': '{0} hat Mitglieder beider Protokolle: weiter als {2}-Gruppe statt als {1}-Gruppe',
  'group-generation': '{0}: Generation {1}, {2} Mitglieder',
  'member-expired': '{0}: kein Lebenszeichen von {1}',
  'member-left': '{0}: {1} geht',
  'member-joined': '{0}: {1} kommt dazu',
  'member-returned': '{0}: {1} ist zurück und behält seinen Teil',
  'member-fenced': '{0}: {1} ist gefenced, er gab seine Partitionen nicht rechtzeitig ab',
  'member-refused': '{0}: {1} wird abgelehnt, {2}',
  'group-assigned': '{0}: die Partitionen werden neu verteilt, Epoche {1}, {2} Mitglieder',
  'partitions-revoked': '{0}: {1} soll {2} Partitionen abgeben',
  'partitions-assigned': '{0}: {1} darf {2} lesen',
  'consumer-failed': '{0} scheitert und endet: {1}',
  'offsets-expired': '{0}: {1} committete Offsets sind abgelaufen',
  'coordinator-loaded': '{0}: {1} ist der Koordinator',
  'commit-refused': '{0}: Commit abgelehnt, {1}',
  'transactions-loaded': '{0}: {1} koordiniert seine Transaktionen',
  'transaction-begun': '{0}: eine Transaktion beginnt, koordiniert von {1}',
  'transaction-prepared': '{0}: {1} schreibt nieder, was er tun wird: {2}',
  'transaction-committed': '{0}: die Transaktion ist committet, Epoche {1}',
  'transaction-aborted': '{0}: die Transaktion ist abgebrochen, Epoche {1}',
  'transaction-timed-out': '{0}: die Transaktion war länger offen als {1}',
  'transactional-id-expired': '{0} ist abgelaufen: {1} vergisst sie',
  'transaction-taken-over': '{0}: {1} übernimmt, die offene Transaktion wird abgebrochen',
  'producer-fenced': '{0} ist gefenced ({1}) und endet',
  'forwarding-aborted': '{0} bricht ab und beginnt wieder bei den committeten Offsets',
  'application-hangs': '{0} hängt, seine Transaktion bleibt offen',
  'share-session-ended': '{0}: {1} Records von {2} werden frei, die Sitzung ihres Mitglieds ist zu Ende',
  'share-locks-ended': '{0}: {1} Records von {2} werden frei, ihre Sperre ist abgelaufen',
  'share-given-up': '{0}: {1} Records von {2} werden archiviert, sie wurden zu oft zugestellt',
  'share-rejected': '{0}: {1} Records von {2} werden archiviert, sie wurden abgelehnt',
  'share-acknowledgement-refused': '{0}: seine Bestätigung wird abgelehnt, {1}',
  'offset-reset': '{0}: {1} beginnt bei Offset {2}',
  'hand-taken': '{0} wird jetzt von Hand geführt: er pollt und committet, wenn man es ihm sagt',
  'hand-let-go': '{0} macht von selbst weiter',
  'hand-polled': '{0}: poll() liefert {1} Records',
  'hand-polled-nothing': '{0}: poll() liefert nichts',
  'hand-committed': '{0} hat {1} committet',
  'hand-commit-failed': '{0}: sein Commit scheitert, {1}',
  'hand-said': '{0} {1} {2} Offset {3}',
  'hand-overdue': '{0} hat seit max.poll.interval.ms nicht gepollt: er verlässt seine Gruppe',
  'topic-config': '{0}: {1} ist jetzt {2}',
  'broker-config': '{0} aller Broker ist jetzt {1}',
  'one-broker-config': '{1} von {0} ist jetzt {2}',
  'broker-gives-up': '{0} konnte sich nicht anmelden und endet',
};

export const queue: Record<string, string> = {
  'leader-elected': '{0}: {1} führt, Term {2}',
  'leader-lost': '{0}: kein Leader mehr',
  'policy-applied': 'für {0} gilt jetzt eine andere Richtlinie',
  'queue-down': '{0}: der Heimatknoten ist ausgefallen',
  'node-lost': '{0} ist nicht mehr zu sehen',
  'node-seen': '{0} ist zu sehen',
  'client-connected': 'verbunden mit {0}',
  'client-disconnected': 'hat die Verbindung zu {0} verloren',
  'channel-closed': 'Channel geschlossen: {0} {1}',
  'connection-closed': 'Verbindung geschlossen: {0} {1}',
  'publish-refused': '{0} hat eine Nachricht abgelehnt',
  'consumer-cancelled': '{0} wurde vom Broker abgemeldet',
  'active-consumer': '{0}: {1} ist der aktive Consumer',
  'consumers-returned': '{0}: Nachrichten von {1} kehren in die Queue zurück',
  'queue-deleted': '{0} ist gelöscht',
  'cycle-dropped': '{0}: eine Nachricht, die im Kreis läuft, wird verworfen',
  'delivery-limit': '{0}: eine Nachricht wurde so oft zugestellt, wie sie darf',
  'node-paused': '{0} sieht zu wenige der anderen und bedient niemanden mehr',
  'node-resumed': '{0} bedient wieder',
  'partition-detected': '{0} merkt, dass {1} eigene Wege ging: ihre Metadaten unterscheiden sich',
  'autoheal-winner': 'die Spaltung ist geheilt: {0} bleiben, die anderen starten neu',
  'autoheal-restart': '{0} startet neu und übernimmt die Metadaten des Gewinners',
  'alarm-set': '{0}: Alarm, {1}',
  'alarm-cleared': '{0}: der Alarm ist vorbei, {1}',
  'connection-blocked': '{0} liest nicht mehr von einem Publisher: es herrscht Alarm',
  'mirror-synced': '{0}: der Spiegel auf {1} ist synchron',
  'mirror-promoted': '{0}: der Spiegel auf {1} übernimmt',
  'mirror-promoted-unsynced': '{0}: der Spiegel auf {1} übernimmt, obwohl er nicht alles hat',
  'members-changed': '{0}: die Mitglieder sind {1}',
  'members-refused': '{0}: {1}',
  'queue-crashed': '{0}: der Prozess ist abgestürzt',
  'hand-taken': '{0} wird jetzt von Hand geführt: er erledigt nichts von selbst',
  'hand-let-go': '{0} macht von selbst weiter',
  'hand-acked': '{0} bestätigt Zustellung {1}',
  'hand-nacked': '{0} weist Zustellung {1} zurück: {2}',
  'hand-got-nothing': '{0} bekommt nichts: {1} hat keine Nachricht bereit',
};

/** Values that are words, not names; what is not here stays as the engines have it. */
const values: Record<string, string> = {
  'all others': 'allen anderen',
  'all topics': 'alle Topics',
  disk: 'Platte',
  network: 'Netz',
  processor: 'Prozessor',
  memory: 'Speicher',
};

export function mark({ code, values: given, rule, what }: MarkOut): string {
  const own = rule.startsWith('R') ? queue : log;
  const template = own[code] ?? orders[code] ?? log[code] ?? queue[code];
  return template?.replace(/\{(\d)\}/g, (_, place) => values[given[place] ?? ''] ?? given[place] ?? '') ?? what;
}

type Outcome = Report['clusters'][string];

const messages = (number: number) => (number === 1 ? '1 Nachricht' : `${count(number)} Nachrichten`);

function headline(outcome: Outcome): string {
  const { produced, acknowledged, lost, gone, dropped } = outcome;
  if (produced === 0) return 'Noch wurde nichts erzeugt.';
  if (acknowledged === 0)
    return gone > 0
      ? `Nichts wurde bestätigt, und ${messages(gone)} ${gone === 1 ? 'ist' : 'sind'} fort.`
      : 'Noch wurde nichts bestätigt.';
  if (lost > 0)
    return `${count(lost)} von ${messages(acknowledged)} ${lost === 1 ? 'ist' : 'sind'} trotz Bestätigung verloren.`;
  if (dropped > 0) return `Keine bestätigte Nachricht ist verloren; ${messages(dropped)} hat eine Regel verworfen.`;
  return acknowledged === 1
    ? 'Die eine bestätigte Nachricht ist sicher.'
    : `Alle ${count(acknowledged)} bestätigten Nachrichten sind sicher.`;
}

export function verdict(_side: string, outcome: Outcome): { verdict: string; notes: string[] } {
  const { acknowledged, lost, dropped, gone } = outcome;
  const told: [number, string, string][] = [
    [outcome.duplicated, 'wurde mehr als einmal verarbeitet', 'wurden mehr als einmal verarbeitet'],
    [
      outcome.reordered,
      'kam nach einer späteren desselben Schlüssels',
      'kamen nach einer späteren desselben Schlüssels',
    ],
    [outcome.outstanding, 'ist unterwegs', 'sind unterwegs'],
    [outcome.refused, 'wurde abgelehnt', 'wurden abgelehnt'],
    [outcome.dead_lettered, 'kam zu den Dead Letters', 'kamen zu den Dead Letters'],
    [lost > 0 || acknowledged === 0 ? dropped : 0, 'hat eine Regel verworfen', 'hat eine Regel verworfen'],
    [outcome.aborted, 'nahm ihr Producer zurück', 'nahmen ihre Producer zurück'],
    [acknowledged > 0 ? gone : 0, 'ist fort, die nie zugesagt war', 'sind fort, die nie zugesagt waren'],
  ];
  const notes = told
    .filter(([number]) => number > 0)
    .map(([number, one, many]) => `${messages(number)} ${number === 1 ? one : many}`);
  const { p99 } = outcome.latency_ms;
  if (p99 !== null) notes.push(`99 % waren innerhalb von ${millis(p99)} verarbeitet`);
  return { verdict: headline(outcome), notes };
}
