/* Menus are <details>: Escape and a click elsewhere close them. */
(function () {
  "use strict";

  function close(except) {
    document.querySelectorAll("details.menu[open]").forEach(function (menu) {
      if (menu !== except) menu.open = false;
    });
  }

  document.addEventListener("click", function (event) {
    close(event.target.closest("details.menu"));
  });
  document.addEventListener("keydown", function (event) {
    if (event.key !== "Escape") return;
    var open = document.querySelector("details.menu[open]");
    close(null);
    if (open) open.querySelector("summary").focus();
  });
})();
