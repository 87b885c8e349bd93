// When the service says that something has changed, fetches the page again and puts its <main> in place of the old one.
"use strict";
(() => {
  const status = document.getElementById("live");
  const pause = 1000;
  let last = 0, waiting = false, busy = false;

  // Never under somebody's hands: an open form or a field with the cursor stays.
  const inUse = () => {
    const active = document.activeElement;
    return document.querySelector("main details[open] form") !== null
      || (active !== null && active.closest("main") !== null && active.matches("input, select, textarea"));
  };

  const refresh = async () => {
    waiting = false;
    if (inUse()) { status.textContent = "Something has changed: reload the page to see it."; return; }
    busy = true;
    try {
      const reply = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "manual" });
      if (!reply.ok) throw new Error(reply.statusText);
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const fresh = page.querySelector("main");
      const old = document.querySelector("main");
      if (fresh === null || old === null) throw new Error("no page");
      const open = [...old.querySelectorAll("details")].map((one) => one.open);
      fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index] ?? false; });
      if (!fresh.isEqualNode(old)) old.replaceWith(document.adoptNode(fresh));
      status.textContent = "Live, as of " + new Date().toLocaleTimeString() + ".";
    } catch (error) {
      status.textContent = "Not live: " + error.message + ". Reload the page.";
    }
    last = Date.now();
    busy = false;
  };

  const changed = () => {
    if (waiting) return;
    waiting = true;
    const go = () => { if (busy) setTimeout(go, 50); else refresh(); };
    setTimeout(go, Math.max(0, last + pause - Date.now()));
  };

  const events = new EventSource(document.body.dataset.events);
  events.addEventListener("open", () => {
    status.textContent = "Live.";
    // What changed before, since the page was made or while the connection was lost, is not told.
    changed();
  });
  events.addEventListener("changed", changed);
  events.addEventListener("error", () => { status.textContent = "Not live: the connection is lost."; });
})();
