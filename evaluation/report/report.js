// The table of all items: choose two models, filter, read, and see word by word what differs.
// Texts come from the page's own data and are only ever set as text, never as HTML.
(function () {
"use strict";
const holder = document.getElementById("items"), source = document.getElementById("items-data");
if (!holder || !source) return;
const data = JSON.parse(source.textContent);
const PAGE = 50, MOST_WORDS = 1500, MOST_CELLS = 2000000;
const state = { left: 0, right: Math.min(1, data.models.length - 1), outcome: "all", tag: "", text: "", shown: PAGE };

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value); else made.setAttribute(key, value);
  }
  for (const child of children) made.append(child);
  return made;
}

function choice(id, label, options, chosen, change) {
  const select = element("select", { id, onchange: () => { change(select.value); state.shown = PAGE; draw(); } },
    ...options.map(([value, text]) => element("option", { value }, text)));
  select.value = String(chosen);
  return element("label", {}, label + " ", select);
}

function outcome(item) {
  const before = item.answers[state.left][1], after = item.answers[state.right][1];
  if (before === null || after === null) return "";
  const gain = (after - before) * (data.higher ? 1 : -1);
  return gain > 0 ? "win" : gain < 0 ? "loss" : "tie";
}

function fits(item) {
  if (state.outcome !== "all" && outcome(item) !== state.outcome) return false;
  if (state.tag !== "" && item.tag !== state.tag) return false;
  if (state.text === "") return true;
  return [item.prompt, item.expected, ...item.answers.map((answer) => answer[0] || "")]
    .some((text) => text.toLowerCase().includes(state.text));
}

// Longest common subsequence of words; beginnings and ends that are alike are taken off first.
function wordDiff(before, after) {
  const a = before.split(/(\s+)/).slice(0, MOST_WORDS), b = after.split(/(\s+)/).slice(0, MOST_WORDS);
  let start = 0, end = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const x = a.slice(start, a.length - end), y = b.slice(start, b.length - end), keptX = new Set(), keptY = new Set();
  if (x.length * y.length <= MOST_CELLS) {
    const width = y.length + 1, best = new Uint16Array((x.length + 1) * width);
    for (let i = x.length - 1; i >= 0; i--)
      for (let j = y.length - 1; j >= 0; j--)
        best[i * width + j] = x[i] === y[j] ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    for (let i = 0, j = 0; i < x.length && j < y.length;) {
      if (x[i] === y[j]) { keptX.add(i++); keptY.add(j++); }
      else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++; else j++;
    }
  }
  const mark = (words, kept, size) => words.map((word, place) =>
    [word, place >= start && place < size - end && !kept.has(place - start)]);
  return [mark(a, keptX, a.length), mark(b, keptY, b.length)];
}

function marked(words, name) {
  const shown = element("pre", {});
  for (const [word, differs] of words) shown.append(differs && word.trim() !== "" ? element(name, {}, word) : word);
  return shown;
}

function answerBox(title, score, body) {
  const told = score === null || score === undefined ? "" : String(Math.round(score * 1000) / 1000);
  return element("div", {}, element("strong", {}, title), element("span", { class: "quiet score" }, told), body);
}

function plainBox(title, text, score) {
  return answerBox(title, score, element("pre", {}, text === null ? "(not asked)" : text || "(empty)"));
}

function details(item) {
  const boxes = element("div", { class: "answers" }, plainBox("Expected", item.expected, null));
  const [left, leftScore] = item.answers[state.left], [right, rightScore] = item.answers[state.right];
  if (state.left !== state.right && left !== null && right !== null) {
    const [before, after] = wordDiff(left, right);
    boxes.append(answerBox(data.models[state.left], leftScore, marked(before, "del")));
    boxes.append(answerBox(data.models[state.right], rightScore, marked(after, "ins")));
  } else {
    boxes.append(plainBox(data.models[state.left], left, leftScore));
    if (state.left !== state.right) boxes.append(plainBox(data.models[state.right], right, rightScore));
  }
  item.answers.forEach(([text, score], place) => {
    if (place !== state.left && place !== state.right) boxes.append(plainBox(data.models[place], text, score));
  });
  return element("td", { colspan: 5 }, element("pre", {}, item.prompt), boxes);
}

function row(item, number) {
  const lines = item.prompt.trim().split("\n"), question = lines[lines.length - 1].slice(0, 160);
  const told = (place) => { const score = item.answers[place][1]; return score === null ? "" : String(Math.round(score * 1000) / 1000); };
  const result = outcome(item), opened = element("tr", { class: "opened", hidden: "" });
  const toggle = () => {
    if (opened.hidden && !opened.firstChild) opened.append(details(item));
    opened.hidden = !opened.hidden;
    button.setAttribute("aria-expanded", String(!opened.hidden));
  };
  const button = element("button", { type: "button", class: "question", "aria-expanded": "false", onclick: toggle }, question || "(empty)");
  return [element("tr", { class: "item " + result }, element("td", {}, String(number)),
    element("td", {}, button, " ", element("span", { class: "quiet" }, item.tag)),
    element("td", { class: "number" }, told(state.left)), element("td", { class: "number" }, told(state.right)),
    element("td", {}, result)), opened];
}

const tags = [...new Set(data.items.map((item) => item.tag))].filter((tag) => tag !== "").sort();
const models = data.models.map((name, place) => [String(place), name]);
const search = element("input", { id: "items-text", type: "search", placeholder: "text in question or answer",
  oninput: () => { state.text = search.value.toLowerCase(); state.shown = PAGE; draw(); } });
const count = element("span", { id: "items-count", class: "quiet", "aria-live": "polite" });
const body = element("tbody", { id: "items-rows" });
const heads = [element("th", { class: "number" }), element("th", { class: "number" })];
const more = element("button", { id: "items-more", type: "button", onclick: () => { state.shown += PAGE; draw(); } }, "Show 50 more");

function draw() {
  const found = [];
  data.items.forEach((item, place) => { if (fits(item)) found.push([item, place + 1]); });
  count.textContent = found.length + " of " + data.items.length + " items";
  heads[0].textContent = data.models[state.left];
  heads[1].textContent = data.models[state.right];
  body.replaceChildren(...found.slice(0, state.shown).flatMap(([item, number]) => row(item, number)));
  more.hidden = found.length <= state.shown;
}

holder.replaceChildren(
  element("div", { class: "filters" },
    choice("items-left", "Compare", models, state.left, (value) => { state.left = Number(value); }),
    choice("items-right", "with", models, state.right, (value) => { state.right = Number(value); }),
    choice("items-outcome", "Show", [["all", "all"], ["win", "wins"], ["loss", "losses"], ["tie", "ties"]], "all",
      (value) => { state.outcome = value; }),
    choice("items-tag", "Tag", [["", "all"], ...tags.map((tag) => [tag, tag])], "", (value) => { state.tag = value; }),
    search, count),
  element("div", { class: "scroll" }, element("table", {},
    element("thead", {}, element("tr", {}, element("th", {}, "#"), element("th", {}, "Question"), ...heads,
      element("th", {}, data.metric))), body)),
  more);
draw();
})();
