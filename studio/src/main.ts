// Studio: who calls, then three views: create, history, compare.
import { Api } from "./api.ts";
import { fill, h } from "./dom.ts";
import { Problem } from "./problem.ts";
import { refusal, signIn } from "./sign-in.ts";
import { Studio } from "./studio.ts";

/** The key lives as long as the tab, and in no address. */
const KEY = "omnireel.key";

const root = document.querySelector<HTMLElement>("#studio")!;

function leave(): void {
  sessionStorage.removeItem(KEY);
  location.reload(); // what was shown to this caller goes with the page
}

async function enter(key: string): Promise<void> {
  const api = new Api(key);
  const can = await api.capabilities();
  if (key) sessionStorage.setItem(KEY, key);
  api.onUnauthenticated = leave;
  const studio = new Studio(api, can, leave);
  fill(root, ...studio.elements);
  studio.start();
}

async function begin(): Promise<void> {
  const key = sessionStorage.getItem(KEY) ?? "";
  fill(root, h("p", { class: "opening", role: "status" }, "Opening…"));
  try {
    await enter(key); // without a key: a server may be set up to ask for none
  } catch (error) {
    const known = error instanceof Problem && error.code === 401;
    if (known) sessionStorage.removeItem(KEY);
    const problem = known && !key ? "" : refusal(error); // who comes for the first time has done no wrong
    fill(root, signIn(enter, problem, key));
  }
}

void begin();
