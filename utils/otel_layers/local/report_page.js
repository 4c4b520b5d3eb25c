"use strict";
// Everything opens and closes without this script; it adds the two buttons and links that open a span: #span=TRACE-SPAN.
(() => {
  const spans = () => document.querySelectorAll("details.span");
  const all = (open) => () => spans().forEach((d) => { d.open = open; });
  document.getElementById("open-all").addEventListener("click", all(true));
  document.getElementById("close-all").addEventListener("click", all(false));
  const follow = () => {
    const found = /^#span=([0-9a-f-]+)$/.exec(location.hash);
    const target = found && document.getElementById("span-" + found[1]);
    if (!target) return;
    target.open = true;
    target.scrollIntoView({ block: "center" });
    target.querySelector("summary").focus({ preventScroll: true });
  };
  addEventListener("hashchange", follow);
  follow();
  document.querySelectorAll(".tools").forEach((t) => { t.hidden = false; });
})();
