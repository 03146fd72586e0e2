// What arrives, as it arrives. Of all tabs of a browser one holds the stream and tells the others:
// a browser opens six connections to a host, and six streams would leave none for anything else.

const KEPT = 10000;
// A batch holds thousands: of their items too, no more than a browser keeps with ease.
const ITEMS_KEPT = 100000;

export class Live {
  constructor(changed, said) {
    this.requests = new Map();
    this.left = 0;
    this.items = 0;
    this.mark = null;
    this.changed = changed;
    this.said = said;
    this.channel = new BroadcastChannel("cio-events-sandbox");
    this.channel.onmessage = ({data}) => this.hear(data);
    this.queue = Promise.resolve();
  }

  async start() {
    await this.catchUp();
    this.channel.postMessage({kind: "who"});
    navigator.locks.request("cio-events-sandbox-stream", () => this.lead());
  }

  // Holds the lock until this tab is gone.
  lead() {
    this.leads = true;
    const after = this.mark === null ? "" : `?after=${encodeURIComponent(this.mark)}`;
    const source = new EventSource(`/sandbox/stream${after}`);
    source.onopen = () => this.tell("live");
    source.onerror = () => {
      this.tell("reconnecting");
      // A browser gives up for good on an answer that is no stream, as while another program
      // has the port.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.lead(), 1000);
    };
    source.onmessage = ({data}) => {
      const news = JSON.parse(data);
      this.channel.postMessage({kind: "news", news});
      this.take(news);
    };
    return new Promise(() => {});
  }

  tell(state) {
    this.state = state;
    this.said(state);
    this.channel.postMessage({kind: "state", state});
  }

  hear({kind, news, state}) {
    if (kind === "news") this.take(news);
    if (kind === "state") this.said(state);
    if (kind === "who" && this.leads && this.state) this.tell(this.state);
  }

  // One after the other: what is being caught up with may answer for what comes meanwhile.
  take(news) {
    this.queue = this.queue.then(() => {
      if (news.mark === this.mark) return undefined;
      if (news.after !== null && news.after !== this.mark) return this.catchUp();
      return this.keep(news);
    });
  }

  async catchUp() {
    for (let more = true; more;) {
      const after = this.mark === null ? "" : `?after=${encodeURIComponent(this.mark)}`;
      const answer = await fetch(`/sandbox/journal${after}`);
      const news = await answer.json();
      this.keep(news);
      more = news.more;
    }
  }

  keep(news) {
    if (news.after === null) {
      this.requests.clear();
      this.items = 0;
    }
    for (const request of news.requests) {
      this.requests.set(request.index, request);
      this.items += request.items.length;
    }
    let left = 0;
    for (const [index, request] of this.requests) {
      if (this.requests.size <= KEPT && this.items <= ITEMS_KEPT) break;
      this.requests.delete(index);
      this.items -= request.items.length;
      left += 1;
    }
    this.mark = news.mark;
    this.left = Math.max(news.left, (news.after === null ? 0 : this.left) + left);
    this.changed(news);
  }
}
