"use strict";
// Chooses among what the index has, and keeps the choices in the address. Everything is made of text nodes: no text of the index becomes markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const VERSIONS = ["version", "collector-version"];
  const KEYS = ["language", "layers", "runtime", "architecture", "region", ...VERSIONS, "tool"];
  const regions = new Map(data.regions.map((region) => [region.name, region]));
  let state = {};

  // What the index has.

  const distinct = (values) => [...new Set(values)];
  const arnIn = (entry, region) => {
    const found = entry.arns.find(([, names]) => names.includes(region));
    return found && found[0].replace("*", () => region);
  };
  const partitionOf = (region) => regions.get(region).partition;
  const inPartition = (entry, partition) => entry.arns.some(([, names]) => names.some((name) => partitionOf(name) === partition));
  const entriesOf = (layer) => data.layers.filter((entry) => entry.layer === layer);
  const isYanked = (entry) => entry.yanked !== "";
  const forRuntime = (entry, runtime) => !entry.runtimes.length || entry.runtimes.includes(runtime);
  const layersOf = (role, language) => distinct(data.layers.filter((e) => e.role === role && e.language === language).map((e) => e.layer));

  // The sets of layers that make one function whole: a bundle, or a Collector with a language layer; for no language a Collector alone.
  const setsOf = (language) => {
    const collectors = layersOf("collector", "any"), codes = layersOf("language", language);
    if (language === "any") return collectors.map((layer) => [layer]);
    const pairs = codes.flatMap((code) => (collectors.length ? collectors.map((collector) => [collector, code]) : [[code]]));
    return [...layersOf("bundle", language).map((layer) => [layer]), ...pairs];
  };
  const languages = data.languages.filter(({ value }) => setsOf(value).length);

  const runtimesOf = (set) => {
    const named = set.flatMap(entriesOf).flatMap((entry) => entry.runtimes);
    return data.runtimes.filter((runtime) => named.includes(runtime));
  };
  const fitting = (layer, s) => entriesOf(layer).filter((e) => e.architecture === s.architecture && forRuntime(e, s.runtime));
  const newestIn = (layer, s, region) => fitting(layer, s).find((entry) => !isYanked(entry) && arnIn(entry, region));
  const complete = (set, s, region) => set.every((layer) => newestIn(layer, s, region));

  const settle = (wanted) => {
    const s = {}, pick = (key, offered, otherwise) => { s[key] = offered.includes(wanted[key]) ? wanted[key] : otherwise; };
    pick("language", languages.map(({ value }) => value), languages[0].value);
    const sets = setsOf(s.language);
    pick("layers", sets.map(String), String(sets[0]));
    const set = sets.find((one) => String(one) === s.layers);
    const newest = set.flatMap(entriesOf).find((entry) => entry.runtimes.length && !isYanked(entry));
    const runtimes = runtimesOf(set);
    pick("runtime", runtimes, newest ? newest.runtimes.at(-1) : runtimes.at(-1) || "");
    const possible = data.architectures.filter((a) => set.every((layer) => fitting(layer, { ...s, architecture: a }).length));
    pick("architecture", possible, possible[0]);
    const names = data.regions.map(({ name }) => name), whole = names.filter((name) => complete(set, s, name));
    pick("region", names, whole.includes(data.home) ? data.home : whole[0] || names[0]);
    // The last layer of a set is what it is for; one before it is the Collector.
    const parts = [...set].reverse().map((layer, n) => {
      const here = fitting(layer, s).filter((entry) => arnIn(entry, s.region));
      pick(VERSIONS[n], here.map(({ pin }) => pin), "");
      const newest = newestIn(layer, s, s.region);
      return { layer, key: VERSIONS[n], here, newest, entry: s[VERSIONS[n]] ? here.find((e) => e.pin === s[VERSIONS[n]]) : newest };
    });
    if (parts.length < 2) s[VERSIONS[1]] = "";
    pick("tool", data.snippets.map(({ key }) => key), data.snippets[0].key);
    return { s, sets, runtimes, possible, parts: parts.reverse() };
  };

  // Distance on a sphere, good enough to order by.
  const distance = (a, b) => {
    const [p, q] = [a, b].map((name) => regions.get(name).at);
    if (!p || !q) return Infinity;
    const [latA, longA, latB, longB] = [...p, ...q].map((degrees) => (degrees * Math.PI) / 180);
    return 1 - Math.sin(latA) * Math.sin(latB) - Math.cos(latA) * Math.cos(latB) * Math.cos(longA - longB);
  };
  const nearest = (region, fine) => {
    const found = data.regions.map(({ name }) => name).filter((name) => partitionOf(name) === partitionOf(region) && fine(name));
    return found.sort((a, b) => distance(region, a) - distance(region, b))[0];
  };

  // Controls: made anew only when what they offer changes, so that focus stays where it is.

  const shown = new Map();
  const renewed = (id, choices, children) => {
    const text = JSON.stringify(choices);
    if (shown.get(id) !== text) at(id).replaceChildren(...children());
    shown.set(id, text);
  };
  const radios = (id, choices, value) => {
    renewed(id, choices, () => choices.map((choice) => {
      const text = make("span", { className: "text" }, make("span", {}, choice.text));
      if (choice.more) text.append(make("small", {}, choice.more));
      return make("label", {}, make("input", { type: "radio", name: id, value: choice.value, autocomplete: "off" }), text);
    }));
    for (const input of at(id).querySelectorAll("input")) input.checked = input.value === value;
  };
  const select = (id, choices, value) => {
    renewed(id, choices, () => choices.map((choice) => make("option", { value: choice.value }, choice.text)));
    at(id).value = value;
    at(id).disabled = choices.length === 0;
    at(id).closest(".field").hidden = choices.length === 0;
  };

  const nameOf = (region, more = "") => [region + more, regions.get(region).place].filter(Boolean).join(", ");
  const setChoice = (set) => ({ value: String(set), text: ["", "One layer", "Two layers"][set.length], more: set.join("\n") });
  const versionChoices = ({ here, newest }) => {
    const pinned = here.map((e) => ({ value: e.pin, text: e.version + (isYanked(e) ? " (yanked)" : "") }));
    return [{ value: "", text: newest ? `Newest: ${newest.version}` : here.length ? "Choose: all are yanked" : "None here" }, ...pinned];
  };

  const show = (wanted, told) => {
    const found = settle(wanted), { s, sets, parts } = found;
    radios("language", languages, s.language);
    radios("layers", sets.map(setChoice), s.layers);
    select("runtime", found.runtimes.map((value) => ({ value, text: value })), s.runtime);
    radios("architecture", found.possible.map((value) => ({ value, text: value })), s.architecture);
    const missing = (name) => (complete(parts.map(({ layer }) => layer), s, name) ? "" : " (not published)"); // by its own name, because narrow controls cut the end
    select("region", data.regions.map(({ name }) => ({ value: name, text: nameOf(name, missing(name)) })), s.region);
    for (const key of VERSIONS) {
      const part = parts.find((one) => one.key === key);
      select(key, part ? versionChoices(part) : [], s[key]);
      if (part) at(`${key}-label`).textContent = `Version of ${part.layer}`;
    }
    radios("tool", data.snippets.map(({ key, title }) => ({ value: key, text: title })), s.tool);
    at("notices").replaceChildren(...notices(wanted, s, told));
    state = s;
    result(s, parts);
  };

  const notices = (wanted, s, told) => {
    const known = told.filter((key) => wanted[key] && wanted[key] !== s[key]).map((key) => {
      return `There is no ${key} “${wanted[key].slice(0, 80)}” here: ${s[key] || "the newest"} is shown.`;
    });
    const unknown = told === KEYS ? Object.keys(wanted).filter((key) => !KEYS.includes(key)) : [];
    const texts = [...known, ...unknown.map((key) => `The address has “${key.slice(0, 80)}”, which means nothing here.`)];
    return texts.map((text) => make("p", { className: "note" }, text));
  };

  // What was chosen.

  const listed = (words) => words.join(" and ");
  const result = (s, parts) => {
    const ready = parts.filter(({ entry }) => entry), whole = ready.length === parts.length;
    const what = listed(ready.map(({ entry }) => `${entry.layer} ${entry.version}`));
    const where = [s.runtime, s.architecture, `in ${s.region}`].filter(Boolean).join(", ");
    at("summary").textContent = ready.length ? `${ready.length === 1 ? "1 ARN" : `${ready.length} ARNs`}: ${what}, for ${where}.` : `No ARN for ${where}.`;
    at("notes").replaceChildren(...lacking(s, parts), ...warnings(s, parts));
    at("arns").replaceChildren(...ready.map(({ entry }) => card(entry, arnIn(entry, s.region))));
    at("attach").hidden = !whole;
    if (!whole) return;
    at("attach-title").textContent = parts.length === 1 ? "Attach it" : "Attach them";
    const snippet = data.snippets.find(({ key }) => key === s.tool);
    at("snippet-title").textContent = snippet.title;
    at("snippet").ariaLabel = `${snippet.title} snippet`;
    at("copy-snippet").ariaLabel = `Copy the ${snippet.title} snippet`;
    at("snippet").firstChild.textContent = fill(snippet.text, s, parts.map(({ entry }) => entry));
  };

  const card = (entry, arn) => {
    const code = make("code", {}, arn), what = `the ARN of ${entry.layer}`;
    const button = make("button", { type: "button", ariaLabel: `Copy ${what}` }, "Copy");
    button.addEventListener("click", () => copy(arn, what, code));
    const size = `${entry.version}, ${(entry.zippedBytes / 1e6).toFixed(1)} MB`;
    const head = make("p", { className: "head" }, make("strong", {}, entry.layer), make("span", { className: "soft" }, size));
    return make("li", {}, head, ...(entry.description ? [make("p", { className: "soft" }, entry.description)] : []), make("div", { className: "copyable" }, code, button));
  };

  const lacking = (s, parts) => {
    const best = new Map(parts.map(({ layer }) => [layer, fitting(layer, s).find((e) => !isYanked(e) && inPartition(e, partitionOf(s.region)))]));
    const has = (layer, name) => best.get(layer) && arnIn(best.get(layer), name);
    const without = parts.filter(({ layer, key }) => !s[key] && !has(layer, s.region));
    if (!without.length) return [];
    const texts = without.map(({ layer, newest, here }) => {
      const wanted = best.get(layer) ? `${layer} ${best.get(layer).version}` : layer;
      const instead = newest ? `; ${newest.version} is the newest here` : here.length ? "; every version here is yanked" : "";
      return `${wanted} for ${s.architecture} is not published in ${nameOf(s.region)}${instead}.`;
    });
    const near = nearest(s.region, (name) => parts.every(({ layer }) => has(layer, name))) || nearest(s.region, (name) => parts.every(({ layer }) => newestIn(layer, s, name)));
    const note = make("div", { className: "note warn" }, make("p", {}, texts.join(" ")));
    if (!near || near === s.region) return [(note.append(make("p", {}, "No other region has it.")), note)];
    const button = make("button", { type: "button" }, `Show ${near}`);
    button.addEventListener("click", () => { change({ region: near }); at("region").focus(); });
    note.append(make("p", {}, `The nearest region that has ${parts.length === 1 ? "it" : "both"}: ${nameOf(near)}. A function takes layers of its own region only.`), button);
    return [note];
  };

  const warnings = (s, parts) => parts.flatMap(({ entry }) => {
    if (!entry) return [];
    const texts = [];
    if (isYanked(entry)) texts.push(`${entry.layer} ${entry.version} was taken back (yanked), do not use it: ${entry.yanked}`);
    if (!entry.public) texts.push(`${entry.layer} ${entry.version} is private: only the account that published it can use it.`);
    return texts.map((text) => make("p", { className: "note warn" }, text));
  });

  // The rule of release/snippets.py, which the notes are filled in by.
  const fill = (text, s, entries) => {
    const wrapper = entries.some((entry) => entry.runtimes.length) ? data.wrapper : "";
    const known = Object.entries({ "@@REGION@@": s.region, "@@ARCHITECTURE@@": s.architecture, "@@RUNTIME@@": s.runtime, "@@WRAPPER@@": wrapper });
    return text.trimEnd().split("\n").flatMap((line) => {
      if (known.some(([mark, value]) => line.includes(mark) && !value)) return [];
      const filled = known.reduce((so, [mark, value]) => so.replaceAll(mark, () => value), line);
      if (!filled.includes("@@ARN@@")) return [filled];
      return entries.map((entry, n) => filled.replaceAll("@@ARN@@", () => arnIn(entry, s.region)).replaceAll("@@N@@", String(n + 1)));
    }).join("\n");
  };

  // Copying, and saying so.

  let quiet = 0;
  const say = (text) => {
    clearTimeout(quiet);
    at("said").textContent = at("said").textContent === text ? `${text}\u00a0` : text; // the same words again would not be read out
    quiet = setTimeout(() => { at("said").textContent = ""; }, 10000);
  };
  const copyByEvent = (text) => {
    const put = (event) => { event.clipboardData.setData("text/plain", text); event.preventDefault(); };
    document.addEventListener("copy", put);
    const done = document.execCommand("copy");
    document.removeEventListener("copy", put);
    return done;
  };
  const copy = async (text, what, node) => {
    try {
      await navigator.clipboard.writeText(text); // not there on plain http
    } catch {
      if (!copyByEvent(text)) {
        getSelection().selectAllChildren(node);
        say(`The browser does not let this page copy ${what}. It is selected: copy it with the keyboard.`);
        return;
      }
    }
    say(`Copied ${what}.`);
  };

  // The address.

  const address = () => "#" + KEYS.filter((key) => state[key]).map((key) => `${key}=${encodeURIComponent(state[key]).replaceAll("%2C", ",")}`).join("&");
  const follow = () => show(Object.fromEntries(new URLSearchParams(location.hash.slice(1))), KEYS);
  const change = (asked) => {
    const others = asked.language || asked.layers ? { [VERSIONS[0]]: "", [VERSIONS[1]]: "" } : {}; // other layers have other versions
    show({ ...state, ...others, ...asked }, VERSIONS);
    history.replaceState(null, "", address());
  };

  if (!languages.length) return;
  document.querySelector("main").addEventListener("change", ({ target }) => change({ [target.name]: target.value }));
  at("copy-snippet").addEventListener("click", () => copy(at("snippet").textContent, `the ${data.snippets.find(({ key }) => key === state.tool).title} snippet`, at("snippet")));
  at("copy-link").addEventListener("click", () => copy(location.href.split("#")[0] + address(), "the link", at("copy-link")));
  addEventListener("hashchange", follow);
  follow();
  document.documentElement.classList.add("js");
  at("chooser").hidden = false;
})();
