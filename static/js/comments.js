/* The comments of one stretch of content, in the panel beside the chart: read from REST, the
 * newest wish wins. On a phone the panel comes from below once a moment was chosen. */
(function () {
  "use strict";

  var panel = document.getElementById("moment");
  var chart = document.getElementById("timeline");
  if (!panel || !chart || !chart.dataset.comments) return;
  var list = document.getElementById("comments");
  var name = document.getElementById("moment-name");
  var state = document.getElementById("moment-state");
  var closer = document.getElementById("moment-close");
  if (!list) return;
  var asked = 0;
  var opener = null;

  function clock(seconds) {
    return globalThis.DailiesCharts.clock(seconds);
  }

  function part(tag, className, text) {
    var node = document.createElement(tag);
    if (className) node.className = className;
    node.textContent = text;
    return node;
  }

  function row(comment) {
    var item = document.createElement("li");
    var aside = (comment.repeats > 1 ? "×" + comment.repeats : "") +
      (comment.likes ? " ♡" + comment.likes : "");
    item.append(
      part("time", "", clock(comment.content_second)),
      part("span", "text", comment.text),
      part("span", "aside", aside)
    );
    return item;
  }

  function say(text) {
    state.textContent = text;
  }

  function mark(n) {
    panel.querySelectorAll("a[data-n]").forEach(function (link) {
      if (Number(link.dataset.n) === n) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    reveal();
  }

  /** Scroll the list of moments, and nothing else, to the one that is chosen. */
  function reveal() {
    var box = document.getElementById("moment-list");
    var chosen = box && box.querySelector("a[aria-current]");
    if (!chosen) return;
    var below = chosen.offsetTop + chosen.offsetHeight - box.clientHeight;
    if (chosen.offsetTop < box.scrollTop || below > box.scrollTop) {
      box.scrollTop = chosen.offsetTop;
    }
  }

  /** Where the list goes on above or below what is in sight, its edge fades. */
  function fade() {
    var box = document.getElementById("moment-list");
    if (!box) return;
    var left = box.scrollHeight - box.clientHeight - box.scrollTop;
    box.classList.toggle("more-above", box.scrollTop > 1);
    box.classList.toggle("more-below", left > 1);
  }

  /** Show what was written in [from, until); `n` where it is one of the moments. */
  function show(from, until, n) {
    var wish = ++asked;
    mark(n);
    name.textContent = clock(from) + " – " + clock(until);
    list.replaceChildren();
    list.scrollTop = 0;
    say(state.dataset.busy);
    panel.setAttribute("aria-busy", "true");
    var url = new URL(chart.dataset.comments, location.href);
    url.searchParams.set("from_second", String(from));
    url.searchParams.set("until_second", String(until));
    fetch(url, { headers: { Accept: "application/json" }, credentials: "same-origin" })
      .then(function (response) {
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      })
      .then(function (answer) {
        if (wish !== asked) return;
        list.replaceChildren.apply(list, answer.rows.map(row));
        say(answer.rows.length ? "" : state.dataset.none);
      })
      .catch(function () {
        if (wish === asked) say(state.dataset.failed);
      })
      .finally(function () {
        if (wish === asked) panel.removeAttribute("aria-busy");
      });
  }

  /** Bring the panel up where it does not stand beside the chart. */
  function raise(from) {
    if (!matchMedia("(max-width: 640px)").matches) return;
    opener = from;
    panel.classList.add("sheet");
    closer.hidden = false;
    panel.focus({ preventScroll: true });
  }

  function lower() {
    if (!panel.classList.contains("sheet")) return;
    panel.classList.remove("sheet");
    closer.hidden = true;
    if (opener) opener.focus({ preventScroll: true });
  }

  closer.addEventListener("click", lower);
  document.addEventListener("keydown", function (event) {
    if (event.key === "Escape") lower();
  });
  panel.addEventListener("click", function (event) {
    var link = event.target.closest("a[data-n]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    var n = Number(link.dataset.n);
    show(Number(link.dataset.from), Number(link.dataset.until), n);
    chart.dispatchEvent(new CustomEvent("moment", { detail: n }));
  });

  reveal();
  fade();
  var list = document.getElementById("moment-list");
  if (list) list.addEventListener("scroll", fade);
  globalThis.DailiesComments = { show: show, raise: raise };
})();
